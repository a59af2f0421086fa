#include "common/arena.h"
#include "common/text.h"
#include "tests/support/test.h"
#include "workers/improve/knobs.h"

static const char conf[] =
	"knob level {\n"
	"  variable = CFLAGS\n"
	"  values = { \"-O1\", \"-O2\", \"-O3 -g\", \"it's\" }\n"
	"  current = \"-O2\"   # as the Makefile has it\n"
	"  unsafe = { \"-O3 -g\" }\n"
	"}\n"
	"knob block { kind = file least = 512 most = 65536 scale = log\n"
	"  file = src/io.h pattern = '#define BLOCK ([0-9]+)' }\n"
	"knob unroll { values = { no, yes } current = no when = \"level=-O1\" }\n"
	"improve { allow = relaxed }\n";
static const char header[] = "#define A 1\n#define BLOCK 4096\n#define C 2\n";

struct fixture {
	struct arena arena;
	struct config config;
	struct workspace_file file;
	struct knobs knobs;
	struct error why;
};

static int start(struct fixture *fixture, const char *text, const char *io)
{
	arena_init(&fixture->arena, 1 << 20);
	assert_int_equal(workspace_file_parse(&fixture->config, &fixture->file, "cupel.conf",
					      span_of_text(text), &fixture->why), 0);
	knobs_want(&fixture->knobs, &fixture->file);
	for (size_t i = 0; i < fixture->knobs.file_count; i++) {
		struct knob_file *file = &fixture->knobs.files[i];

		file->content = strcmp(file->path, WORKSPACE_FILE_NAME) == 0 ? text : io;
		file->sha256 = "00";
	}
	return knobs_init(&fixture->knobs, &fixture->why);
}

static json_t *files_of(struct fixture *fixture, const struct space_config *config,
			bool settled)
{
	json_t *ret = NULL;

	test_row(knobs_files(&fixture->knobs, config, settled, &fixture->arena, &ret,
			     &fixture->why) == 0, "%s", fixture->why.text);
	return ret;
}

static void stop(struct fixture *fixture)
{
	config_release(&fixture->config);
	arena_release(&fixture->arena);
}

static void a_space_is_made_of_what_is_there(void **state)
{
	struct fixture fixture;
	char value[KNOB_TEXT_BYTES];

	(void)state;
	test_row(start(&fixture, conf, header) == 0, "%s", fixture.why.text);
	const struct knobs *knobs = &fixture.knobs;

	assert_int_equal(knobs->file_count, 2);
	assert_int_equal(knobs->space.count, 3);
	assert_int_equal(knobs->parameters[0].current, 1);
	assert_false(space_permits(&knobs->space, 0, 2));
	assert_true(space_permits(&knobs->space, 0, 0));
	assert_int_equal(knobs->parameters[1].count, 8);
	knobs_value(knobs, 1, knobs->parameters[1].current, value);
	assert_string_equal(value, "4096");
	assert_true(knobs->parameters[2].has_parent);
	assert_int_equal(knobs->parameters[2].when, 1);
	stop(&fixture);
}

static void a_config_is_environment_files_and_words(void **state)
{
	struct fixture fixture;
	struct space_config config;
	char words[200];
	json_t *environment, *files, *settled;

	(void)state;
	assert_int_equal(start(&fixture, conf, header), 0);
	space_current(&fixture.knobs.space, &config);
	knobs_describe(&fixture.knobs, &config, words, sizeof(words));
	assert_string_equal(words, "nothing");
	files = files_of(&fixture, &config, true);
	assert_int_equal(json_array_size(files), 0);
	json_decref(files);
	config.levels[0] = 3;
	config.levels[1] = 7;
	environment = knobs_environment(&fixture.knobs, &config);
	assert_string_equal(json_string_value(json_object_get(environment, "CFLAGS")), "it's");
	assert_string_equal(json_string_value(json_object_get(environment, "unroll")), "no");
	files = files_of(&fixture, &config, false);
	assert_int_equal(json_array_size(files), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(files, 0), "content")),
			    "#define A 1\n#define BLOCK 65536\n#define C 2\n");
	settled = files_of(&fixture, &config, true);
	assert_int_equal(json_array_size(settled), 2);
	const char *text = json_string_value(json_object_get(json_array_get(settled, 1), "content"));

	assert_non_null(strstr(text, "  current = \"it's\"   # as the Makefile has it\n"));
	knobs_describe(&fixture.knobs, &config, words, sizeof(words));
	assert_string_equal(words, "level: -O2 to it's, block: 4096 to 65536");
	/* What was written is read back as that value. */
	struct fixture again;

	test_row(start(&again, text, header) == 0, "%s", again.why.text);
	assert_int_equal(again.knobs.parameters[0].current, 3);
	stop(&again);
	json_decref(environment);
	json_decref(files);
	json_decref(settled);
	stop(&fixture);
}

/* Two of them: one that nobody has set, and whose line is not where it begins. */
static void every_changed_variable_is_settled(void **state)
{
	static const char text[] = "knob a { values = { \"\", x } }\n"
				   "knob b { values = { \"--current = x\", y } current =\n"
				   "'--current = x' }\n";
	struct fixture fixture, again;
	struct space_config config;

	(void)state;
	test_row(start(&fixture, text, header) == 0, "%s", fixture.why.text);
	space_current(&fixture.knobs.space, &config);
	config.levels[0] = config.levels[1] = 1;
	json_t *files = files_of(&fixture, &config, true);
	const char *settled = json_string_value(json_object_get(json_array_get(files, 0), "content"));

	assert_int_equal(json_array_size(files), 1);
	test_row(start(&again, settled, header) == 0, "%s", again.why.text);
	assert_int_equal(again.knobs.parameters[0].current, 1);
	assert_int_equal(again.knobs.parameters[1].current, 1);
	stop(&again);
	json_decref(files);
	stop(&fixture);
}

/* What cannot be settled is no half of a change, but none. */
static void what_cannot_be_settled_is_refused(void **state)
{
	struct fixture fixture;
	struct space_config config;
	json_t *files = NULL;

	(void)state;
	assert_int_equal(start(&fixture, conf, header), 0);
	fixture.knobs.files[fixture.knobs.file_count - 1].content = "protect = { a }\n";
	space_current(&fixture.knobs.space, &config);
	config.levels[0] = 0;
	config.levels[1] = 7;
	assert_int_equal(knobs_files(&fixture.knobs, &config, true, &fixture.arena, &files,
				     &fixture.why), -EBUSY);
	assert_null(files);
	assert_non_null(strstr(fixture.why.text, "knob level: "));
	stop(&fixture);
}

static void a_change_that_breaks_cupel_conf_is_refused(void **state)
{
	static const char text[] = "knob r { kind = file file = cupel.conf pattern = 'rounds = ([0-9]+)'\n"
				   "values = { 40, 5000 } }\n"
				   "improve { rounds = 40 }\n";
	struct fixture fixture;
	struct space_config config;
	json_t *files = NULL;

	(void)state;
	test_row(start(&fixture, text, header) == 0, "%s", fixture.why.text);
	space_current(&fixture.knobs.space, &config);
	config.levels[0] = 1;
	assert_int_equal(knobs_files(&fixture.knobs, &config, true, &fixture.arena, &files,
				     &fixture.why), -EBUSY);
	assert_null(files);
	assert_non_null(strstr(fixture.why.text, "would not be read any more: cupel.conf:3: "));
	stop(&fixture);
}

/* In every buffer, what is cut is cut at a whole character. */
static void words_are_utf8_wherever_they_are_cut(void **state)
{
	static const char text[] = "knob k { values = { \"\", \"\303\244\303\266\342\202\254\\n\" } }\n";
	struct fixture fixture;
	struct space_config config;
	char words[64];

	(void)state;
	test_row(start(&fixture, text, header) == 0, "%s", fixture.why.text);
	space_current(&fixture.knobs.space, &config);
	config.levels[0] = 1;
	for (size_t size = 1; size <= sizeof(words); size++) {
		knobs_describe(&fixture.knobs, &config, words, size);
		test_row(text_is_utf8(span_of_text(words)) && strlen(words) < size, "%zu: %s",
			 size, words);
	}
	assert_string_equal(words, "k: (empty) to \303\244\303\266\342\202\254\\n");
	stop(&fixture);
}

static void without_knobs_there_is_nothing_to_tune(void **state)
{
	struct fixture fixture;
	struct space_config config;

	(void)state;
	assert_int_equal(start(&fixture, "protect = { tests }\n", header), 0);
	space_current(&fixture.knobs.space, &config);
	json_t *files = files_of(&fixture, &config, false);

	assert_int_equal(json_array_size(files), 0);
	assert_int_equal(knobs_check_any(&fixture.knobs, &fixture.why), -ENOENT);
	assert_non_null(strstr(fixture.why.text, "--mode observe"));
	json_decref(files);
	stop(&fixture);
}

static void what_does_not_fit_is_refused_with_the_way_out(void **state)
{
	static const struct {
		const char *name, *io, *why;
	} cases[] = {
		{ "no match", "#define A 1\n", "knob block: its pattern matches nothing in src/io.h; it must match exactly once" },
		{ "two matches", "#define BLOCK 1\n#define BLOCK 2\n", "knob block: its pattern matches more than once in src/io.h; it must match exactly once" },
		{ "out of the range", "#define BLOCK 256\n", "knob block: its present value '256' is not between 512 and 65536" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;

		assert_int_equal(start(&fixture, conf, cases[i].io), -EINVAL);
		test_row(strcmp(fixture.why.text, cases[i].why) == 0, "%s: \"%s\"",
			 cases[i].name, fixture.why.text);
		stop(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_space_is_made_of_what_is_there),
		cmocka_unit_test(a_config_is_environment_files_and_words),
		cmocka_unit_test(every_changed_variable_is_settled),
		cmocka_unit_test(what_cannot_be_settled_is_refused),
		cmocka_unit_test(a_change_that_breaks_cupel_conf_is_refused),
		cmocka_unit_test(words_are_utf8_wherever_they_are_cut),
		cmocka_unit_test(without_knobs_there_is_nothing_to_tune),
		cmocka_unit_test(what_does_not_fit_is_refused_with_the_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
