#include "sandbox/changes_list.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/changes_file.h"

#define LIST_MAGIC "cupel.changes/1 "
#define LIST_BYTES_MAX (INT64_C(1) << 30)

static const char kind_letters[KIND_COUNT + 1] = "-fdls";

int list_write(int fd, const struct changes *changes,
	       const struct changes_origin *origin, struct error *why)
{
	FILE *out = fdopen(fd, "w");

	if (!out) {
		close(fd);
		return error_set(why, -ENOMEM, "write the list: no memory");
	}
	fprintf(out, LIST_MAGIC "%zu %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %s%c",
		changes->count, changes->omitted, origin->device, origin->inode,
		origin->started_ns, origin->workspace, 0);
	for (const struct change *row = changes->first; row; row = row->next)
		fprintf(out, "%c %c %c %o %" PRId64 " %" PRIu64 " %s%c",
			change_letter(row->verb), kind_letters[row->kind],
			kind_letters[row->was], row->mode, row->modified_ns,
			row->size, row->path, 0);
	int failed = ferror(out);

	if (fclose(out) != 0 || failed)
		return error_set(why, -EIO, "write the list of changes: %s",
				 strerror(errno));
	return 0;
}

/* A place in one record, which ends with NUL. */
struct reader {
	const char *at;
	bool bad;
};

static void skip_blank(struct reader *reader)
{
	if (*reader->at == ' ')
		reader->at++;
	else
		reader->bad = true;
}

static uint64_t take_number(struct reader *reader, unsigned base, uint64_t most)
{
	uint64_t value = 0;
	const char *start = reader->at;

	while (*reader->at >= '0' && *reader->at < '0' + (char)base) {
		unsigned digit = (unsigned)(*reader->at - '0');

		if (value > (most - digit) / base) {
			reader->bad = true;
			return 0;
		}
		value = value * base + digit;
		reader->at++;
	}
	if (reader->at == start)
		reader->bad = true;
	skip_blank(reader);
	return value;
}

static int64_t take_signed(struct reader *reader)
{
	bool negative = *reader->at == '-';

	if (negative)
		reader->at++;
	int64_t value = (int64_t)take_number(reader, 10, INT64_MAX);

	return negative ? -value : value;
}

/* The place of the next byte among those letters. */
static unsigned take_letter(struct reader *reader, const char *letters)
{
	const char *found = *reader->at ? strchr(letters, *reader->at) : NULL;

	if (!found) {
		reader->bad = true;
		return 0;
	}
	reader->at++;
	skip_blank(reader);
	return (unsigned)(found - letters);
}

/* Down from the top, by names alone. */
static bool is_descending(const char *path)
{
	if (strlen(path) >= PATH_MAX)
		return false;
	for (;;) {
		size_t length = strcspn(path, "/");

		if (length == 0 || (length <= 2 && strncmp(path, "..", length) == 0))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

/* Verb and kinds must tell the same story. */
static bool is_coherent(const struct change *row)
{
	bool same = row->kind == row->was;

	switch (row->verb) {
	case CHANGE_ADDED:
		return row->was == KIND_NONE && row->kind != KIND_NONE;
	case CHANGE_DELETED:
		return row->kind == KIND_NONE && row->was != KIND_NONE;
	case CHANGE_TYPE:
		return !same && row->kind != KIND_NONE && row->was != KIND_NONE;
	case CHANGE_MODIFIED:
	case CHANGE_ATTRIBUTES:
		return same && row->kind != KIND_NONE;
	case CHANGE_VERB_COUNT:
		break;
	}
	return false;
}

static bool parse_row(const char *record, struct change *ret)
{
	struct reader reader = { record, false };
	char verbs[CHANGE_VERB_COUNT + 1] = { 0 };

	for (int i = 0; i < CHANGE_VERB_COUNT; i++)
		verbs[i] = change_letter((enum change_verb)i);
	*ret = (struct change){ 0 };
	ret->verb = (enum change_verb)take_letter(&reader, verbs);
	ret->kind = (enum file_kind)take_letter(&reader, kind_letters);
	ret->was = (enum file_kind)take_letter(&reader, kind_letters);
	ret->mode = (mode_t)take_number(&reader, 8, 07777);
	ret->modified_ns = take_signed(&reader);
	ret->size = take_number(&reader, 10, INT64_MAX);
	ret->path = reader.at;
	return !reader.bad && is_descending(ret->path) && is_coherent(ret);
}

static bool parse_head(const char *record, uint64_t *ret_count,
		       uint64_t *ret_omitted, struct changes_origin *ret)
{
	struct reader reader = { record, false };

	if (strncmp(record, LIST_MAGIC, strlen(LIST_MAGIC)) != 0)
		return false;
	reader.at += strlen(LIST_MAGIC);
	*ret_count = take_number(&reader, 10, UINT32_MAX);
	*ret_omitted = take_number(&reader, 10, UINT64_MAX);
	ret->device = take_number(&reader, 10, UINT64_MAX);
	ret->inode = take_number(&reader, 10, UINT64_MAX);
	ret->started_ns = take_signed(&reader);
	ret->workspace = reader.at;
	return !reader.bad;
}

/* The next record, or NULL when none is whole. */
static const char *take_record(struct span *text)
{
	const char *record = (const char *)text->data;
	const uint8_t *end = text->length ? memchr(text->data, 0, text->length) : NULL;

	if (!end)
		return NULL;
	*text = span_skip(*text, (size_t)(end - text->data) + 1);
	return record;
}

int list_parse(struct span text, struct arena *arena, struct changes *ret,
	       struct changes_origin *ret_origin, struct error *why)
{
	struct change *first = NULL;
	struct changes_origin origin;
	uint64_t count, omitted;
	const char *record = take_record(&text);

	if (!record || !parse_head(record, &count, &omitted, &origin))
		return error_set(why, -EBADMSG, "this is no list of changes");
	for (uint64_t i = 0; i < count; i++) {
		struct change row, *kept;

		record = take_record(&text);
		if (!record || !parse_row(record, &row))
			return error_set(why, -EBADMSG, "list of changes: record %" PRIu64
					 " of %" PRIu64 " is damaged", i + 1, count);
		kept = arena_alloc(arena, sizeof(*kept));
		if (!kept)
			return error_set(why, -ENOMEM, "list of changes: no memory");
		*kept = row;
		kept->next = first;
		first = kept;
	}
	if (text.length)
		return error_set(why, -EBADMSG, "list of changes: bytes after its end");
	changes_index(first, ret);
	ret->omitted = omitted;
	*ret_origin = origin;
	return 0;
}

int list_read(int directory, struct arena *arena, struct changes *ret,
	      struct changes_origin *ret_origin, struct error *why)
{
	AUTO_CLOSE int fd = file_open(directory, "changes", 0, false, why);
	struct stat status;
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || status.st_size > LIST_BYTES_MAX)
		return error_set(why, -EFBIG, "the list of changes is too long");
	uint8_t *text = arena_alloc(arena, (size_t)status.st_size);

	if (!text)
		return error_set(why, -ENOMEM, "list of changes: no memory");
	do {
		n = read(fd, text + used, (size_t)status.st_size - used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return list_parse((struct span){ text, used }, arena, ret, ret_origin, why);
}
