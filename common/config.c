#include "common/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/config_scan.h"
#include "common/config_store.h"
#include "common/config_value.h"
#include "common/text.h"

#define NAMES_MAX 256	/* that are compared with one nobody knows */
#define TITLED (CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

/*
 * The parse in progress: libconfuse hands its callbacks nothing of ours. Only
 * the first reason is kept; what libconfuse says after it is an echo.
 */
static struct {
	struct config *config;
	cfg_t *root;
	const char *file;
	struct error *why;
	int result;
} parse;

/* Keeps the first reason, behind its place in the file; returns -1. */
__attribute__((format(printf, 3, 4)))
static int refuse(int line, int result, const char *format, ...)
{
	char reason[ERROR_TEXT_BYTES], shown[ERROR_TEXT_BYTES];
	va_list arguments;

	if (parse.result < 0)
		return -1;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	text_escape(span_of_text(reason), shown, sizeof(shown));
	parse.result = error_set(parse.why, result, "%s:%d: %s", parse.file,
				 line, shown);
	return -1;
}

static const struct config_section *section_of(const cfg_t *cfg)
{
	const struct config *config = parse.config;
	const char *name = cfg == parse.root ? "" : cfg->name;

	for (size_t i = 0; i < config->section_count; i++)
		if (strcmp(config->sections[i].name, name) == 0)
			return &config->sections[i];
	return NULL;
}

/* libconfuse knows no way out of a block: the outer one is the last begun. */
static struct config_titles titles_of(const cfg_t *cfg,
				      const struct config_section *section)
{
	struct config_titles titles = { .own = cfg->title };

	if (section->inside) {
		cfg_opt_t *outer = cfg_getopt(parse.root, section->inside->name);

		titles.outer = cfg_opt_getnsec(outer, cfg_opt_size(outer) - 1)->title;
	}
	return titles;
}

/* The options of a section begin with its rows, in their order. */
static const struct config_row *row_of(const cfg_t *cfg, const cfg_opt_t *opt,
				       const struct config_section *section)
{
	for (size_t i = 0; section && i < section->row_count; i++)
		if (opt == &cfg->opts[i])
			return &section->rows[i];
	return NULL;
}

/* A file's first word on a member is the only one. */
static int begin_member(const cfg_t *cfg, const struct config_row *row,
			void *member, const char *key)
{
	const struct config_set *set = config_find_set(parse.config, member);
	struct error why;
	int r;

	if (set && set->file == parse.file)
		return refuse(cfg->line, -EINVAL,
			      "%s: set a second time, first on line %u", key,
			      set->line);
	r = config_note_set(parse.config, member, parse.file,
			    (unsigned)cfg->line, &why);
	if (r < 0)
		return refuse(cfg->line, r, "%s", why.text);
	if (row->type == CONFIG_LIST)
		*(struct config_list *)member = (struct config_list){ 0 };
	return 0;
}

/* Called for a scalar; for a list at its start and for every item. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct config_section *section = section_of(cfg);
	const struct config_row *row = row_of(cfg, opt, section);
	char key[CONFIG_KEY_BYTES];
	struct error why;
	void *base;
	int r;

	if (!row)
		return refuse(cfg->line, -EINVAL, "%s: set it in its own block",
			      opt->name);
	r = config_find_base(parse.config, section, titles_of(cfg, section), &base,
			     &why);
	if (r < 0)
		return refuse(cfg->line, r, "%s", why.text);
	void *member = (char *)base + row->offset;

	config_key(section, titles_of(cfg, section), row, key);
	if ((row->type != CONFIG_LIST || opt->nvalues == 1) &&
	    begin_member(cfg, row, member, key) < 0)
		return -1;
	if (strcmp(value, CONFIG_LIST_MARK) != 0)
		r = config_set_member(parse.config, row, member, value, &why);
	if (r < 0)
		return refuse(cfg->line, r, "%s: %s", key, why.text);
	*(const char **)result = value;
	return 0;
}

/* What can be judged only when all of a section has been read. */
static int check_rows(const struct config_section *section,
		      struct config_titles titles, int line)
{
	struct error why;
	void *base;
	int r = config_find_base(parse.config, section, titles, &base, &why);

	if (r < 0)
		return refuse(line, r, "%s", why.text);
	for (size_t i = 0; i < section->row_count; i++) {
		const struct config_row *row = &section->rows[i];
		const void *member = (char *)base + row->offset;
		const struct config_set *set =
			config_find_set(parse.config, member);
		const struct config_list *list = member;
		char key[CONFIG_KEY_BYTES];

		config_key(section, titles, row, key);
		if (!set && !row->standard)
			return refuse(line, -EINVAL, "%s: it must be set", key);
		if (set && row->type == CONFIG_LIST &&
		    config_value_check_length(row, list->count, &why) < 0)
			return refuse((int)set->line, -EINVAL, "%s: %s", key,
				      why.text);
	}
	return 0;
}

/* A section's block has ended; cfg is what it stands in. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const struct config_section *section = section_of(block);

	return check_rows(section, titles_of(block, section), cfg->line);
}

/* libconfuse names an option it does not know; we name the one meant. */
static void refuse_unknown(const cfg_t *cfg, const char *name)
{
	const char *known[NAMES_MAX + 1] = { NULL };

	for (size_t i = 0; i < NAMES_MAX && cfg->opts[i].name; i++)
		known[i] = cfg->opts[i].name;
	const char *meant = text_nearest(name, known);

	refuse(cfg->line, -EINVAL, "there is no '%s'%s%s%s%s%s", name,
	       cfg == parse.root ? "" : " in ",
	       cfg == parse.root ? "" : cfg->name,
	       meant ? "; did you mean '" : "", meant ? meant : "",
	       meant ? "'?" : "");
}

static void on_error(cfg_t *cfg, const char *format, va_list arguments)
{
	char reason[ERROR_TEXT_BYTES];

	if (strstr(format, "no such option")) {
		refuse_unknown(cfg, va_arg(arguments, const char *));
		return;
	}
	vsnprintf(reason, sizeof(reason), format, arguments);
	refuse(cfg->line, -EINVAL, "%s", reason);
}

/* ---- the tables as libconfuse wants them ---- */

static cfg_opt_t *add_rows(cfg_opt_t *opt, const struct config_section *section)
{
	for (size_t i = 0; i < section->row_count; i++) {
		const struct config_row *row = &section->rows[i];
		int flags = CFGF_NODEFAULT |
			    (row->type == CONFIG_LIST ? CFGF_LIST : 0);

		*opt++ = (cfg_opt_t)CFG_STR_CB(row->name, NULL, flags, on_value);
	}
	return opt;
}

/* How many named sections stand right inside of that one (NULL: of none). */
static size_t count_inside(const struct config *config,
			   const struct config_section *outer)
{
	size_t count = 0;

	for (size_t i = 0; i < config->section_count; i++)
		count += *config->sections[i].name &&
			 config->sections[i].inside == outer;
	return count;
}

/* Adds those sections; their own options go where *unused points. */
static void add_sections(const struct config *config,
			 const struct config_section *outer, cfg_opt_t *opt,
			 cfg_opt_t **unused)
{
	for (size_t i = 0; i < config->section_count; i++) {
		const struct config_section *section = &config->sections[i];
		cfg_opt_t *own = *unused;

		if (!*section->name || section->inside != outer)
			continue;
		*unused += section->row_count + count_inside(config, section) + 1;
		*opt = (cfg_opt_t)CFG_SEC(section->name, own,
					  section->block_bytes ? TITLED :
								 CFGF_NONE);
		opt++->validcb = on_section;
		add_sections(config, section, add_rows(own, section), unused);
	}
}

/*
 * One array for all: the rows outside of any section, the sections, and
 * behind them each section's own options; each part ends with a zeroed one.
 */
static cfg_opt_t *make_options(const struct config *config)
{
	const struct config_section *first = config->sections;
	size_t count = 1;

	for (size_t i = 0; i < config->section_count; i++)
		count += 2 + first[i].row_count;
	cfg_opt_t *options = calloc(count, sizeof(*options));
	cfg_opt_t *opt = options;

	if (!options)
		return NULL;
	if (config->section_count > 0 && !*first->name)
		opt = add_rows(opt, first);
	cfg_opt_t *unused = opt + count_inside(config, NULL) + 1;

	add_sections(config, NULL, opt, &unused);
	return options;
}

/* The copy is what config_scan() let pass. */
static int parse_copy(struct config *config, const char *file, const char *copy,
		      struct error *why)
{
	AUTO_FREE cfg_opt_t *options = make_options(config);
	cfg_t *cfg = options ? cfg_init(options, CFGF_NONE) : NULL;
	int r;

	if (!cfg)
		return error_set(why, -ENOMEM, "%s: out of memory", file);
	cfg_set_error_function(cfg, on_error);
	parse.config = config;
	parse.root = cfg;
	parse.file = file;
	parse.why = why;
	parse.result = 0;
	r = cfg_parse_buf(cfg, copy);
	if (r == CFG_SUCCESS && section_of(cfg))
		check_rows(section_of(cfg), (struct config_titles){ 0 }, cfg->line);
	cfg_free(cfg);
	if (r != CFG_SUCCESS && parse.result == 0)
		return error_set(why, -ENOMEM, "%s: out of memory", file);
	return parse.result;
}

int config_parse(struct config *config, const char *name, struct span text,
		 struct error *why)
{
	if (text.length > CONFIG_BYTES_MAX)
		return error_set(why, -EMSGSIZE, "%s: longer than %d bytes",
				 name, CONFIG_BYTES_MAX);
	AUTO_FREE char *copy = malloc(CONFIG_SCAN_BYTES(text.length));
	const char *file = arena_text(&config->memory, "%s", name);

	if (!copy || !file)
		return error_set(why, -ENOMEM, "%s: out of memory", name);
	int r = config_scan(name, text, copy, why);

	return r < 0 ? r : parse_copy(config, file, copy, why);
}
