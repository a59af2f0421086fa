#include "common/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/config_print.h"
#include "common/places.h"

#define KIB INT64_C(1024)
#define TIB (KIB * KIB * KIB * KIB)
#define HOUR_NS INT64_C(3600000000000)

/* In the order of enum log_level, by log_level_name(). */
static const char *const log_levels[] = { "debug",   "info",  "notice",
					  "warning", "error", "critical",
					  NULL };

static const struct config_row log_rows[] = {
	{ "dir", SETTING(struct settings, log.dir, STRING), 0, 4095, "", NULL,
	  "Directory of the log files; if empty, the folder log in the state directory.", NULL },
	{ "level", SETTING(struct settings, log.level, ENUM), 0, 0, "info", NULL,
	  "The least serious level that is written.", log_levels },
	{ "file_size", SETTING(struct settings, log.file_bytes, SIZE), 64 * KIB, TIB, "10M", NULL,
	  "A log file that would grow beyond this is set aside and a new one begun.", NULL },
	{ "backups", SETTING(struct settings, log.backups, INT), 1, 100, "5", "files",
	  "How many files set aside are kept of each log.", NULL },
	{ "repeats", SETTING(struct settings, log.repeats, INT), 1, 1000000, "5", "messages",
	  "How often the same message is written in a window; the rest is counted.", NULL },
	{ "repeat_window", SETTING(struct settings, log.repeat_window_ns, DURATION), 0, HOUR_NS, "10s", NULL,
	  "How long such a window is.", NULL },
	{ "free_space", SETTING(struct settings, log.free_bytes, SIZE), 0, TIB, "64M", NULL,
	  "With less space free on the file system, only errors are written.", NULL },
};

static const struct config_row supervisor_rows[] = {
	{ "idle", SETTING(struct settings, supervisor.idle_ns, DURATION), 0, 24 * 30 * HOUR_NS, "10m", NULL,
	  "A supervisor that a user's command started leaves after that long without client and call; 0: never.", NULL },
};

const struct config_section settings_sections[] = {
	{ .name = "log", .help = "What is logged, and where.",
	  .rows = log_rows, .row_count = COUNT(log_rows) },
	{ .name = "supervisor", .help = "The supervisor, cupeld.",
	  .rows = supervisor_rows, .row_count = COUNT(supervisor_rows) },
};

const size_t settings_section_count = COUNT(settings_sections);

int settings_load(struct config *config, struct settings *settings,
		  const char *path, struct error *why)
{
	char usual[PLACES_BYTES];

	config_init(config, settings_sections, settings_section_count,
		    settings);
	if (path)
		return config_load(config, path, why);
	if (!places_config("cupel.conf", usual) || (access(usual, F_OK) < 0 && errno == ENOENT))
		return 0;
	return config_load(config, usual, why);
}

void settings_print_default(FILE *out)
{
	struct settings settings;
	struct config config;

	config_init(&config, settings_sections, settings_section_count,
		    &settings);
	fputs("# Every setting of Cupel at its default; see cupel.conf(5).\n\n",
	      out);
	config_print_file(out, &config);
	config_release(&config);
}
