/*
 * fuzz_config.c - any bytes as a configuration file. What is refused is
 * refused with a place; what is accepted can be printed as a file that says
 * the same.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/config_print.h"

static const char *const kinds[] = { "pure", "idempotent", "other", NULL };

struct target {
	const char *title;
	int64_t jobs;
};

struct tool {
	const char *title;
	struct config_list command;
	int64_t timeout_ns;
	unsigned kind;
	struct config_blocks targets;
};

struct sample {
	const char *motto;
	int64_t workers;
	int64_t cache_bytes;
	bool verbose;
	struct config_list words;
	struct config_blocks tools;
};

static const struct config_row top_rows[] = {
	{ "motto", SETTING(struct sample, motto, STRING), 0, 100, "", NULL, "A motto.", NULL },
};
static const struct config_row main_rows[] = {
	{ "workers", SETTING(struct sample, workers, INT), INT64_MIN, INT64_MAX, "4", "processes", "How many.", NULL },
	{ "cache", SETTING(struct sample, cache_bytes, SIZE), 0, INT64_MAX, "64K", NULL, "How much.", NULL },
	{ "verbose", SETTING(struct sample, verbose, BOOL), 0, 0, "no", NULL, "Whether.", NULL },
	{ "words", SETTING(struct sample, words, LIST), 0, 4, "", NULL, "What.", NULL },
};
static const struct config_row tool_rows[] = {
	{ "command", SETTING(struct tool, command, LIST), 1, 8, NULL, NULL, "What to run.", NULL },
	{ "timeout", SETTING(struct tool, timeout_ns, DURATION), 0, INT64_MAX, "5s", NULL, "How long.", NULL },
	{ "kind", SETTING(struct tool, kind, ENUM), 0, 0, "other", NULL, "Which.", kinds },
};
static const struct config_row target_rows[] = {
	{ "jobs", SETTING(struct target, jobs, INT), 1, 64, "1", "jobs", "At a time.", NULL },
};
static const struct config_section sections[] = {
	{ .name = "", .help = "Everywhere.", .rows = top_rows, .row_count = COUNT(top_rows) },
	{ .name = "main", .help = "The main part.", .rows = main_rows, .row_count = COUNT(main_rows) },
	{ .name = "tool", .help = "A tool.", .rows = tool_rows, .row_count = COUNT(tool_rows),
	  .block_bytes = sizeof(struct tool),
	  .blocks_offset = offsetof(struct sample, tools), .blocks_max = 3 },
	{ .name = "target", .inside = &sections[2], .help = "A target.",
	  .rows = target_rows, .row_count = COUNT(target_rows),
	  .block_bytes = sizeof(struct target),
	  .blocks_offset = offsetof(struct tool, targets), .blocks_max = 2 },
};

static int parse(struct config *config, struct sample *sample, struct span text,
		 struct error *why)
{
	config_init(config, sections, COUNT(sections), sample);
	return config_parse(config, "f", text, why);
}

static char *print(const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	config_print_file(out, config);
	fclose(out);
	return text;
}

static void check_reads_back(const struct config *config)
{
	AUTO_FREE char *once = print(config);
	struct config again;
	struct sample sample;
	int r = parse(&again, &sample, span_of_text(once), NULL);

	assert(r == 0);
	AUTO_FREE char *twice = print(&again);

	assert(strcmp(once, twice) == 0);
	config_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct sample sample;
	struct error why;
	int r = parse(&config, &sample, (struct span){ data, size }, &why);

	if (r == 0) {
		check_reads_back(&config);
	} else {
		assert(r == -EINVAL || r == -EMSGSIZE);
		assert(why.text[0] == 'f' && why.text[1] == ':');
	}
	config_release(&config);
	return 0;
}
