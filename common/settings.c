#include "common/settings.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/config_value.h"

#define KIB INT64_C(1024)
#define TIB (KIB * KIB * KIB * KIB)
#define HOUR_NS INT64_C(3600000000000)
#define DAY_NS (24 * HOUR_NS)

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
	{ "idle", SETTING(struct settings, supervisor.idle_ns, DURATION), 0, 30 * DAY_NS, "10m", NULL,
	  "A supervisor that a user's command started leaves after that long without client and call; 0: never.", NULL },
};

static const struct config_row store_rows[] = {
	{ "raw", SETTING(struct settings, store.raw_ns, DURATION), HOUR_NS, 36500 * DAY_NS, "7d", NULL,
	  "How long each measured value is kept as it was; then by the minute it was measured in.", NULL },
	{ "minutes", SETTING(struct settings, store.minutes_ns, DURATION), HOUR_NS, 36500 * DAY_NS, "30d", NULL,
	  "How old values by the minute become; then they are kept by the hour, for ever.", NULL },
	{ "events", SETTING(struct settings, store.events_ns, DURATION), HOUR_NS, 36500 * DAY_NS, "30d", NULL,
	  "How long events and calls of tools are kept.", NULL },
};

const struct config_section settings_sections[] = {
	{ .name = "log", .help = "What is logged, and where.",
	  .rows = log_rows, .row_count = COUNT(log_rows) },
	{ .name = "supervisor", .help = "The supervisor, cupeld.",
	  .rows = supervisor_rows, .row_count = COUNT(supervisor_rows) },
	{ .name = "store", .help = "How long the store keeps what gets old.",
	  .rows = store_rows, .row_count = COUNT(store_rows) },
};

const size_t settings_section_count = COUNT(settings_sections);

/* ---- as the arguments of a worker ---- */

static const struct config_section *section_named(const char *name)
{
	for (size_t i = 0; i < settings_section_count; i++)
		if (strcmp(settings_sections[i].name, name) == 0)
			return &settings_sections[i];
	return NULL;
}

size_t settings_arguments(const struct settings *settings, const char *section,
			  char ret[SETTINGS_ARGUMENTS_MAX][SETTINGS_ARGUMENT_BYTES])
{
	const struct config_section *found = section_named(section);
	size_t count = 0;

	for (size_t i = 0; found && i < found->row_count; i++) {
		const struct config_row *row = &found->rows[i];
		char value[TEXT_QUANTITY_BYTES];

		if (!config_value_number(row, (const char *)settings + row->offset, value))
			continue;
		assert(count < SETTINGS_ARGUMENTS_MAX);
		snprintf(ret[count++], SETTINGS_ARGUMENT_BYTES, "%s=%s", row->name, value);
	}
	return count;
}

static const struct config_row *row_named(const struct config_section *section,
					  const char *name, size_t length)
{
	for (size_t i = 0; i < section->row_count; i++)
		if (strlen(section->rows[i].name) == length &&
		    memcmp(section->rows[i].name, name, length) == 0)
			return &section->rows[i];
	return NULL;
}

static int set(struct settings *settings, const struct config_row *row, const char *text,
	       struct error *why)
{
	return config_value_parse(row, text, (char *)settings + row->offset, why);
}

int settings_take(struct settings *settings, const char *section, int argc, char **argv,
		  struct error *why)
{
	const struct config_section *found = section_named(section);
	int r = 0;

	assert(found);
	for (size_t i = 0; r == 0 && i < found->row_count; i++)
		r = set(settings, &found->rows[i], found->rows[i].standard, why);
	for (int i = 1; r == 0 && i < argc; i++) {
		size_t length = strcspn(argv[i], "=");
		const struct config_row *row = row_named(found, argv[i], length);

		r = row && argv[i][length] ?
			    set(settings, row, argv[i] + length + 1, why) :
			    error_set(why, -EINVAL, "%.60s is no setting of %s", argv[i], section);
	}
	return r;
}
