#include "common/config_store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "common/config_value.h"

void config_release(struct config *config)
{
	arena_release(&config->memory);
	config->sets = NULL;
}

/* base: the settings, or a block of the section this one is inside of. */
static struct config_blocks *blocks_in(void *base,
				       const struct config_section *section)
{
	return (void *)((char *)base + section->blocks_offset);
}

static void *block_at(const struct config_section *section,
		      const struct config_blocks *blocks, size_t index)
{
	return (char *)blocks->items + index * section->block_bytes;
}

/* A block begins with its title. */
static const char *title_of(const void *block)
{
	return *(const char *const *)block;
}

struct config_set *config_find_set(const struct config *config,
				   const void *member)
{
	struct config_set *set = config->sets;

	while (set && set->member != member)
		set = set->next;
	return set;
}

/* Who visits, and where the visit has come to. */
struct visit {
	const struct config *config;
	void (*visit)(void *, const struct config_entry *);
	void *context;
};

static void visit_rows(const struct visit *visit,
		       const struct config_section *section,
		       struct config_titles titles, const void *base)
{
	for (size_t i = 0; i < section->row_count; i++) {
		const struct config_row *row = &section->rows[i];
		const void *member = (const char *)base + row->offset;
		const struct config_set *set =
			config_find_set(visit->config, member);

		visit->visit(visit->context,
			     &(struct config_entry){ section, titles, row, member,
						     set ? set->file : NULL,
						     set ? set->line : 0 });
	}
}

/* The blocks of a section that lie in base, each with what is inside of it. */
static void visit_blocks(const struct visit *visit,
			 const struct config_section *section,
			 const char *outer, void *base)
{
	const struct config_blocks *blocks = blocks_in(base, section);
	const struct config *config = visit->config;

	for (size_t i = 0; i < blocks->count; i++) {
		void *block = block_at(section, blocks, i);
		const char *title = title_of(block);

		visit_rows(visit, section, (struct config_titles){ title, outer },
			   block);
		for (size_t j = 0; j < config->section_count; j++)
			if (config->sections[j].inside == section)
				visit_blocks(visit, &config->sections[j], title,
					     block);
	}
}

void config_key(const struct config_section *section,
		struct config_titles titles, const struct config_row *row,
		char ret[CONFIG_KEY_BYTES])
{
	int used = 0;

	if (titles.outer)
		used = snprintf(ret, CONFIG_KEY_BYTES, "%s.%s.",
				section->inside->name, titles.outer);
	snprintf(ret + used, CONFIG_KEY_BYTES - (size_t)used, "%s%s%s%s%s",
		 section->name, *section->name ? "." : "",
		 titles.own ? titles.own : "", titles.own ? "." : "", row->name);
}

void config_each(const struct config *config,
		 void (*visit)(void *context, const struct config_entry *entry),
		 void *context)
{
	const struct visit each = { config, visit, context };

	for (size_t i = 0; i < config->section_count; i++) {
		const struct config_section *section = &config->sections[i];

		if (section->block_bytes == 0)
			visit_rows(&each, section, (struct config_titles){ 0 },
				   config->settings);
		else if (!section->inside)
			visit_blocks(&each, section, NULL, config->settings);
	}
}

static int no_memory(struct error *why)
{
	return error_set(why, -ENOMEM, "out of memory");
}

static int set_string(struct config *config, const struct config_row *row,
		      const char **member, const char *text, struct error *why)
{
	int r = config_value_check_length(row, strlen(text), why);

	if (r < 0)
		return r;
	text = arena_text(&config->memory, "%s", text);
	if (!text)
		return no_memory(why);
	*member = text;
	return 0;
}

/* The items have room for as many as the row allows, lest they move. */
static int append_item(struct config *config, const struct config_row *row,
		       struct config_list *list, const char *text,
		       struct error *why)
{
	const char **items = (const char **)(uintptr_t)list->items;

	if (list->count == (size_t)row->most)
		return config_value_check_length(row, list->count + 1, why);
	if (!items)
		items = arena_alloc_array(&config->memory, (size_t)row->most,
					  sizeof(*items));
	text = arena_text(&config->memory, "%s", text);
	if (!items || !text)
		return no_memory(why);
	items[list->count++] = text;
	list->items = items;
	return 0;
}

int config_set_member(struct config *config, const struct config_row *row,
		      void *member, const char *text, struct error *why)
{
	if (row->type == CONFIG_STRING)
		return set_string(config, row, member, text, why);
	if (row->type != CONFIG_LIST)
		return config_value_parse(row, text, member, why);
	return append_item(config, row, member, text, why);
}

static int set_default(const struct config_row *row, void *member)
{
	const char *standard = row->standard;

	if (row->type == CONFIG_STRING)
		*(const char **)member = standard;
	if (row->type == CONFIG_LIST)
		*(struct config_list *)member = (struct config_list){ 0 };
	if (!standard)
		return 0;
	if (row->type == CONFIG_STRING || row->type == CONFIG_LIST)
		return config_value_check_length(row, strlen(standard), NULL);
	return config_value_parse(row, standard, member, NULL);
}

/* Defaults are literals of ours: one its own row refuses is a mistake. */
static void set_defaults(const struct config_section *section, void *base)
{
	for (size_t i = 0; i < section->row_count; i++) {
		const struct config_row *row = &section->rows[i];
		int r = set_default(row, (char *)base + row->offset);

		assert(r == 0);
		assert(row->standard || section->block_bytes > 0);
	}
}

void config_init(struct config *config, const struct config_section *sections,
		 size_t section_count, void *settings)
{
	*config = (struct config){ .sections = sections,
				   .section_count = section_count,
				   .settings = settings };
	arena_init(&config->memory, CONFIG_MEMORY_BYTES_MAX);
	for (size_t i = 0; i < section_count; i++) {
		if (sections[i].block_bytes == 0)
			set_defaults(&sections[i], settings);
		else if (!sections[i].inside)
			*blocks_in(settings, &sections[i]) =
				(struct config_blocks){ 0 };
	}
}

static bool is_title(const char *title)
{
	assert(title);
	size_t length = strlen(title);

	return length >= 1 && length <= CONFIG_TITLE_BYTES_MAX &&
	       strspn(title, CONFIG_TITLE_CHARACTERS) == length;
}

static int add_block(struct config *config, struct config_blocks *blocks,
		     const struct config_section *section, const char *title,
		     void **ret, struct error *why)
{
	if (!is_title(title))
		return error_set(why, -EINVAL,
				 "%s '%s': a title is 1 to %d letters, digits, "
				 "'.', '_' or '-'",
				 section->name, title, CONFIG_TITLE_BYTES_MAX);
	if (blocks->count == section->blocks_max)
		return error_set(why, -EINVAL, "%s '%s': one more than %zu",
				 section->name, title, section->blocks_max);
	if (!blocks->items)
		blocks->items = arena_alloc_array(&config->memory,
						  section->blocks_max,
						  section->block_bytes);
	title = arena_text(&config->memory, "%s", title);
	if (!blocks->items || !title)
		return no_memory(why);
	*ret = block_at(section, blocks, blocks->count++);
	*(const char **)*ret = title;
	set_defaults(section, *ret);
	return 0;
}

int config_find_base(struct config *config,
		     const struct config_section *section,
		     struct config_titles titles, void **ret,
		     struct error *why)
{
	void *base = config->settings;
	int r = 0;

	if (section->inside)
		r = config_find_base(config, section->inside,
				     (struct config_titles){ titles.outer, NULL },
				     &base, why);
	if (r < 0 || section->block_bytes == 0) {
		*ret = base;
		return r;
	}
	struct config_blocks *blocks = blocks_in(base, section);

	assert(titles.own);
	for (size_t i = 0; i < blocks->count; i++) {
		void *block = block_at(section, blocks, i);

		if (strcmp(title_of(block), titles.own) == 0) {
			*ret = block;
			return 0;
		}
	}
	return add_block(config, blocks, section, titles.own, ret, why);
}

int config_note_set(struct config *config, const void *member, const char *file,
		    unsigned line, struct error *why)
{
	struct config_set *set = config_find_set(config, member);

	if (!set) {
		set = arena_alloc(&config->memory, sizeof(*set));
		if (!set)
			return no_memory(why);
		set->next = config->sets;
		config->sets = set;
	}
	set->member = member;
	set->file = file;
	set->line = line;
	return 0;
}
