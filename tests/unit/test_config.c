#include "tests/support/test.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/config.h"
#include "common/config_print.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

struct target {
	const char *title;
	int64_t jobs;
	const char *file;
};

struct tool {
	const char *title;
	struct config_list command;
	int64_t timeout_ns;
	struct config_blocks targets;
};

struct sample {
	const char *motto;
	int64_t workers;
	int64_t cache_bytes;
	int64_t pause_ns;
	bool verbose;
	double share, target;
	unsigned colour;
	const char *name;
	struct config_list words;
	struct config_blocks tools;
};

static const struct config_row top_rows[] = {
	{ "motto", SETTING(struct sample, motto, STRING), 0, 20, "none", NULL, "A motto.", NULL },
};
static const struct config_row main_rows[] = {
	{ "workers", SETTING(struct sample, workers, INT), -1, 64, "4", "processes", "How many.", NULL },
	{ "cache", SETTING(struct sample, cache_bytes, SIZE), 1024, 1024 * 1024, "64K", NULL, "How much.", NULL },
	{ "pause", SETTING(struct sample, pause_ns, DURATION), 0, 60000000000, "1500ms", NULL, "How long.", NULL },
	{ "verbose", SETTING(struct sample, verbose, BOOL), 0, 0, "false", NULL, "Whether.", NULL },
	{ "share", SETTING(struct sample, share, REAL), 0, 1, "0.5", "of one", "How big a part.", NULL },
	{ "target", SETTING(struct sample, target, REAL), -9, 9, "none", NULL, "Where to.", NULL },
	{ "colour", SETTING(struct sample, colour, ENUM), 0, 0, "green", NULL, "Which.", colours },
	{ "name", SETTING(struct sample, name, STRING), 1, 16, "cupel", NULL, "Who.", NULL },
	{ "words", SETTING(struct sample, words, LIST), 0, 3, "", NULL, "What.", NULL },
};
static const struct config_row tool_rows[] = {
	{ "command", SETTING(struct tool, command, LIST), 1, 8, NULL, NULL, "What to run.", NULL },
	{ "timeout", SETTING(struct tool, timeout_ns, DURATION), 0, 60000000000, "5s", NULL, "How long.", NULL },
};
static const struct config_row target_rows[] = {
	{ "jobs", SETTING(struct target, jobs, INT), 1, 64, "1", "jobs", "At a time.", NULL },
	{ "file", SETTING(struct target, file, STRING), 1, 64, NULL, NULL, "What is made.", NULL },
};
static const struct config_section sections[] = {
	{ .name = "", .help = "Everywhere.", .rows = top_rows, .row_count = COUNT(top_rows) },
	{ .name = "main", .help = "The main part.", .rows = main_rows, .row_count = COUNT(main_rows) },
	{ .name = "tool", .help = "A tool.", .rows = tool_rows, .row_count = COUNT(tool_rows),
	  .block_bytes = sizeof(struct tool),
	  .blocks_offset = offsetof(struct sample, tools), .blocks_max = 2 },
	{ .name = "target", .inside = &sections[2], .help = "A target.",
	  .rows = target_rows, .row_count = COUNT(target_rows),
	  .block_bytes = sizeof(struct target),
	  .blocks_offset = offsetof(struct tool, targets), .blocks_max = 2 },
};

struct fixture {
	struct config config;
	struct sample sample;
	struct error why;
};

static void start(struct fixture *fixture)
{
	*fixture = (struct fixture){ 0 };
	config_init(&fixture->config, sections, COUNT(sections),
		    &fixture->sample);
}

static int parse(struct fixture *fixture, const char *text)
{
	return config_parse(&fixture->config, "f", span_of_text(text),
			    &fixture->why);
}

static void defaults_are_what_the_rows_say(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_string_equal(fixture.sample.motto, "none");
	assert_int_equal(fixture.sample.workers, 4);
	assert_int_equal(fixture.sample.cache_bytes, 65536);
	assert_int_equal(fixture.sample.pause_ns, 1500000000);
	assert_false(fixture.sample.verbose);
	assert_int_equal(fixture.sample.colour, 1);
	assert_string_equal(fixture.sample.name, "cupel");
	assert_int_equal(fixture.sample.words.count, 0);
	assert_int_equal(fixture.sample.tools.count, 0);
	config_release(&fixture.config);
}

static void every_type_is_read(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_int_equal(parse(&fixture, "# settings {\n"
					 "motto = '${HOME} \"x\" \\n'\n"
					 "main {\n"
					 "\tworkers = -1 # } \"\n"
					 "\tcache=1M pause = 3s\n"
					 "\tverbose = on\n"
					 "\tcolour = blue\n"
					 "\tname = \"a \\\"b\\\"\\\\\\n\\tc#{\"\n"
					 "\twords = { one, \"two, three\",\n 'four' }\n"
					 "}\n"),
			 0);
	assert_string_equal(fixture.sample.motto, "${HOME} \"x\" \\n");
	assert_int_equal(fixture.sample.workers, -1);
	assert_int_equal(fixture.sample.cache_bytes, 1048576);
	assert_int_equal(fixture.sample.pause_ns, 3000000000);
	assert_true(fixture.sample.verbose);
	assert_int_equal(fixture.sample.colour, 2);
	assert_string_equal(fixture.sample.name, "a \"b\"\\\n\tc#{");
	assert_int_equal(fixture.sample.words.count, 3);
	assert_string_equal(fixture.sample.words.items[0], "one");
	assert_string_equal(fixture.sample.words.items[1], "two, three");
	assert_string_equal(fixture.sample.words.items[2], "four");
	config_release(&fixture.config);
}

static void titled_sections_make_a_block_each(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_int_equal(parse(&fixture,
			       "tool make { command = { make, -s } }\n"
			       "tool \"py.test-3\" { timeout = 9s command = pytest }\n"),
			 0);
	const struct tool *tools = fixture.sample.tools.items;

	assert_int_equal(fixture.sample.tools.count, 2);
	assert_string_equal(tools[0].title, "make");
	assert_int_equal(tools[0].command.count, 2);
	assert_string_equal(tools[0].command.items[1], "-s");
	assert_int_equal(tools[0].timeout_ns, 5000000000);
	assert_string_equal(tools[1].title, "py.test-3");
	assert_string_equal(tools[1].command.items[0], "pytest");
	assert_int_equal(tools[1].timeout_ns, 9000000000);
	config_release(&fixture.config);
}

static void a_section_inside_has_blocks_in_each_outer_block(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_int_equal(parse(&fixture,
			       "tool a {\n"
			       " target all { file = x }\n"
			       " command = { make }\n"
			       " target test { file = y jobs = 9 }\n"
			       "}\n"
			       "tool b { command = { cc } target all { file = z } }\n"),
			 0);
	const struct tool *tools = fixture.sample.tools.items;
	const struct target *first = tools[0].targets.items;
	const struct target *second = tools[1].targets.items;

	assert_int_equal(tools[0].targets.count, 2);
	assert_string_equal(first[0].title, "all");
	assert_string_equal(first[0].file, "x");
	assert_int_equal(first[0].jobs, 1);
	assert_string_equal(first[1].title, "test");
	assert_int_equal(first[1].jobs, 9);
	assert_int_equal(tools[1].targets.count, 1);
	assert_string_equal(second[0].title, "all");
	assert_string_equal(second[0].file, "z");
	config_release(&fixture.config);
}

/* Each is refused with this very sentence; the good texts are accepted. */
static void what_makes_no_sense_is_refused_by_line(void **state)
{
	static const struct {
		const char *name, *text, *says;	/* NULL: accepted */
	} cases[] = {
		{ "nothing", "", NULL },
		{ "a block without its closing newline", "main {}", NULL },
		{ "a block twice, its settings once", "main { workers = 1 }\nmain { cache = 2K }", NULL },
		{ "an empty list", "main { words = {} }", NULL },
		{ "a trailing comma", "main { words = { a, } }", NULL },
		{ "quoted names", "\"main\" { 'workers' = \"7\" }", NULL },

		{ "unknown section", "\nmian {\n}", "f:2: there is no 'mian'; did you mean 'main'?" },
		{ "unknown key", "main {\n cahce = 1K\n}", "f:2: there is no 'cahce' in main; did you mean 'cache'?" },
		{ "unlike anything", "main {\n zzz = 1\n}", "f:2: there is no 'zzz' in main" },
		{ "key outside its section", "workers = 3", "f:1: there is no 'workers'" },
		{ "not a number", "main {\n\n workers = many }", "f:3: main.workers: 'many' is not a whole number between -1 and 64 processes" },
		{ "a number and more", "main { workers = 3x }", "f:1: main.workers: '3x' is not a whole number between -1 and 64 processes" },
		{ "an empty number", "main { workers = \"\" }", "f:1: main.workers: '' is not a whole number between -1 and 64 processes" },
		{ "below the range", "main { workers = -2 }", "f:1: main.workers: -2 is not between -1 and 64 processes" },
		{ "above the range", "main { workers = 65 }", "f:1: main.workers: 65 is not between -1 and 64 processes" },
		{ "beyond 64 bits", "main { workers = 99999999999999999999 }", "f:1: main.workers: 99999999999999999999 is not between -1 and 64 processes" },
		{ "at the range's ends", "main { workers = 64 cache = 1K pause = 1m }", NULL },
		{ "a size out of range", "main { cache = 2M }", "f:1: main.cache: 2M is not between 1K and 1M" },
		{ "not a size", "main { cache = big }", "f:1: main.cache: 'big' is not a size like 10M between 1K and 1M" },
		{ "a duration without unit", "main { pause = 3 }", "f:1: main.pause: '3' is not a duration like 30s between 0 and 1m" },
		{ "a duration out of range", "main { pause = 61s }", "f:1: main.pause: 61s is not between 0 and 1m" },
		{ "not a truth", "main { verbose = 2 }", "f:1: main.verbose: '2' is not one of false, true, no, yes, off, on" },
		{ "not a choice", "main { colour = grey }", "f:1: main.colour: 'grey' is not one of red, green, blue" },
		{ "a string too short", "main { name = '' }", "f:1: main.name: its length is 0, not that of a text of 1 to 16 bytes" },
		{ "a string too long", "main { name = abcdefghijklmnopq }", "f:1: main.name: its length is 17, not that of a text of 1 to 16 bytes" },
		{ "a list too long", "main { words = { a, b,\n c, d } }", "f:2: main.words: its length is 4, not that of a list of 0 to 3 items" },
		{ "a list too short", "tool a {\n command = {}\n}", "f:2: tool.a.command: its length is 0, not that of a list of 1 to 8 items" },
		{ "a list for a scalar", "main { workers = { 1 } }", "f:1: unexpected token '{'" },

		{ "a scalar twice", "main {\n workers = 1\n workers = 1\n}", "f:3: main.workers: set a second time, first on line 2" },
		{ "a setting inside that must be set", "tool a { command = x\n target t { jobs = 2 } }", "f:2: tool.a.target.t.file: it must be set" },
		{ "an inside block too many", "tool a { command = x target t { file = x } target u { file = x } target v { file = x } }", "f:1: target 'v': one more than 2" },
		{ "out of its range inside", "tool a { target t { jobs = 65 } }", "f:1: tool.a.target.t.jobs: 65 is not between 1 and 64 jobs" },
		{ "an inside section at top level", "target t { file = x }", "f:1: there is no 'target'" },
		{ "no number", "main { share = half }", "f:1: main.share: 'half' is not a number between 0 and 1 of one" },
		{ "a number with a tail", "main { share = 0.5x }", "f:1: main.share: '0.5x' is not a number between 0 and 1 of one" },
		{ "not finite", "main { share = inf }", "f:1: main.share: 'inf' is not a number between 0 and 1 of one" },
		{ "a real out of its range", "main { share = 1.01 }", "f:1: main.share: 1.01 is not between 0 and 1 of one" },
		{ "none where a number must be", "main { share = none }", "f:1: main.share: 'none' is not a number between 0 and 1 of one" },
		{ "neither number nor none", "main { target = some }", "f:1: main.target: 'some' is not a number between -9 and 9, or none" },
		{ "none", "main { target = none }", NULL },
		{ "twice in two blocks", "main { workers = 1 }\nmain { workers = 1 }", "f:2: main.workers: set a second time, first on line 1" },
		{ "a list twice", "main {\n words = { a }\n words = { b }\n}", "f:3: main.words: set a second time, first on line 2" },
		{ "a list, then empty", "main {\n words = { a }\n words = { }\n}", "f:3: main.words: set a second time, first on line 2" },
		{ "empty, then a list", "main {\n words = { }\n words = { a }\n}", "f:3: main.words: set a second time, first on line 2" },
		{ "a title twice", "tool a { command = x }\ntool a { timeout = 1s }", "f:2: found duplicate title 'a'" },
		{ "one block too many", "tool a { command = x }\ntool b { command = x }\ntool c { command = x }", "f:3: tool 'c': one more than 2" },
		{ "a title of odd characters", "tool 'a b' { command = x }", "f:1: tool 'a b': a title is 1 to 64 letters, digits, '.', '_' or '-'" },
		{ "an empty title", "tool '' { }", "f:1: a name is empty" },
		{ "an empty name", "main {\n \"\" = 3 }", "f:2: a name is empty" },
		{ "empty values", "motto = '' main { words = { '', \"\" } }", NULL },
		{ "no title", "tool { }", "f:1: missing title for section 'tool'" },
		{ "a title too many", "main x { }", "f:1: missing opening brace for section 'main'" },
		{ "nothing set that must be", "tool a {\n timeout = 1s\n}", "f:3: tool.a.command: it must be set" },
		{ "an empty block that must have more", "\ntool a { }", "f:2: tool.a.command: it must be set" },

		{ "a block never closed", "main {\n workers = 1\n", "f:1: the block opened here is never closed" },
		{ "the outermost is named", "\nmain {\n tool a {\n }\n", "f:2: the block opened here is never closed" },
		{ "a list never closed", "main {\n words = { a\n}\n", "f:1: the block opened here is never closed" },
		{ "a brace too many", "main { }\n}", "f:2: unexpected closing brace" },
		{ "a string never closed", "main {\n name = \"x\n}\n", "f:2: a string is not closed on its line" },
		{ "a string to the end", "motto = 'x", "f:1: a string is not closed on its line" },
		{ "a string ending in its escape", "motto = \"x\\\"", "f:1: a string is not closed on its line" },
		{ "a string ending in a backslash", "motto = \"x\\", "f:1: the escapes are \\n, \\t, \\\", \\\\ and \\$" },
		{ "an escaped newline", "motto = 'x\\\ny'", "f:1: a string is not closed on its line" },
		{ "no value", "motto =", "f:1: premature end of file" },
		{ "no equal sign", "motto 'x'", "f:1: missing equal sign after option 'motto'" },
		{ "an appended list", "main { words += { a } }", "f:1: + * ( ) | \\ and // belong in quotes; comments start with #" },
		{ "a dropped star", "\nmotto = *.c", "f:2: + * ( ) | \\ and // belong in quotes; comments start with #" },
		{ "another kind of comment", "// main", "f:1: + * ( ) | \\ and // belong in quotes; comments start with #" },
		{ "a path into a section", "main|workers = 3", "f:1: + * ( ) | \\ and // belong in quotes; comments start with #" },
		{ "a quoted path into a section", "'main|workers' = 3", "f:1: workers: set it in its own block" },
		{ "the environment in a string", "motto = \"${HOME}\"", "f:1: ${...} has no meaning here: write it in '...'" },
		{ "the environment in a word", "motto = ${HOME}", "f:1: ${...} has no meaning here: write it in '...'" },
		{ "a dollar", "motto = \"$HOME\"", NULL },
		{ "an escaped zero", "motto = \"a\\x00b\"", "f:1: the escapes are \\n, \\t, \\\", \\\\ and \\$" },
		{ "a carriage return", "main {\r\n}", "f:1: a carriage return: end lines without one" },
		{ "a control character", "main {\n}\001", "f:2: a control character" },
		{ "bytes that are not UTF-8", "# \xc3\xa9\n# \xff", "f:2: not UTF-8" },
		{ "a value with a newline", "main { workers = \"1\\n\" }", "f:1: main.workers: '1\\n' is not a whole number between -1 and 64 processes" },
		{ "a control character in a string", "motto = '\033[2J'", "f:1: a control character in a string" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;

		start(&fixture);
		int r = parse(&fixture, cases[i].text);

		test_row(r == (cases[i].says ? -EINVAL : 0), "%s: got %d, \"%s\"",
			 cases[i].name, r, fixture.why.text);
		test_row(!cases[i].says || strcmp(fixture.why.text, cases[i].says) == 0,
			 "%s: says \"%s\"", cases[i].name, fixture.why.text);
		config_release(&fixture.config);
	}
}

static void a_list_is_measured_when_it_is_whole(void **state)
{
	static const struct config_row rows[] = {
		{ "pair", SETTING(struct tool, command, LIST), 2, 2, NULL, NULL, "Two.", NULL },
	};
	static const struct config_section section = {
		.name = "block", .help = "A block.", .rows = rows, .row_count = COUNT(rows),
		.block_bytes = sizeof(struct tool), .blocks_max = 1,
	};
	struct config_blocks blocks;
	struct config config;
	struct error why;

	(void)state;
	config_init(&config, &section, 1, &blocks);
	struct span whole = span_of_text("block a { pair = { x, y } }");
	struct span half = span_of_text("block a {\n pair = x\n}");

	assert_int_equal(config_parse(&config, "f", whole, NULL), 0);
	config_release(&config);
	config_init(&config, &section, 1, &blocks);
	assert_int_equal(config_parse(&config, "f", half, &why), -EINVAL);
	assert_string_equal(why.text, "f:2: block.a.pair: its length is 1, "
				      "not that of a list of 2 to 2 items");
	config_release(&config);
}

static void a_later_file_has_the_last_word(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_int_equal(parse(&fixture, "main { workers = 5 words = { a, b } }\n"
					 "tool a { command = one }"), 0);
	assert_int_equal(parse(&fixture, "main { workers = 6 words = c }\n"
					 "tool a { timeout = 1s }"), 0);
	const struct tool *tools = fixture.sample.tools.items;

	assert_int_equal(fixture.sample.workers, 6);
	assert_int_equal(fixture.sample.words.count, 1);
	assert_string_equal(fixture.sample.words.items[0], "c");
	assert_int_equal(fixture.sample.tools.count, 1);
	assert_string_equal(tools[0].command.items[0], "one");
	assert_int_equal(tools[0].timeout_ns, 1000000000);
	config_release(&fixture.config);
}

static void a_failed_parse_leaves_no_trace_in_the_next(void **state)
{
	static const char *const bad[] = { "main { name = \"", "main {", "tool a {",
					   "motto = 'x", "# x", "main { words = { a" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fixture fixture;

		start(&fixture);
		parse(&fixture, bad[i]);
		config_release(&fixture.config);
		start(&fixture);
		test_row(parse(&fixture, "main {\n workers = 3\n}") == 0, "after %s: %s",
			 bad[i], fixture.why.text);
		config_release(&fixture.config);
	}
}

static void the_size_of_a_text_is_bounded(void **state)
{
	struct fixture fixture;
	AUTO_FREE char *text = malloc(CONFIG_BYTES_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', CONFIG_BYTES_MAX + 1);
	struct span fits = { (uint8_t *)text, CONFIG_BYTES_MAX };
	struct span over = { (uint8_t *)text, CONFIG_BYTES_MAX + 1 };

	start(&fixture);
	assert_int_equal(config_parse(&fixture.config, "f", fits, NULL), 0);
	assert_int_equal(config_parse(&fixture.config, "f", over, &fixture.why), -EMSGSIZE);
	assert_string_equal(fixture.why.text, "f: longer than 1048576 bytes");
	config_release(&fixture.config);
}

static void collect_origin(void *context, const struct config_entry *entry)
{
	char *all = context, key[CONFIG_KEY_BYTES], *end = all + strlen(all);

	config_key(entry->section, entry->titles, entry->row, key);
	sprintf(end, "%s %s:%u\n", key, entry->file ? entry->file : "default", entry->line);
}

static void each_setting_knows_its_origin(void **state)
{
	struct fixture fixture;
	char all[2000] = "";

	(void)state;
	start(&fixture);
	struct span later = span_of_text("main { cache = 3K }");

	assert_int_equal(parse(&fixture, "main {\n workers = 4\n cache = 2K }\n"
					 "tool a {\n command = x }"), 0);
	assert_int_equal(config_parse(&fixture.config, "g", later, NULL), 0);
	config_each(&fixture.config, collect_origin, all);
	assert_string_equal(all, "motto default:0\n"
				 "main.workers f:2\n"
				 "main.cache g:1\n"
				 "main.pause default:0\n"
				 "main.verbose default:0\n"
				 "main.share default:0\n"
				 "main.target default:0\n"
				 "main.colour default:0\n"
				 "main.name default:0\n"
				 "main.words default:0\n"
				 "tool.a.command f:5\n"
				 "tool.a.timeout default:0\n");
	config_release(&fixture.config);
}

static void the_printed_file_reads_back_as_the_same(void **state)
{
	static const char given[] =
		"motto = \"\\n\\t\\\"\\\\{#'}\\${x}\"\n"
		"main { share = 0.1 target = -1e-3 colour = red words = { '', 'a b' } verbose = on }\n"
		"tool b { command = { x, y } timeout = 1500ms }\n"
		"tool c { command = z target t { file = f } target u { file = g } }\n";
	static const char part[] =
		"# A tool.\n"
		"tool b {\n"
		"\t# What to run.\n"
		"\t# Is a list of 1 to 8 items; must be set.\n"
		"\tcommand = { \"x\", \"y\" }\n"
		"\n"
		"\t# How long.\n"
		"\t# Is between 0 and 1m; the default is 5s.\n"
		"\ttimeout = 1500ms\n"
		"}\n";
	static const char inside[] =
		"\ttimeout = 5s\n"
		"\n"
		"\t# A target.\n"
		"\ttarget t {\n"
		"\t\t# At a time.\n"
		"\t\t# Is between 1 and 64 jobs; the default is 1.\n"
		"\t\tjobs = 1\n"
		"\n"
		"\t\t# What is made.\n"
		"\t\t# Is a text of 1 to 64 bytes; must be set.\n"
		"\t\tfile = \"f\"\n"
		"\t}\n"
		"\n"
		"\t# A target.\n"
		"\ttarget u {\n";
	struct fixture one, two;
	char first[4000] = "", second[4000] = "";

	(void)state;
	start(&one);
	assert_int_equal(parse(&one, given), 0);
	FILE *out = fmemopen(first, sizeof(first), "w");

	config_print_file(out, &one.config);
	fclose(out);
	assert_non_null(strstr(first, part));
	assert_non_null(strstr(first, inside));
	start(&two);
	test_row(parse(&two, first) == 0, "%s\n%s", two.why.text, first);
	out = fmemopen(second, sizeof(second), "w");
	config_print_file(out, &two.config);
	fclose(out);
	assert_string_equal(second, first);
	assert_string_equal(two.sample.motto, one.sample.motto);
	config_release(&one.config);
	config_release(&two.config);
}

/* ---- files ---- */

static char folder[] = "/tmp/cupel-config-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type,
			struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static int remove_folder(void **state)
{
	(void)state;
	return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_to(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_to(name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void conf_d_is_read_in_the_order_of_its_names(void **state)
{
	struct fixture fixture;
	char want[200];

	(void)state;
	start(&fixture);
	put("main.conf", "main { workers = 1 name = main cache = 5K }\n");
	assert_int_equal(config_load(&fixture.config, path_to("main.conf"), NULL), 0);
	config_release(&fixture.config);

	assert_int_equal(mkdir(path_to("conf.d"), 0700), 0);
	put("conf.d/20.conf", "main { workers = 20 }\n");
	put("conf.d/10.conf", "main { workers = 10 name = ten }\n");
	put("conf.d/.30.conf", "nonsense");
	put("conf.d/30.conf.bak", "nonsense");
	put("conf.d/.conf", "nonsense");
	start(&fixture);
	assert_int_equal(config_load(&fixture.config, path_to("main.conf"), NULL), 0);
	assert_int_equal(fixture.sample.workers, 20);
	assert_string_equal(fixture.sample.name, "ten");
	assert_int_equal(fixture.sample.cache_bytes, 5120);
	config_release(&fixture.config);

	put("conf.d/15.conf", "\nmain { workers = 65 }\n");
	start(&fixture);
	assert_int_equal(config_load(&fixture.config, path_to("main.conf"), &fixture.why), -EINVAL);
	snprintf(want, sizeof(want), "%s/conf.d/15.conf:2: main.workers: "
		 "65 is not between -1 and 64 processes", folder);
	assert_string_equal(fixture.why.text, want);
	config_release(&fixture.config);
}

static void what_is_no_file_is_refused_by_path(void **state)
{
	struct fixture fixture;
	char want[200];

	(void)state;
	assert_int_equal(mkfifo(path_to("fifo"), 0600), 0);
	const struct {
		const char *name;
		int want;
		const char *says;
	} cases[] = {
		{ "nothing.conf", -ENOENT, "No such file or directory" },
		{ ".", -EINVAL, "not a regular file" },
		{ "fifo", -EINVAL, "not a regular file" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&fixture);
		int r = config_read(&fixture.config, path_to(cases[i].name), &fixture.why);

		snprintf(want, sizeof(want), "%s/%s: %s", folder, cases[i].name, cases[i].says);
		test_row(r == cases[i].want, "%s: got %d", cases[i].name, r);
		assert_string_equal(fixture.why.text, want);
		config_release(&fixture.config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_what_the_rows_say),
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(titled_sections_make_a_block_each),
		cmocka_unit_test(a_section_inside_has_blocks_in_each_outer_block),
		cmocka_unit_test(what_makes_no_sense_is_refused_by_line),
		cmocka_unit_test(a_list_is_measured_when_it_is_whole),
		cmocka_unit_test(a_later_file_has_the_last_word),
		cmocka_unit_test(a_failed_parse_leaves_no_trace_in_the_next),
		cmocka_unit_test(the_size_of_a_text_is_bounded),
		cmocka_unit_test(each_setting_knows_its_origin),
		cmocka_unit_test(the_printed_file_reads_back_as_the_same),
		cmocka_unit_test(conf_d_is_read_in_the_order_of_its_names),
		cmocka_unit_test(what_is_no_file_is_refused_by_path),
	};

	return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
