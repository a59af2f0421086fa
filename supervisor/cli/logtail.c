#include "supervisor/cli/logtail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

/* ---- the files of one name ---- */

/* Number 0 is NAME.log itself. False if there is no such file. */
static bool open_file(int directory_fd, const char *name, int number,
		      struct logtail_file *ret)
{
	char path[300];
	struct stat status;

	snprintf(path, sizeof(path), number ? "%s.%d" : "%s", name, number);
	AUTO_CLOSE int fd = openat(directory_fd, path,
				   O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	ret->file = fdopen(fd, "re");
	if (!ret->file)
		return false;
	fd_take(&fd);
	ret->device = status.st_dev;
	ret->inode = status.st_ino;
	return true;
}

static bool is_same(const struct logtail_file *a, const struct logtail_file *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/*
 * Opens the newest and older ones up to last, which may be NULL; returns their
 * count. Files only go up meanwhile: one renamed while we look is met twice in a
 * row, and a name that is free has older ones behind it.
 */
static int gather(const struct logtail *tail, const char *name,
		  const struct logtail_file *last, struct logtail_file *ret)
{
	int count = 0;

	for (int number = 0; number < LOGTAIL_FILES_MAX; number++) {
		if (!open_file(tail->directory_fd, name, number, &ret[count]))
			continue;
		if (last && is_same(&ret[count], last)) {
			fclose(ret[count].file);
			break;
		}
		if (count > 0 && is_same(&ret[count], &ret[count - 1]))
			fclose(ret[count].file);
		else
			count++;
	}
	return count;
}

static void begin_stream(struct logtail *tail, const char *name)
{
	struct logtail_stream *stream = &tail->streams[tail->stream_count];

	if (tail->stream_count == LOGTAIL_NAMES_MAX)
		return;
	*stream = (struct logtail_stream){ 0 };
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	stream->file_count = gather(tail, name, NULL, stream->files);
	stream->current = stream->file_count - 1;
	if (stream->file_count > 0)
		tail->stream_count++;
}

/* Newer files than the one at whose end we are go before it. */
static void look_for_newer(struct logtail *tail, struct logtail_stream *stream)
{
	struct logtail_file newer[LOGTAIL_FILES_MAX];
	int count = gather(tail, stream->name, &stream->files[0], newer);

	if (count == 0 || count == LOGTAIL_FILES_MAX)
		return;
	newer[count] = stream->files[0];
	memcpy(stream->files, newer, (size_t)(count + 1) * sizeof(newer[0]));
	stream->file_count = count + 1;
	stream->current = count;
}

/* ---- lines ---- */

/* False at the end of a file; a line without its end yet is taken back. */
static bool read_line(struct logtail_stream *stream, FILE *file)
{
	long start = ftell(file);
	ssize_t length;

	clearerr(file);
	length = getline(&stream->line, &stream->room, file);
	if (length > 0 && stream->line[length - 1] == '\n') {
		stream->line[length - 1] = '\0';
		stream->length = (size_t)length - 1;
		return true;
	}
	if (length > 0)
		fseek(file, start, SEEK_SET);
	return false;
}

static void fill(struct logtail_stream *stream)
{
	while (stream->length == 0 && stream->current >= 0) {
		struct logtail_file *at = &stream->files[stream->current];

		if (read_line(stream, at->file))
			continue;	/* an empty line is none */
		if (stream->current == 0)
			return;
		fclose(at->file);
		at->file = NULL;
		stream->file_count = stream->current--;
	}
}

/* Lines begin with their time, in a form whose order is that of its text. */
static bool is_earlier(const struct logtail_stream *a, const struct logtail_stream *b)
{
	return strncmp(a->line, b->line, sizeof("{\"ts\":\"2026-01-02T03:04:05.123456789Z")) < 0;
}

const char *logtail_next(struct logtail *tail)
{
	struct logtail_stream *first = NULL;

	for (int i = 0; i < tail->stream_count; i++) {
		struct logtail_stream *stream = &tail->streams[i];

		fill(stream);
		if (stream->length && (!first || is_earlier(stream, first)))
			first = stream;
	}
	if (!first)
		return NULL;
	first->length = 0;
	return first->line;
}

/* ---- the directory ---- */

static bool is_known(const struct logtail *tail, const char *name)
{
	for (int i = 0; i < tail->stream_count; i++)
		if (strcmp(tail->streams[i].name, name) == 0)
			return true;
	return false;
}

static void find_names(struct logtail *tail)
{
	int fd = openat(tail->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (fnmatch("*.log", entry->d_name, FNM_PERIOD) == 0 &&
		    fnmatch("*.error.log", entry->d_name, 0) != 0 &&
		    !is_known(tail, entry->d_name))
			begin_stream(tail, entry->d_name);
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
}

int logtail_open(struct logtail *tail, const char *directory, struct error *why)
{
	*tail = (struct logtail){
		.directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	if (tail->directory_fd < 0)
		return error_set(why, -errno, "%s: %s", directory, strerror(errno));
	find_names(tail);
	return 0;
}

void logtail_close(struct logtail *tail)
{
	for (int i = 0; i < tail->stream_count; i++) {
		struct logtail_stream *stream = &tail->streams[i];

		for (int f = 0; f < stream->file_count; f++)
			fclose(stream->files[f].file);
		free(stream->line);
	}
	close(tail->directory_fd);
}

void logtail_look(struct logtail *tail)
{
	for (int i = 0; i < tail->stream_count; i++)
		if (tail->streams[i].current == 0)
			look_for_newer(tail, &tail->streams[i]);
	find_names(tail);
}
