#include "common/core/ignore.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define ANY_DEPTH "**/"

void ignore_init(struct ignore *ignore)
{
	ignore->file_count = 0;
	ignore->rule_count = 0;
	ignore->memory_used = 0;
}

static bool starts_with(struct span text, const char *start)
{
	size_t length = strlen(start);

	return text.length >= length &&
	       memcmp(text.data, start, length) == 0;
}

/* Takes the next line, without its end, out of *text. */
static struct span next_line(struct span *text)
{
	const uint8_t *end = memchr(text->data, '\n', text->length);
	struct span line = *text;

	if (end)
		line.length = (size_t)(end - line.data);
	*text = span_skip(*text, line.length + (end != NULL));
	if (line.length > 0 && line.data[line.length - 1] == '\r')
		line.length--;
	return line;
}

/* Spaces at the end go, unless a backslash protects them. */
static struct span trim(struct span line)
{
	size_t kept = 0;

	for (size_t i = 0; i < line.length; i++) {
		if (line.data[i] == ' ')
			continue;
		if (line.data[i] == '\\')
			i++;
		kept = i < line.length ? i + 1 : line.length;
	}
	line.length = kept;
	return line;
}

/*
 * Fills rule from a line that is neither empty nor a comment. Returns the
 * memory used, -ENOSPC, or another error if nothing can match the line.
 */
static int compile_rule(struct ignore_rule *rule, struct span line,
			uint8_t *memory, size_t memory_bytes)
{
	uint8_t text[sizeof(ANY_DEPTH) - 1 + GLOB_PATTERN_BYTES_MAX];
	size_t depth_bytes = 0;

	rule->includes = starts_with(line, "!");
	line = span_skip(line, rule->includes);
	rule->directories_only =
		line.length > 0 && line.data[line.length - 1] == '/';
	line.length -= rule->directories_only;
	if (line.length == 0)
		return -EINVAL;
	if (line.length > GLOB_PATTERN_BYTES_MAX)
		return -ENAMETOOLONG;
	if (!memchr(line.data, '/', line.length)) {
		depth_bytes = sizeof(ANY_DEPTH) - 1;
		memcpy(text, ANY_DEPTH, depth_bytes);
	}
	line = span_skip(line, starts_with(line, "/"));
	memcpy(text + depth_bytes, line.data, line.length);
	return glob_compile(&rule->glob,
			    (struct span){ text, depth_bytes + line.length },
			    memory, memory_bytes);
}

static int add_rule(struct ignore *ignore, struct span line)
{
	struct ignore_rule rule;
	int r = compile_rule(&rule, line, ignore->memory + ignore->memory_used,
			     ignore->memory_bytes - ignore->memory_used);

	if (r == -EINVAL || r == -ENAMETOOLONG)
		return 0;
	if (r < 0 || ignore->rule_count == ignore->rule_capacity)
		return -ENOSPC;
	ignore->memory_used += (size_t)r;
	ignore->rules[ignore->rule_count++] = rule;
	return 0;
}

static int add_file(struct ignore *ignore, struct span directory)
{
	uint8_t *kept = ignore->memory + ignore->memory_used;

	if (ignore->file_count == ignore->file_capacity ||
	    directory.length > ignore->memory_bytes - ignore->memory_used)
		return -ENOSPC;
	if (directory.length > 0)
		memcpy(kept, directory.data, directory.length);
	ignore->files[ignore->file_count++] = (struct ignore_file){
		.directory = { kept, directory.length },
		.rule_first = ignore->rule_count,
		.memory_first = ignore->memory_used,
	};
	ignore->memory_used += directory.length;
	return 0;
}

int ignore_push_file(struct ignore *ignore, struct span directory,
		     struct span content)
{
	size_t before = ignore->rule_count;
	int r = add_file(ignore, directory);

	if (r < 0)
		return r;
	if (starts_with(content, BYTE_ORDER_MARK))
		content = span_skip(content, sizeof(BYTE_ORDER_MARK) - 1);
	while (content.length > 0) {
		struct span line = trim(next_line(&content));

		if (line.length == 0 || line.data[0] == '#')
			continue;
		r = add_rule(ignore, line);
		if (r < 0) {
			ignore_pop_file(ignore);
			return r;
		}
	}
	return (int)(ignore->rule_count - before);
}

void ignore_pop_file(struct ignore *ignore)
{
	assert(ignore->file_count > 0);
	const struct ignore_file *file = &ignore->files[--ignore->file_count];

	ignore->rule_count = file->rule_first;
	ignore->memory_used = file->memory_first;
}

/* Whether path lies below directory; if so *ret is the path from there. */
static bool path_below(struct span path, struct span directory,
		       struct span *ret)
{
	if (directory.length > 0) {
		if (path.length <= directory.length ||
		    path.data[directory.length] != '/' ||
		    memcmp(path.data, directory.data, directory.length) != 0)
			return false;
		path = span_skip(path, directory.length + 1);
	}
	*ret = path;
	return true;
}

/* The last rule of first .. end - 1 that matches, or NULL. */
static const struct ignore_rule *last_match(const struct ignore_rule *first,
					    const struct ignore_rule *end,
					    struct span path,
					    bool is_directory)
{
	while (end > first) {
		end--;
		if (end->directories_only && !is_directory)
			continue;
		if (glob_match(&end->glob, path))
			return end;
	}
	return NULL;
}

bool ignore_excludes_entry(const struct ignore *ignore, struct span path,
			   bool is_directory)
{
	const struct ignore_rule *end = ignore->rules + ignore->rule_count;

	for (size_t i = ignore->file_count; i-- > 0;) {
		const struct ignore_file *file = &ignore->files[i];
		const struct ignore_rule *first =
			ignore->rules + file->rule_first, *rule = NULL;
		struct span below;

		if (path_below(path, file->directory, &below))
			rule = last_match(first, end, below, is_directory);
		if (rule)
			return !rule->includes;
		end = first;
	}
	return false;
}

bool ignore_excludes_path(const struct ignore *ignore, struct span path,
			  bool is_directory)
{
	for (size_t i = 0; i < path.length; i++)
		if (path.data[i] == '/' &&
		    ignore_excludes_entry(ignore, (struct span){ path.data, i },
					  true))
			return true;
	return ignore_excludes_entry(ignore, path, is_directory);
}
