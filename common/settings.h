/*
 * settings.h - what cupel.conf says.
 *
 * A struct for each section, and in settings.c its table. A new section is a
 * struct here, its rows, and a line in settings_sections; help, manual and
 * etc/cupel.conf are printed from the rows:
 *
 *	cupel config default > etc/cupel.conf
 *	cupel config man	the list between the marks in cupel.conf.5
 *
 * A worker whose manifest asks for them has the settings of the section of its own
 * name as its arguments, NAME=VALUE each, if they are durations, sizes or numbers.
 */
#ifndef CUPEL_COMMON_SETTINGS_H
#define CUPEL_COMMON_SETTINGS_H

#include <stdio.h>

#include "common/config.h"

struct settings_log {
	const char *dir;	/* "": log in the state directory */
	unsigned level;		/* an enum log_level, the least written */
	int64_t file_bytes;
	int64_t backups;
	int64_t repeats;
	int64_t repeat_window_ns;
	int64_t free_bytes;
};

struct settings_supervisor {
	int64_t idle_ns;	/* 0: stays */
};

struct settings_store {
	int64_t raw_ns, minutes_ns, events_ns;
};

struct settings {
	struct settings_log log;
	struct settings_supervisor supervisor;
	struct settings_store store;
};

extern const struct config_section settings_sections[];
extern const size_t settings_section_count;

#define SETTINGS_ARGUMENTS_MAX 8
#define SETTINGS_ARGUMENT_BYTES 64

/*
 * Writes the arguments of a worker, and returns how many they are; 0 if there
 * is no such section.
 */
size_t settings_arguments(const struct settings *settings, const char *section,
			  char ret[SETTINGS_ARGUMENTS_MAX][SETTINGS_ARGUMENT_BYTES]);

/*
 * Fills settings with every default of that section, and then with what the
 * arguments, argv[1] on, say. -EINVAL with the one that makes no sense.
 */
int settings_take(struct settings *settings, const char *section, int argc, char **argv,
		  struct error *why);

/*
 * Starts a config over settings at their defaults, and loads a file as
 * config_load() does. If path is NULL that is /etc/cupel/cupel.conf for root,
 * cupel/cupel.conf in $XDG_CONFIG_HOME or ~/.config for a user, and there need
 * not be one. The caller releases the config, also after an error.
 */
int settings_load(struct config *config, struct settings *settings,
		  const char *path, struct error *why);

/* All settings at their defaults as etc/cupel.conf. */
void settings_print_default(FILE *out);

#endif
