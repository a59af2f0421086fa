#include "common/logfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define PATH_BYTES (LOGFILE_NAME_BYTES + sizeof(".4294967295"))

const struct logfile_settings logfile_defaults = {
	.file_bytes_max = 10 * 1024 * 1024,
	.backups_count = 5,
	.repeats_max = 5,
	.repeat_window_ns = 10 * NS_PER_S,
	.free_bytes_min = 64 * 1024 * 1024,
};

/* The beginning of what follows a file's last newline. */
struct tail {
	char bytes[LOG_LINE_BYTES];
	size_t length;
};

/* Where the last whole line ends, looking from the end of the file. */
static off_t end_of_lines(int fd, off_t end, struct tail *ret)
{
	while (end > 0) {
		size_t length = end < LOG_LINE_BYTES ? (size_t)end :
						       LOG_LINE_BYTES;
		ssize_t n = pread(fd, ret->bytes, length, end - (off_t)length);

		if (n != (ssize_t)length)
			return n < 0 ? -errno : -EIO;
		const char *newline = memrchr(ret->bytes, '\n', length);
		size_t kept = newline ? (size_t)(newline - ret->bytes) + 1 : 0;

		ret->length = length - kept;
		memmove(ret->bytes, ret->bytes + kept, ret->length);
		end -= (off_t)ret->length;
		if (newline)
			break;
	}
	return end;
}

/* Opens a stream's file, new or not, and lets go of the one open so far. */
static int stream_open(struct logfile_stream *stream, int dir_fd,
		       uint64_t file_bytes_max, struct tail *ret,
		       struct error *why)
{
	AUTO_CLOSE int fd = openat(dir_fd, stream->name,
				   O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW |
				   O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set(why, -errno, "open log file %s: %s",
				 stream->name, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(why, -EINVAL, "log file %s: no regular file",
				 stream->name);
	off_t end = end_of_lines(fd, status.st_size, ret);

	if (end < 0)
		return error_set(why, (int)end, "read log file %s: %s",
				 stream->name, strerror((int)-end));
	if (end < status.st_size && ftruncate(fd, end) < 0)
		return error_set(why, -errno, "cut tail of log file %s: %s",
				 stream->name, strerror(errno));
	cleanup_close(&stream->fd);
	stream->fd = fd_take(&fd);
	stream->torn = false;
	stream->bytes = (uint64_t)end;
	stream->rotate_at_bytes = file_bytes_max;
	return 0;
}

static void numbered(const struct logfile_stream *stream, unsigned number,
		     char ret[PATH_BYTES])
{
	if (number == 0)
		snprintf(ret, PATH_BYTES, "%s", stream->name);
	else
		snprintf(ret, PATH_BYTES, "%s.%u", stream->name, number);
}

/*
 * Moves the files below the first missing number up by one, highest first, so
 * that a crash leaves one missing number again and no file is overwritten but
 * the oldest of a full set.
 */
static int move_up(const struct logfile_stream *stream, int dir_fd,
		   unsigned backups_count)
{
	char path[PATH_BYTES], next[PATH_BYTES];
	struct stat status;
	unsigned missing = 0;

	while (missing < backups_count) {
		numbered(stream, missing, path);
		if (fstatat(dir_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		missing++;
	}
	for (; missing > 0; missing--) {
		numbered(stream, missing - 1, path);
		numbered(stream, missing, next);
		if (renameat(dir_fd, path, dir_fd, next) < 0)
			return -errno;
	}
	return 0;
}

/* On failure the open file serves on, whatever its name has become. */
static void stream_rotate(struct logfile *logfile,
			  struct logfile_stream *stream)
{
	const struct logfile_settings *settings = &logfile->settings;
	int dir_fd = logfile->dir_fd;
	struct tail tail = { .length = 0 };

	if (move_up(stream, dir_fd, settings->backups_count) < 0 ||
	    stream_open(stream, dir_fd, settings->file_bytes_max, &tail,
			NULL) < 0) {
		stream->rotate_at_bytes = stream->bytes +
					  settings->file_bytes_max;
		logfile->counters.rotation_failures++;
		return;
	}
	logfile->counters.rotations++;
}

/* All of the line or nothing: of a failure in its midst no part stays. */
static int stream_append(struct logfile_stream *stream, struct span line)
{
	size_t done = 0;

	while (done < line.length) {
		ssize_t n = write(stream->fd, line.data + done,
				  line.length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int failure = n < 0 ? -errno : -EIO;

			stream->torn = done > 0 &&
				ftruncate(stream->fd, (off_t)stream->bytes) < 0;
			return failure;
		}
		done += (size_t)n;
	}
	stream->bytes += line.length;
	return 0;
}

static int stream_write(struct logfile *logfile,
			struct logfile_stream *stream, struct span line)
{
	if (stream->torn && ftruncate(stream->fd, (off_t)stream->bytes) < 0)
		return -errno;
	stream->torn = false;
	if (stream->bytes > 0 &&
	    stream->bytes + line.length > stream->rotate_at_bytes)
		stream_rotate(logfile, stream);
	return stream_append(stream, line);
}

static int put(struct logfile *logfile, enum log_level level, struct span line)
{
	int result = 0;

	if (logfile->space_low && level < LEVEL_ERROR)
		return -ENOSPC;
	for (size_t i = 0; i < LOGFILE_STREAMS; i++) {
		struct logfile_stream *stream = &logfile->streams[i];
		int r = level < stream->least ?
				0 : stream_write(logfile, stream, line);

		if (result == 0)
			result = r;
	}
	return result;
}

/* A record of the log's own; it is neither counted nor watched for repeats. */
static int tell(struct logfile *logfile, enum log_level level,
		const char *component, const char *message,
		const struct log_field *fields)
{
	char bytes[LOG_LINE_BYTES];
	struct log_record record = {
		.wall_ns = clock_wall_ns(),
		.level = level,
		.component = component,
		.message = message,
		.fields = fields,
	};
	size_t length = log_format(&record, bytes);

	return put(logfile, level, (struct span){ (uint8_t *)bytes, length });
}

/* Opens a stream, and tells what a crash has left at its end. */
static int open_whole(struct logfile *logfile, struct logfile_stream *stream,
		      struct error *why)
{
	struct tail tail = { .length = 0 };
	int r = stream_open(stream, logfile->dir_fd,
			    logfile->settings.file_bytes_max, &tail, why);

	if (r < 0)
		return r;
	if (tail.length > 0)
		tell(logfile, LEVEL_WARNING, "log", "torn record cut off",
		     LOG_FIELDS(log_text("file", stream->name),
				log_bytes("text", (struct span){
					(uint8_t *)tail.bytes, tail.length })));
	return 0;
}

static void close_streams(struct logfile *logfile)
{
	for (size_t i = 0; i < LOGFILE_STREAMS; i++)
		cleanup_close(&logfile->streams[i].fd);
}

int logfile_open(struct logfile *logfile, int dir_fd, const char *name,
		 const struct logfile_settings *settings, struct error *why)
{
	static const struct {
		const char *suffix;
		enum log_level least;
	} kinds[LOGFILE_STREAMS] = {
		{ ".log", LEVEL_DEBUG },
		{ ".error.log", LEVEL_ERROR },
	};

	assert(settings->backups_count >= 1);
	*logfile = (struct logfile){ .dir_fd = dir_fd, .settings = *settings };
	for (size_t i = 0; i < LOGFILE_STREAMS; i++) {
		struct logfile_stream *stream = &logfile->streams[i];
		int length = snprintf(stream->name, sizeof(stream->name),
				      "%s%s", name, kinds[i].suffix);

		stream->fd = -1;
		stream->least = kinds[i].least;
		if (length >= (int)sizeof(stream->name))
			return error_set(why, -ENAMETOOLONG,
					 "name of log %s: too long", name);
	}
	for (size_t i = 0; i < LOGFILE_STREAMS; i++) {
		int r = open_whole(logfile, &logfile->streams[i], why);

		if (r < 0) {
			close_streams(logfile);
			return r;
		}
	}
	return 0;
}

int logfile_reopen(struct logfile *logfile, struct error *why)
{
	int result = 0;

	for (size_t i = 0; i < LOGFILE_STREAMS; i++) {
		int r = open_whole(logfile, &logfile->streams[i],
				   result < 0 ? NULL : why);

		if (result == 0)
			result = r;
	}
	return result;
}

static bool is_held_back(const struct logfile *logfile,
			 const struct logfile_repeat *repeat)
{
	return repeat->count > logfile->settings.repeats_max;
}

static void close_window(struct logfile *logfile, struct logfile_repeat *repeat)
{
	if (is_held_back(logfile, repeat))
		tell(logfile, repeat->level, repeat->component, repeat->message,
		     LOG_FIELDS(log_uint("repeated",
				repeat->count - logfile->settings.repeats_max)));
	repeat->count = 0;
}

void logfile_close(struct logfile *logfile)
{
	for (size_t i = 0; i < LOGFILE_REPEATS; i++)
		close_window(logfile, &logfile->repeats[i]);
	close_streams(logfile);
}

int64_t logfile_tick(struct logfile *logfile, int64_t now_ns)
{
	int64_t next_ns = DEADLINE_NEVER;

	for (size_t i = 0; i < LOGFILE_REPEATS; i++) {
		struct logfile_repeat *repeat = &logfile->repeats[i];
		int64_t end_ns = repeat->since_ns +
				 logfile->settings.repeat_window_ns;

		if (now_ns >= end_ns)
			close_window(logfile, repeat);
		else if (is_held_back(logfile, repeat) && end_ns < next_ns)
			next_ns = end_ns;
	}
	return next_ns;
}

static bool is_of(const struct logfile_repeat *repeat,
		  const struct log_record *record)
{
	return repeat->count > 0 && repeat->level == record->level &&
	       strcmp(repeat->component, record->component) == 0 &&
	       strcmp(repeat->message, record->message) == 0;
}

/* The one that watches this record, else the one that can best be spared. */
static struct logfile_repeat *find_repeat(struct logfile *logfile,
					  const struct log_record *record)
{
	struct logfile_repeat *spare = logfile->repeats;

	for (size_t i = 0; i < LOGFILE_REPEATS; i++) {
		struct logfile_repeat *repeat = &logfile->repeats[i];

		if (is_of(repeat, record))
			return repeat;
		if (spare->count > 0 && (repeat->count == 0 ||
					 repeat->since_ns < spare->since_ns))
			spare = repeat;
	}
	return spare;
}

/* Counts a record; false if it is one too many in its window. */
static bool admit(struct logfile *logfile, const struct log_record *record)
{
	size_t component_bytes = strlen(record->component) + 1;
	size_t message_bytes = strlen(record->message) + 1;
	struct logfile_repeat *repeat;

	if (component_bytes > sizeof(repeat->component) ||
	    message_bytes > sizeof(repeat->message))
		return true;
	logfile_tick(logfile, record->now_ns);
	repeat = find_repeat(logfile, record);
	if (!is_of(repeat, record)) {
		close_window(logfile, repeat);
		repeat->since_ns = record->now_ns;
		repeat->level = record->level;
		memcpy(repeat->component, record->component, component_bytes);
		memcpy(repeat->message, record->message, message_bytes);
	}
	repeat->count++;
	return !is_held_back(logfile, repeat);
}

static void check_space(struct logfile *logfile, int64_t now_ns)
{
	struct statvfs status;

	if (now_ns < logfile->space_check_ns)
		return;
	logfile->space_check_ns = now_ns + NS_PER_S;
	if (fstatvfs(logfile->dir_fd, &status) == 0)
		logfile->space_low = status.f_bavail * status.f_frsize <
				     logfile->settings.free_bytes_min;
}

static void tell_dropped(struct logfile *logfile)
{
	if (logfile->untold > 0 &&
	    tell(logfile, LEVEL_WARNING, "log", "records dropped",
		 LOG_FIELDS(log_uint("count", logfile->untold))) == 0)
		logfile->untold = 0;
}

int logfile_write(struct logfile *logfile, const struct log_record *record,
		  struct span line)
{
	if (!admit(logfile, record)) {
		logfile->counters.suppressed++;
		return 0;
	}
	check_space(logfile, record->now_ns);
	tell_dropped(logfile);
	int r = put(logfile, record->level, line);

	if (r < 0) {
		logfile->counters.dropped++;
		logfile->untold++;
	} else {
		logfile->counters.written++;
	}
	return r;
}

static int write_sink(void *owner, const struct log_record *record,
		      struct span line)
{
	return logfile_write(owner, record, line);
}

struct log_sink logfile_sink(struct logfile *logfile)
{
	return (struct log_sink){ .write = write_sink, .owner = logfile };
}
