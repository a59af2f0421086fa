#include "common/core/glob.h"

#include <errno.h>
#include <string.h>

/*
 * A program's bytes stand for themselves, except that NUL, which no path
 * contains, introduces an operator; OP_SET is followed by its bits.
 */
enum op {
	OP_ANY = 1,	/* one byte, not a slash */
	OP_SET,		/* one byte of the set */
	OP_STAR,	/* any bytes but slashes */
	OP_DIRECTORIES,	/* any number of "name/" */
	OP_SOMETHING	/* one byte or more, to the end */
};

#define SET_BYTES 32
#define OPERATOR_BYTES 2

struct compiler {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	uint8_t *code;
	size_t used;		/* counts on past capacity, unwritten */
	size_t capacity;
};

static void set_add_range(uint8_t *set, unsigned first, unsigned last)
{
	for (unsigned byte = first; byte <= last; byte++)
		set[byte / 8] |= (uint8_t)(1u << byte % 8);
}

static bool set_has(const uint8_t *set, uint8_t byte)
{
	return set[byte / 8] >> byte % 8 & 1;
}

/* Pairs of first and last byte, as in the POSIX locale. */
static const struct {
	const char *name;
	const char *ranges;
} classes[] = {
	{ "alnum", "09AZaz" },
	{ "alpha", "AZaz" },
	{ "blank", "  \t\t" },
	{ "cntrl", "\001\037\177\177" },
	{ "digit", "09" },
	{ "graph", "!~" },
	{ "lower", "az" },
	{ "print", " ~" },
	{ "punct", "!/:@[`{~" },
	{ "space", "  \t\r" },
	{ "upper", "AZ" },
	{ "xdigit", "09AFaf" },
};

#define CLASS_COUNT (sizeof(classes) / sizeof(classes[0]))

static bool set_add_class(uint8_t *set, struct span name)
{
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		if (!span_equal(name, span_of_text(classes[i].name)))
			continue;
		for (const char *r = classes[i].ranges; *r; r += 2)
			set_add_range(set, (uint8_t)r[0], (uint8_t)r[1]);
		return true;
	}
	return false;
}

/*
 * The name in "[:name:]" at text, or one with NULL data if what stands there
 * is just a bracket and a colon.
 */
static struct span class_name(const uint8_t *text, const uint8_t *end)
{
	if (end - text < 4 || text[0] != '[' || text[1] != ':')
		return (struct span){ NULL, 0 };
	const uint8_t *close = memchr(text + 2, ']', (size_t)(end - text - 2));

	if (!close || close == text + 2 || close[-1] != ':')
		return (struct span){ NULL, 0 };
	return (struct span){ text + 2, (size_t)(close - text - 3) };
}

/*
 * Reads the members of a set up to its closing bracket, which as the first
 * member stands for itself. Returns what follows it, or NULL if malformed.
 */
static const uint8_t *read_members(const uint8_t *at, const uint8_t *end,
				   uint8_t *set)
{
	const uint8_t *first = at;
	int previous = -1;	/* may begin a range */

	for (; at < end && (*at != ']' || at == first); at++) {
		struct span name = class_name(at, end);
		bool range = *at == '-' && previous >= 0 && end - at > 1 &&
			     at[1] != ']';

		if (name.data && !range) {
			if (!set_add_class(set, name))
				return NULL;
			at = name.data + name.length + 1;
			previous = -1;
			continue;
		}
		if (range)
			at++;
		if (*at == '\\' && ++at == end)
			return NULL;
		set_add_range(set, range ? (unsigned)previous : *at, *at);
		previous = range ? -1 : *at;
	}
	return at < end ? at + 1 : NULL;
}

/*
 * Reads the set whose opening bracket is at text[0]. Returns what follows its
 * closing bracket, or NULL if it is malformed.
 */
static const uint8_t *read_set(const uint8_t *text, const uint8_t *end,
			       uint8_t *set)
{
	const uint8_t *at = text + 1;
	bool negated = at < end && (*at == '!' || *at == '^');

	memset(set, 0, SET_BYTES);
	at = read_members(at + negated, end, set);
	for (size_t i = 0; negated && i < SET_BYTES; i++)
		set[i] = (uint8_t)~set[i];
	set['/' / 8] &= (uint8_t)~(1u << '/' % 8);
	return at;
}

const uint8_t *glob_unit_end(const uint8_t *at, const uint8_t *end)
{
	uint8_t unused[SET_BYTES];

	if (*at == '[')
		return read_set(at, end, unused);
	if (*at == '\\')
		return end - at > 1 ? at + 2 : NULL;
	return at + 1;
}

static void emit(struct compiler *compiler, const void *bytes, size_t count)
{
	if (count <= compiler->capacity &&
	    compiler->used <= compiler->capacity - count)
		memcpy(compiler->code + compiler->used, bytes, count);
	compiler->used += count;
}

static void emit_operator(struct compiler *compiler, enum op op)
{
	emit(compiler, (uint8_t[OPERATOR_BYTES]){ 0, (uint8_t)op },
	     OPERATOR_BYTES);
}

static void compile_stars(struct compiler *compiler)
{
	const uint8_t *start = compiler->at, *end = compiler->end;
	const uint8_t *after = start;

	while (after < end && *after == '*')
		after++;
	bool component = after - start > 1 &&
			 (start == compiler->start || start[-1] == '/') &&
			 (after == end || *after == '/');

	compiler->at = after + (component && after < end);
	emit_operator(compiler, !component ? OP_STAR :
				after < end ? OP_DIRECTORIES : OP_SOMETHING);
}

static int compile_set(struct compiler *compiler)
{
	uint8_t set[SET_BYTES];

	compiler->at = read_set(compiler->at, compiler->end, set);
	if (!compiler->at)
		return -EINVAL;
	emit_operator(compiler, OP_SET);
	emit(compiler, set, SET_BYTES);
	return 0;
}

static int compile_next(struct compiler *compiler)
{
	switch (*compiler->at) {
	case '*':
		compile_stars(compiler);
		return 0;
	case '[':
		return compile_set(compiler);
	case '?':
		emit_operator(compiler, OP_ANY);
		compiler->at++;
		return 0;
	case '\\':
		if (++compiler->at == compiler->end)
			return -EINVAL;
		break;
	}
	emit(compiler, compiler->at++, 1);
	return 0;
}

static enum glob_middle classify(const uint8_t *program, size_t length)
{
	static const struct {
		size_t length;
		uint8_t ops[2 * OPERATOR_BYTES];
		enum glob_middle middle;
	} shapes[] = {
		{ 0, { 0 }, GLOB_NOTHING },
		{ 2, { 0, OP_STAR }, GLOB_NAME },
		{ 2, { 0, OP_DIRECTORIES }, GLOB_DIRECTORIES },
		{ 4, { 0, OP_DIRECTORIES, 0, OP_STAR }, GLOB_ANYTHING },
		{ 2, { 0, OP_SOMETHING }, GLOB_SOMETHING },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (length == shapes[i].length &&
		    memcmp(program, shapes[i].ops, length) == 0)
			return shapes[i].middle;
	return GLOB_PROGRAM;
}

/* Finds the literal bytes before the first operator and after the last. */
static void split(struct glob *glob, const uint8_t *code, size_t length)
{
	size_t prefix = length, suffix_at = length;

	for (size_t i = 0; i < length; i++) {
		if (code[i])
			continue;
		if (prefix == length)
			prefix = i;
		i += code[i + 1] == OP_SET ? OPERATOR_BYTES + SET_BYTES - 1 :
					     OPERATOR_BYTES - 1;
		suffix_at = i + 1;
	}
	glob->code = code;
	glob->prefix_length = (uint32_t)prefix;
	glob->program_length = (uint32_t)(suffix_at - prefix);
	glob->suffix_length = (uint32_t)(length - suffix_at);
	glob->middle = classify(code + prefix, suffix_at - prefix);
}

int glob_compile(struct glob *glob, struct span pattern, uint8_t *memory,
		 size_t memory_bytes)
{
	struct compiler compiler = {
		.start = pattern.data,
		.at = pattern.data,
		.end = span_skip(pattern, pattern.length).data,
		.code = memory,
		.capacity = memory_bytes,
	};

	if (pattern.length > GLOB_PATTERN_BYTES_MAX)
		return -ENAMETOOLONG;
	if (pattern.length && memchr(pattern.data, 0, pattern.length))
		return -EINVAL;
	while (compiler.at < compiler.end) {
		int r = compile_next(&compiler);

		if (r < 0)
			return r;
	}
	if (compiler.used > memory_bytes)
		return -ENOSPC;
	split(glob, memory, compiler.used);
	return (int)compiler.used;
}

/* The bytes of the instruction at p if it takes this byte, otherwise 0. */
static size_t take(const uint8_t *p, uint8_t byte)
{
	if (*p)
		return *p == byte;
	if (p[1] == OP_ANY)
		return byte == '/' ? 0 : OPERATOR_BYTES;
	if (!set_has(p + OPERATOR_BYTES, byte))
		return 0;
	return OPERATOR_BYTES + SET_BYTES;
}

static bool run(const uint8_t *p, const uint8_t *p_end, struct span path)
{
	const uint8_t *text = path.data;
	const uint8_t *end = span_skip(path, path.length).data;
	struct {
		const uint8_t *p;	/* NULL: no way back */
		const uint8_t *text;
	} star = { NULL, NULL }, directories = { NULL, NULL };

	while (p < p_end || text < end) {
		enum op op = p < p_end && !*p ? p[1] : 0;
		size_t taken;

		if (op == OP_SOMETHING)
			return text < end;
		if (op == OP_STAR) {
			p += OPERATOR_BYTES;
			star.p = p;
			star.text = text;
		} else if (op == OP_DIRECTORIES) {
			p += OPERATOR_BYTES;
			directories.p = p;
			directories.text = text;
			star.p = NULL;
		} else if (p < p_end && text < end &&
			   (taken = take(p, *text))) {
			text++;
			p += taken;
		} else if (star.p && star.text < end && *star.text != '/') {
			p = star.p;
			text = ++star.text;
		} else if (directories.p && directories.text < end &&
			   (text = memchr(directories.text, '/',
					  (size_t)(end - directories.text)))) {
			p = directories.p;
			directories.text = ++text;
			star.p = NULL;
		} else {
			return false;
		}
	}
	return true;
}

static bool match_middle(const struct glob *glob, struct span text)
{
	const uint8_t *program = glob->code + glob->prefix_length;

	switch (glob->middle) {
	case GLOB_NOTHING:
		return text.length == 0;
	case GLOB_NAME:
		return text.length == 0 || !memchr(text.data, '/', text.length);
	case GLOB_DIRECTORIES:
		return text.length == 0 || text.data[text.length - 1] == '/';
	case GLOB_ANYTHING:
		return true;
	case GLOB_SOMETHING:
		return text.length > 0;
	case GLOB_PROGRAM:
		break;
	}
	return run(program, program + glob->program_length, text);
}

bool glob_match(const struct glob *glob, struct span path)
{
	size_t prefix = glob->prefix_length, suffix = glob->suffix_length;

	if (path.length < prefix + suffix)
		return false;
	struct span middle = span_skip(path, prefix);

	middle.length -= suffix;

	const uint8_t *tail = span_skip(middle, middle.length).data;
	const uint8_t *want = glob->code + prefix + glob->program_length;

	/* One byte decides most pairs without the cost of a call. */
	if (suffix && (tail[suffix - 1] != want[suffix - 1] ||
		       memcmp(tail, want, suffix) != 0))
		return false;
	if (prefix && (path.data[0] != glob->code[0] ||
		       memcmp(path.data, glob->code, prefix) != 0))
		return false;
	return match_middle(glob, middle);
}
