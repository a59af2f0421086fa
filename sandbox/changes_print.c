#include "sandbox/changes.h"

#include <assert.h>
#include <inttypes.h>
#include <linux/limits.h>

#include "common/cleanup.h"
#include "common/span.h"
#include "common/text.h"

static const struct {
	char letter;
	const char *said;	/* after a number */
} verbs[CHANGE_VERB_COUNT] = {
	[CHANGE_ADDED] = { 'A', "added" },
	[CHANGE_MODIFIED] = { 'M', "modified" },
	[CHANGE_DELETED] = { 'D', "deleted" },
	[CHANGE_TYPE] = { 'T', "of another kind" },
	[CHANGE_ATTRIBUTES] = { 'm', "with other attributes" },
};

char change_letter(enum change_verb verb)
{
	assert((unsigned)verb < CHANGE_VERB_COUNT);
	return verbs[verb].letter;
}

const char *file_kind_name(enum file_kind kind)
{
	static const char *const names[KIND_COUNT] = {
		"none", "file", "directory", "link", "special",
	};

	assert((unsigned)kind < KIND_COUNT);
	return names[kind];
}

/* To three digits or so: 999 B, 1.5 KiB, 12 MiB. */
static void print_size(uint64_t bytes, FILE *out)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		fprintf(out, "%" PRIu64 " B", bytes);
		return;
	}
	while (size >= 1024 && unit + 1 < COUNT(units)) {
		size /= 1024;
		unit++;
	}
	fprintf(out, size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void print_path(const char *path, FILE *out)
{
	char safe[4 * PATH_MAX + 1];

	text_escape(span_of_text(path), safe, sizeof(safe));
	fputs(safe, out);
}

static void print_row(const struct change *row, FILE *out)
{
	enum file_kind kind = row->verb == CHANGE_DELETED ? row->was : row->kind;

	fprintf(out, "%c ", change_letter(row->verb));
	print_path(row->path, out);
	fputs(kind == KIND_DIRECTORY ? "/" : "", out);
	if (row->kind == KIND_LINK) {
		fputs(" -> ", out);
		print_path(row->target ? row->target : "?", out);
	}
	if (row->kind == KIND_FILE) {
		fputs("  ", out);
		print_size(row->size, out);
	}
	if (row->verb == CHANGE_TYPE)
		fprintf(out, "  (was a %s)", file_kind_name(row->was));
	if (row->verb == CHANGE_ATTRIBUTES)
		fprintf(out, "  (mode %03o)", row->mode);
	if (row->kind == KIND_SPECIAL)
		fputs("  (special file: no commit takes it)", out);
	if (row->later)
		fprintf(out, "  (run later by others: %s)", row->later);
	if (row->conflict)
		fputs("  (changed in the workspace too)", out);
	fputc('\n', out);
}

static void print_sums(const struct changes *changes, FILE *out)
{
	const char *comma = "";

	if (changes->count + changes->omitted == 0)
		fputs("no changes", out);
	for (size_t i = 0; i < COUNT(verbs); i++) {
		if (!changes->verbs[i])
			continue;
		fprintf(out, "%s%zu %s", comma, changes->verbs[i], verbs[i].said);
		comma = ", ";
	}
	if (changes->bytes) {
		fprintf(out, "%s", comma);
		print_size(changes->bytes, out);
	}
	if (changes->later)
		fprintf(out, "%s%zu run later by others", comma, changes->later);
	if (changes->specials)
		fprintf(out, "%s%zu special", comma, changes->specials);
	if (changes->omitted)
		fprintf(out, "%sat least %" PRIu64 " not listed", comma, changes->omitted);
	fputc('\n', out);
}

void changes_print(const struct changes *changes, size_t rows_max, FILE *out)
{
	const struct change *row = changes->first;
	size_t shown = 0;

	for (; row && shown < rows_max; row = row->next, shown++)
		print_row(row, out);
	if (row)
		fprintf(out, "... and %zu more\n", changes->count - shown);
	print_sums(changes, out);
}
