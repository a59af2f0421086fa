/*
 * Any pattern against any path: no crash, no endless match, and what follows
 * from the meaning of ** holds. The input is the pattern, a NUL, the path.
 */
#include <assert.h>
#include <string.h>

#include "common/core/glob.h"
#include "common/core/glob_set.h"
#include "common/core/ignore.h"

#define TEXT_BYTES_MAX 600
#define MEMORY_BYTES (40 * TEXT_BYTES_MAX)
#define PLACES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool compile(struct glob *glob, uint8_t *memory, const char *before,
		    struct span pattern, const char *after)
{
	uint8_t text[TEXT_BYTES_MAX + 8];
	size_t first = strlen(before), last = strlen(after);

	memcpy(text, before, first);
	memcpy(text + first, pattern.data, pattern.length);
	memcpy(text + first + pattern.length, after, last);
	return glob_compile(glob,
			    (struct span){ text, first + pattern.length + last },
			    memory, MEMORY_BYTES) >= 0;
}

/* A pattern below any directory; a pattern and everything below it. */
static void check_depth(struct span pattern, struct span path)
{
	static uint8_t memory[3][MEMORY_BYTES];
	struct glob plain, deep, below;
	uint8_t longer[TEXT_BYTES_MAX + 8];

	if (pattern.length > 0 && pattern.data[pattern.length - 1] == '*')
		return;		/* with more after it, ** is another thing */
	if (!compile(&plain, memory[0], "", pattern, "") ||
	    !glob_match(&plain, path))
		return;
	assert(compile(&deep, memory[1], "**/", pattern, ""));
	assert(compile(&below, memory[2], "", pattern, "/**"));
	assert(glob_match(&deep, path));
	assert(!glob_match(&below, path) || memchr(path.data, '/', path.length));
	memcpy(longer, path.data, path.length);
	memcpy(longer + path.length, "/x/y", 4);
	assert(glob_match(&below, (struct span){ longer, path.length + 4 }));
	memcpy(longer, "x/y/", 4);
	memcpy(longer + 4, path.data, path.length);
	assert(glob_match(&deep, (struct span){ longer, path.length + 4 }));
}

/* A pattern without special bytes matches itself and nothing else. */
static void check_literal(struct span pattern, struct span path)
{
	static uint8_t memory[MEMORY_BYTES];
	struct glob glob;

	for (size_t i = 0; i < pattern.length; i++)
		if (strchr("*?[\\", pattern.data[i]))	/* or NUL */
			return;
	assert(compile(&glob, memory, "", pattern, ""));
	assert(glob_match(&glob, pattern));
	assert(glob_match(&glob, path) == span_equal(pattern, path));
}

static void check_set(struct span pattern, struct span path)
{
	static uint8_t memory[MEMORY_BYTES];
	struct glob places[PLACES];
	struct glob_set set;

	glob_set_init(&set, places, PLACES, memory, sizeof(memory));
	int r = glob_set_add(&set, pattern);
	assert(r < 0 ? set.count == 0 : set.count == (size_t)r);
	glob_set_match(&set, path);
}

static bool is_clean(struct span path)
{
	bool after_slash = true;

	for (size_t i = 0; i < path.length; i++) {
		if (path.data[i] == '/' && after_slash)
			return false;
		after_slash = path.data[i] == '/';
	}
	return !after_slash;
}

/* The first file says anything; the last word includes or excludes all. */
static void check_ignore(struct span content, struct span path)
{
	static uint8_t memory[MEMORY_BYTES];
	struct ignore_file files[2];
	struct ignore_rule rules[64];
	struct ignore ignore = {
		.files = files, .file_capacity = 2,
		.rules = rules, .rule_capacity = 64,
		.memory = memory, .memory_bytes = sizeof(memory),
	};
	struct span root = { NULL, 0 };

	ignore_init(&ignore);
	if (!is_clean(path) || ignore_push_file(&ignore, root, content) < 0)
		return;
	bool entry = ignore_excludes_entry(&ignore, path, true);
	assert(!entry || ignore_excludes_path(&ignore, path, true));
	if (ignore_push_file(&ignore, root, span_of_text("!**")) < 0)
		return;
	assert(!ignore_excludes_path(&ignore, path, true));
	ignore_pop_file(&ignore);
	assert(ignore_excludes_entry(&ignore, path, true) == entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;

	if (!nul || size > TEXT_BYTES_MAX)
		return 0;
	struct span pattern = { data, (size_t)(nul - data) };
	struct span path = span_skip((struct span){ data, size },
				     pattern.length + 1);

	check_literal(pattern, path);
	check_depth(pattern, path);
	check_set(pattern, path);
	check_ignore(pattern, path);
	return 0;
}
