/*
 * cupel config: settings looked at from every side.
 */
#include <limits.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/config_print.h"
#include "common/config_value.h"
#include "common/settings.h"
#include "common/text.h"
#include "supervisor/cli/cli.h"

static int load(struct config *config, struct settings *settings,
		const char *path)
{
	struct error why;

	if (settings_load(config, settings, path, &why) == 0)
		return EXIT_OK;
	fprintf(stderr, "%s\n", why.text);
	return EXIT_CONFIG;
}

/* All files are checked, also behind a bad one. */
static int check(const struct verb *verb, int argc, char **argv)
{
	int worst = EXIT_OK;

	if (argc < 2)
		return cli_refuse_usage(verb);
	for (int i = 1; i < argc; i++) {
		struct settings settings;
		struct config config;
		int code = load(&config, &settings, argv[i]);

		config_release(&config);
		if (code != EXIT_OK)
			worst = code;
	}
	return worst;
}

/* ---- dump ---- */

#define ORIGIN_BYTES (PATH_MAX + 16)

/* A path is any bytes; what is printed is text. */
static void format_origin(const struct config_entry *entry,
			  char ret[ORIGIN_BYTES])
{
	char file[PATH_MAX];

	text_escape(span_of_text(entry->file ? entry->file : ""), file,
		    sizeof(file));
	if (entry->file)
		snprintf(ret, ORIGIN_BYTES, "%s:%u", file, entry->line);
	else
		snprintf(ret, ORIGIN_BYTES, "default");
}

static void print_entry(void *context, const struct config_entry *entry)
{
	char key[CONFIG_KEY_BYTES], origin[ORIGIN_BYTES];

	(void)context;
	config_key(entry->section, entry->titles, entry->row, key);
	format_origin(entry, origin);
	printf("%s = ", key);
	config_value_print(stdout, entry->row, entry->member);
	printf("\t# %s\n", origin);
}

static json_t *list_as_json(const struct config_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

static json_t *value_as_json(const struct config_entry *entry)
{
	const struct config_row *row = entry->row;
	const void *member = entry->member;

	switch (row->type) {
	case CONFIG_BOOL:
		return json_boolean(*(const bool *)member);
	case CONFIG_ENUM:
		return json_string(row->choices[*(const unsigned *)member]);
	case CONFIG_STRING:
		return json_string(*(const char *const *)member);
	case CONFIG_LIST:
		return list_as_json(member);
	case CONFIG_REAL:
		return isnan(*(const double *)member) ?
			       json_null() : json_real(*(const double *)member);
	case CONFIG_INT:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_TYPE_COUNT:
		break;
	}
	return json_integer(*(const int64_t *)member);
}

static const char *unit_of(const struct config_row *row)
{
	if (row->type == CONFIG_SIZE)
		return "bytes";
	return row->type == CONFIG_DURATION ? "ns" : row->unit;
}

/* The object of that name within another, made if need be; "" is the other. */
static json_t *object_in(json_t *object, const char *name)
{
	if (!name || !*name)
		return object;
	if (!json_object_get(object, name))
		json_object_set_new(object, name, json_object());
	return json_object_get(object, name);
}

static void add_entry(void *context, const struct config_entry *entry)
{
	const struct config_section *outer = entry->section->inside;
	json_t *object = object_in(context, outer ? outer->name : NULL);
	char origin[ORIGIN_BYTES];

	object = object_in(object, entry->titles.outer);
	object = object_in(object, entry->section->name);
	object = object_in(object, entry->titles.own);
	format_origin(entry, origin);
	json_object_set_new(object, entry->row->name,
			    json_pack("{s:o, s:s*, s:s}", "value",
				      value_as_json(entry), "unit",
				      unit_of(entry->row), "origin", origin));
}

static int dump_json(const struct config *config)
{
	json_t *settings = json_object();

	config_each(config, add_entry, settings);
	return cli_print_json(json_pack("{s:i, s:o}", "schema_version", 1,
					"settings", settings));
}

static int dump(const struct verb *verb, int argc, char **argv)
{
	struct settings settings;
	struct config config;
	bool as_json = false;
	int first, code;

	if (!cli_take_json(verb, argc, argv, &as_json, &first))
		return EXIT_USAGE;
	if (first + 1 < argc)
		return cli_refuse_usage(verb);
	code = load(&config, &settings, first < argc ? argv[first] : NULL);
	if (code == EXIT_OK && as_json)
		code = dump_json(&config);
	else if (code == EXIT_OK)
		config_each(&config, print_entry, NULL);
	config_release(&config);
	return code;
}

/* ---- what the rows say ---- */

static int print_default(const struct verb *verb, int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return cli_refuse_usage(verb);
	settings_print_default(stdout);
	return EXIT_OK;
}

static int print_manual(const struct verb *verb, int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return cli_refuse_usage(verb);
	config_print_manual(stdout, settings_sections, settings_section_count);
	return EXIT_OK;
}

static const struct verb verbs[] = {
	{ "check", "config check FILE...",
	  "say whether files make sense, or where they do not", check, NULL },
	{ "default", "config default",
	  "print every setting at its default, as a file", print_default,
	  NULL },
	{ "dump", "config dump [--json] [FILE]",
	  "print the settings in force and where each comes from", dump, NULL },
	{ "man", "config man", "print the list of settings in cupel.conf(5)",
	  print_manual, NULL },
};

static const struct verb_table table = { "cupel config", verbs, COUNT(verbs) };

int cli_config(const struct verb *verb, int argc, char **argv)
{
	(void)verb;
	return cli_run(&table, argc, argv);
}

void cli_config_explain(FILE *out)
{
	fputc('\n', out);
	cli_print_verbs(out, &table);
	fputs("\nThe settings:\n", out);
	config_print_help(out, settings_sections, settings_section_count);
}
