#include "sandbox/changes_diff.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/changes_file.h"
#include "sandbox/path.h"
#include "sandbox/tree.h"

#define FILE_BYTES_MAX (256 << 10)
#define EDITS_MAX 1000
#define CONTEXT 3
#define LINE_SHOWN 1000
#define BINARY_LOOKED_AT 8000
#define WORK_BYTES_MAX (64 << 20)

struct lines {
	struct span *line;
	int count;
};

/* Lines of old and new, and for each whether it is only there. */
struct diff {
	struct lines old, new;
	bool *removed, *added;
	int start;		/* lines both begin with */
	int old_count, new_count;	/* in between, up to the common end */
};

/* With its line break, if it has one. */
static size_t line_length(struct span text)
{
	const uint8_t *end = memchr(text.data, '\n', text.length);

	return end ? (size_t)(end - text.data) + 1 : text.length;
}

static int split(struct span text, struct arena *arena, struct lines *ret)
{
	struct span rest = text;

	for (ret->count = 0; rest.length; ret->count++)
		rest = span_skip(rest, line_length(rest));
	ret->line = arena_alloc_array(arena, (size_t)ret->count, sizeof(*ret->line));
	if (!ret->line)
		return -ENOMEM;
	for (int i = 0; text.length; i++) {
		ret->line[i] = (struct span){ text.data, line_length(text) };
		text = span_skip(text, ret->line[i].length);
	}
	return 0;
}

static void set_aside_what_is_common(struct diff *d)
{
	int old = d->old.count, new = d->new.count;

	while (d->start < old && d->start < new &&
	       span_equal(d->old.line[d->start], d->new.line[d->start]))
		d->start++;
	while (old > d->start && new > d->start &&
	       span_equal(d->old.line[old - 1], d->new.line[new - 1])) {
		old--;
		new--;
	}
	d->old_count = old - d->start;
	d->new_count = new - d->start;
}

/*
 * Myers' furthest points: after so many rounds, that is edits, the furthest
 * line of old that can be reached on diagonal k = line of old - line of new.
 * All rounds are kept for the way back; round n has diagonals -n to n.
 */
struct trace {
	int *rounds[EDITS_MAX + 1];
	int edits;
};

static int *point(const struct trace *trace, int round, int diagonal)
{
	return &trace->rounds[round][diagonal + round];
}

/* Whether the best way to it is down, by a line added, or else right. */
static bool comes_down(const struct trace *trace, int round, int diagonal)
{
	return diagonal == -round ||
	       (diagonal != round && *point(trace, round - 1, diagonal - 1) <
					     *point(trace, round - 1, diagonal + 1));
}

static int first_of(const struct trace *trace, int round, int diagonal)
{
	if (round == 0)
		return 0;
	return comes_down(trace, round, diagonal) ?
		       *point(trace, round - 1, diagonal + 1) :
		       *point(trace, round - 1, diagonal - 1) + 1;
}

/* One more edit on every diagonal; true once both ends are reached. */
static bool advance(const struct diff *d, const struct trace *trace, int round)
{
	const struct span *old = d->old.line + d->start, *new = d->new.line + d->start;

	for (int k = -round; k <= round; k += 2) {
		int x = first_of(trace, round, k), y = x - k;

		while (x < d->old_count && y >= 0 && y < d->new_count &&
		       span_equal(old[x], new[y])) {
			x++;
			y++;
		}
		*point(trace, round, k) = x;
		if (x >= d->old_count && y >= d->new_count)
			return true;
	}
	return false;
}

static int search(const struct diff *d, struct trace *trace, struct arena *arena)
{
	for (int round = 0; round <= EDITS_MAX; round++) {
		trace->rounds[round] = arena_alloc_array(arena, 2 * (size_t)round + 1,
							 sizeof(int));
		if (!trace->rounds[round])
			return -ENOMEM;
		trace->edits = round;
		if (advance(d, trace, round))
			return 0;
	}
	return -EFBIG;
}

static void mark(struct diff *d, const struct trace *trace)
{
	int diagonal = d->old_count - d->new_count;

	for (int round = trace->edits; round > 0; round--) {
		bool down = comes_down(trace, round, diagonal);

		diagonal += down ? 1 : -1;
		int x = *point(trace, round - 1, diagonal);

		if (down)
			d->added[d->start + x - diagonal] = true;
		else
			d->removed[d->start + x] = true;
	}
}

/* If one side has nothing to offer, no search is needed. */
static int compare(struct diff *d, struct arena *arena)
{
	struct trace trace;

	set_aside_what_is_common(d);
	if (d->old_count && d->new_count) {
		int r = search(d, &trace, arena);

		if (r == 0)
			mark(d, &trace);
		return r;
	}
	if (d->old_count > EDITS_MAX || d->new_count > EDITS_MAX)
		return -EFBIG;
	memset(d->removed + d->start, true, (size_t)d->old_count);
	memset(d->added + d->start, true, (size_t)d->new_count);
	return 0;
}

/* ---- print ---- */

/* Tabs stay, nothing else that moves the cursor does. */
static int print_line(char sign, struct span line, FILE *out)
{
	char safe[4 * LINE_SHOWN + 1];
	bool ended = line.length && line.data[line.length - 1] == '\n';
	bool cut = line.length > LINE_SHOWN;
	int printed = fprintf(out, "%c", sign);

	line.length = cut ? LINE_SHOWN : line.length - ended;
	while (line.length) {
		const uint8_t *tab = memchr(line.data, '\t', line.length);
		size_t length = tab ? (size_t)(tab - line.data) : line.length;

		text_escape((struct span){ line.data, length }, safe, sizeof(safe));
		printed += fprintf(out, "%s%s", safe, tab ? "\t" : "");
		line = span_skip(line, length + (tab != NULL));
	}
	return printed + fprintf(out, "%s\n%s", cut ? "..." : "",
				 ended ? "" : "\\ No newline at end of file\n");
}

/* A place in both texts. */
struct cursor {
	int old, new;
};

static bool is_end(const struct diff *d, struct cursor at)
{
	return at.old == d->old.count && at.new == d->new.count;
}

/* The sign of the line at a place, and the place after it. */
static char step(const struct diff *d, struct cursor *at)
{
	if (at->old < d->old.count && d->removed[at->old]) {
		at->old++;
		return '-';
	}
	if (at->new < d->new.count && d->added[at->new]) {
		at->new++;
		return '+';
	}
	at->old++;
	at->new++;
	return ' ';
}

/* From the first line of context to the last; twice that between joins hunks. */
static struct cursor end_of_hunk(const struct diff *d, struct cursor at)
{
	struct cursor end = at;
	int same = 0;

	while (!is_end(d, at) && same <= 2 * CONTEXT) {
		same = step(d, &at) == ' ' ? same + 1 : 0;
		if (same <= CONTEXT)
			end = at;
	}
	return end;
}

static int print_hunk(const struct diff *d, struct cursor at, struct cursor end,
		      FILE *out)
{
	int old = end.old - at.old, new = end.new - at.new;
	int printed = fprintf(out, "@@ -%d,%d +%d,%d @@\n", at.old + (old > 0), old,
			      at.new + (new > 0), new);

	while (at.old < end.old || at.new < end.new) {
		struct cursor line = at;
		char sign = step(d, &at);

		printed += print_line(sign, sign == '+' ? d->new.line[line.new] :
							   d->old.line[line.old], out);
	}
	return printed;
}

static int print_hunks(const struct diff *d, FILE *out)
{
	struct cursor at = { 0, 0 }, before = at;
	int printed = 0;

	while (!is_end(d, at)) {
		struct cursor here = at;

		if (step(d, &at) == ' ')
			continue;
		int context = here.old - before.old < CONTEXT ? here.old - before.old :
								CONTEXT;
		struct cursor start = { here.old - context, here.new - context };

		at = end_of_hunk(d, here);
		printed += print_hunk(d, start, at, out);
		before = at;
	}
	return printed;
}

int diff_print(struct span old, struct span new, struct arena *arena, FILE *out)
{
	struct diff d = { .start = 0 };
	int r = split(old, arena, &d.old);

	if (r == 0)
		r = split(new, arena, &d.new);
	d.removed = arena_alloc(arena, (size_t)d.old.count);
	d.added = arena_alloc(arena, (size_t)d.new.count);
	if (r < 0 || !d.removed || !d.added)
		return -ENOMEM;
	r = compare(&d, arena);
	return r < 0 ? r : print_hunks(&d, out);
}

/* ---- files ---- */

/* Nothing if path is NULL; -EFBIG for what is no text of a bearable size. */
static int load(int root, const char *path, struct arena *arena, struct span *ret)
{
	size_t used = 0;
	ssize_t n;

	*ret = (struct span){ NULL, 0 };
	if (!path)
		return 0;
	AUTO_CLOSE int fd = file_open(root, path, 0, false, NULL);
	uint8_t *text = arena_alloc(arena, FILE_BYTES_MAX + 1);

	if (fd < 0 || !text)
		return fd < 0 ? fd : -ENOMEM;
	do {
		n = read(fd, text + used, FILE_BYTES_MAX + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	*ret = (struct span){ text, used };
	return used > FILE_BYTES_MAX ||
	       memchr(text, 0, used < BINARY_LOOKED_AT ? used : BINARY_LOOKED_AT) ?
		       -EFBIG : 0;
}

static int print_name(const char *mark, char side, const char *path, FILE *out)
{
	char safe[4 * PATH_MAX + 1];

	if (!path)
		return fprintf(out, "%s /dev/null\n", mark);
	text_escape(span_of_text(path), safe, sizeof(safe));
	return fprintf(out, "%s %c/%s\n", mark, side, safe);
}

static int print_row(int upper, int workspace, const struct change *row,
		     struct arena *arena, FILE *out)
{
	const char *old = row->was == KIND_FILE ? row->path : NULL;
	const char *new = row->kind == KIND_FILE ? row->path : NULL;
	struct span old_text, new_text;
	int printed = print_name("---", 'a', old, out) + print_name("+++", 'b', new, out);
	int r = load(workspace, old, arena, &old_text);

	if (r == 0)
		r = load(upper, new, arena, &new_text);
	if (r == 0)
		r = diff_print(old_text, new_text, arena, out);
	if (r < 0)
		r = fprintf(out, "(not shown: %s)\n", r == -EFBIG ?
			    "binary, too long or too different" : strerror(-r));
	return printed + r;
}

static bool has_text(const struct change *row)
{
	return (row->kind == KIND_FILE || row->was == KIND_FILE) &&
	       row->verb != CHANGE_ATTRIBUTES;
}

int changes_diff(int upper, const struct tree *workspace,
		 const struct changes *changes, size_t bytes_max, FILE *out,
		 struct error *why)
{
	AUTO_CLOSE int top = path_open(upper, "upper", O_PATH | O_DIRECTORY, 0,
				       PATH_STRICT, why);
	struct arena arena;
	size_t printed = 0, left = 0;

	if (top < 0)
		return top;
	arena_init(&arena, WORK_BYTES_MAX);
	for (const struct change *row = changes->first; row; row = row->next) {
		if (!has_text(row))
			continue;
		if (printed > bytes_max) {
			left++;
			continue;
		}
		printed += (size_t)print_row(top, workspace->directory, row, &arena, out);
		arena_reset(&arena);
	}
	arena_release(&arena);
	if (left)
		fprintf(out, "... and %zu more files\n", left);
	return 0;
}
