#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_print.h"
#include "common/logfile.h"
#include "common/settings.h"

/* The whole of a file, for the caller to free. */
static char *contents(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file || getdelim(&text, &size, '\0', file) < 0)
		fail_msg("%s cannot be read: run this from the top folder", path);
	fclose(file);
	return text;
}

static void print_manual(FILE *out)
{
	config_print_manual(out, settings_sections, settings_section_count);
}

static char *printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	print(out);
	fclose(out);
	return text;
}

static void the_file_in_etc_is_what_the_rows_print(void **state)
{
	AUTO_FREE char *file = contents("etc/cupel.conf");
	AUTO_FREE char *want = printed(settings_print_default);

	(void)state;
	assert_string_equal(file, want);
}

static void the_manual_lists_what_the_rows_print(void **state)
{
	static const char begin[] = ".\\\" settings: printed by cupel config man\n";
	AUTO_FREE char *page = contents("etc/man/cupel.conf.5");
	AUTO_FREE char *want = printed(print_manual);
	char *list = strstr(page, begin);

	(void)state;
	assert_non_null(list);
	list += strlen(begin);
	char *end = strstr(list, ".\\\" settings end\n");

	assert_non_null(end);
	*end = '\0';
	assert_string_equal(list, want);
}

static void check_origin(void *context, const struct config_entry *entry)
{
	(void)context;
	test_row(entry->file, "%s is not in the file", entry->row->name);
}

static void the_file_in_etc_sets_everything_to_its_default(void **state)
{
	struct settings settings;
	struct config config;
	struct error why;

	(void)state;
	int r = settings_load(&config, &settings, "etc/cupel.conf", &why);

	test_row(r == 0, "%s", why.text);
	config_each(&config, check_origin, NULL);
	assert_string_equal(settings.log.dir, "");
	config_release(&config);
}

static void the_log_has_the_same_defaults_by_itself(void **state)
{
	const struct logfile_settings *want = &logfile_defaults;
	struct settings settings;
	struct config config;

	(void)state;
	config_init(&config, settings_sections, settings_section_count, &settings);
	assert_int_equal(settings.log.file_bytes, want->file_bytes_max);
	assert_int_equal(settings.log.backups, want->backups_count);
	assert_int_equal(settings.log.repeats, want->repeats_max);
	assert_int_equal(settings.log.repeat_window_ns, want->repeat_window_ns);
	assert_int_equal(settings.log.free_bytes, want->free_bytes_min);
	assert_int_equal(settings.log.level, LEVEL_INFO);
	for (int level = 0; level < LEVEL_COUNT; level++) {
		char text[40];

		snprintf(text, sizeof(text), "log { level = %s }",
			 log_level_name((enum log_level)level));
		config_init(&config, settings_sections, settings_section_count, &settings);
		assert_int_equal(config_parse(&config, "f", span_of_text(text), NULL), 0);
		assert_int_equal(settings.log.level, level);
		config_release(&config);
	}
}

/* What the monitor writes for a worker, that worker understands. */
static void a_section_is_a_workers_arguments(void **state)
{
	char text[SETTINGS_ARGUMENTS_MAX][SETTINGS_ARGUMENT_BYTES];
	char *argv[] = { (char[]){ "store" }, text[0], text[1], text[2] };
	struct settings settings, got;
	struct config config;
	struct error why;

	(void)state;
	config_init(&config, settings_sections, settings_section_count, &settings);
	assert_int_equal(config_parse(&config, "f", span_of_text("store { raw = 90m events = 1d }"),
				      NULL), 0);
	assert_int_equal(settings_arguments(&settings, "store", text), 3);
	assert_string_equal(text[0], "raw=90m");
	assert_int_equal(settings_take(&got, "store", 4, argv, &why), 0);
	assert_memory_equal(&got.store, &settings.store, sizeof(got.store));
	assert_int_equal(settings_take(&got, "store", 1, argv, &why), 0);
	assert_int_equal(got.store.raw_ns, INT64_C(7) * 86400 * 1000000000);
	assert_int_equal(settings_arguments(&settings, "echo", text), 0);
	assert_int_equal(settings_arguments(&settings, "log", text), 5);	/* no dir, no level */
	assert_string_equal(text[0], "file_size=10M");
	assert_int_equal(settings_arguments(&settings, "supervisor", text), 1);
	snprintf(text[0], sizeof(text[0]), "raw=1s");
	assert_int_equal(settings_take(&got, "store", 2, argv, &why), -EINVAL);
	assert_string_equal(why.text, "1s is not between 1h and 36500d");
	snprintf(text[0], sizeof(text[0]), "row=1d");
	assert_int_equal(settings_take(&got, "store", 2, argv, &why), -EINVAL);
	assert_string_equal(why.text, "row=1d is no setting of store");
	config_release(&config);
}

/* The help is a sentence that a comment, a terminal and mdoc(7) can take. */
static void every_row_has_help_that_can_be_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_section_count; i++) {
		const struct config_section *section = &settings_sections[i];

		for (size_t j = 0; j < section->row_count; j++) {
			const char *help = section->rows[j].help;

			test_row(help[strlen(help) - 1] == '.' && !strpbrk(help, "\n\\\"") &&
				 *help >= 'A' && *help <= 'Z',
				 "%s: %s", section->rows[j].name, help);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_in_etc_is_what_the_rows_print),
		cmocka_unit_test(the_manual_lists_what_the_rows_print),
		cmocka_unit_test(the_file_in_etc_sets_everything_to_its_default),
		cmocka_unit_test(the_log_has_the_same_defaults_by_itself),
		cmocka_unit_test(a_section_is_a_workers_arguments),
		cmocka_unit_test(every_row_has_help_that_can_be_printed),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
