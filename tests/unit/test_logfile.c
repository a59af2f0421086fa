#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/core/deadline.h"
#include "common/logfile.h"

#define KILL_ROUNDS 80		/* of three kills each */
#define BACKUPS 300		/* more than any test fills */
#define NUMBERS_MAX 20000

/* A directory of its own and what its files were found to hold. */
struct place {
	char path[64];
	int dir_fd;
	json_t *lines;			/* oldest first */
	size_t torn_count;		/* files that end within a line */
};

static void enter(struct place *place)
{
	*place = (struct place){ .path = "/tmp/cupel-logfile-XXXXXX" };
	assert_non_null(mkdtemp(place->path));
	place->dir_fd = open(place->path, O_DIRECTORY | O_CLOEXEC);
	assert_true(place->dir_fd >= 0);
	place->lines = json_array();
}

static void leave(struct place *place)
{
	DIR *dir = fdopendir(place->dir_fd);
	const struct dirent *entry;

	assert_non_null(dir);
	rewinddir(dir);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name,
			 entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(dir);
	assert_int_equal(rmdir(place->path), 0);
	json_decref(place->lines);
}

static void put_file(const struct place *place, const char *name,
		     const void *bytes, size_t length)
{
	AUTO_CLOSE int fd = openat(place->dir_fd, name,
				   O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_int_equal(write(fd, bytes, length), length);
}

static bool is_there(const struct place *place, const char *name)
{
	struct stat status;

	return fstatat(place->dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Appends a file's lines, each of which must be JSON. */
static void read_file(struct place *place, const char *name)
{
	AUTO_CLOSE int fd = openat(place->dir_fd, name, O_RDONLY | O_CLOEXEC);
	FILE *file;
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	ssize_t length;

	if (fd < 0)
		return;
	file = fdopen(fd_take(&fd), "r");
	assert_non_null(file);
	while ((length = getline(&line, &capacity, file)) > 0) {
		json_error_t error;
		json_t *object = json_loadb(line, (size_t)length, 0, &error);

		if (!object && line[length - 1] != '\n') {
			place->torn_count++;
			continue;
		}
		test_row(object, "%s: %s in %s", name, error.text, line);
		json_array_append_new(place->lines, object);
	}
	fclose(file);
}

/* Reads a whole stream anew, up to the highest number a test uses. */
static void read_stream(struct place *place, const char *name)
{
	json_array_clear(place->lines);
	place->torn_count = 0;
	for (int number = BACKUPS; number > 0; number--) {
		char path[64];

		snprintf(path, sizeof(path), "%s.%d", name, number);
		read_file(place, path);
	}
	read_file(place, name);
}

static json_t *line_at(const struct place *place, size_t index)
{
	return json_array_get(place->lines, index);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t integer_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool says(const json_t *line, const char *message)
{
	const char *text = text_of(line, "msg");

	return text && strcmp(text, message) == 0;
}

static size_t count_saying(const struct place *place, const char *message)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(place->lines); i++)
		count += says(line_at(place, i), message);
	return count;
}

/* The "n" of each line that has one; returns how many. */
static size_t read_numbers(const struct place *place, json_int_t *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(place->lines); i++) {
		const json_t *n = json_object_get(line_at(place, i), "n");

		if (n) {
			assert_in_range(count, 0, NUMBERS_MAX - 1);
			ret[count++] = json_integer_value(n);
		}
	}
	return count;
}

static struct logfile_settings settings_of(uint64_t file_bytes_max,
					   unsigned backups_count)
{
	struct logfile_settings settings = logfile_defaults;

	settings.file_bytes_max = file_bytes_max;
	settings.backups_count = backups_count;
	settings.repeats_max = UINT_MAX;
	settings.free_bytes_min = 0;
	return settings;
}

static void open_log(struct logfile *logfile, const struct place *place,
		     struct logfile_settings settings)
{
	struct error why;
	int r = logfile_open(logfile, place->dir_fd, "cupel", &settings, &why);

	test_row(r == 0, "%s", why.text);
}

static int write_record(struct logfile *logfile, enum log_level level,
			const char *component, const char *message,
			int64_t now_ns, const struct log_field *fields)
{
	char bytes[LOG_LINE_BYTES];
	struct log_record record = {
		.wall_ns = now_ns,
		.now_ns = now_ns,
		.level = level,
		.component = component,
		.message = message,
		.fields = fields,
	};
	size_t length = log_format(&record, bytes);

	return logfile_write(logfile, &record,
			     (struct span){ (uint8_t *)bytes, length });
}

static int write_number(struct logfile *logfile, enum log_level level,
			int64_t n, size_t padding)
{
	static char text[2048];

	memset(text, 'p', sizeof(text));
	struct span filler = { (uint8_t *)text, padding };

	return write_record(logfile, level, "test", "number", 0, LOG_FIELDS(
		log_int("n", n), log_bytes("padding", filler)));
}

static void a_record_arrives_through_the_sink(void **state)
{
	struct place place;
	struct logfile logfile;
	struct log log;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, logfile_defaults);
	log_init(&log, "test", LEVEL_INFO, logfile_sink(&logfile));
	log_write(&log, LEVEL_INFO, "hello", LOG_FIELDS(log_int("n", 7)));
	log_write(&log, LEVEL_DEBUG, "unheard", NULL);
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), 1);
	assert_true(says(line_at(&place, 0), "hello"));
	assert_int_equal(logfile.counters.written, 1);
	assert_int_equal(log.lost, 0);
	leave(&place);
}

static void errors_go_to_both_streams(void **state)
{
	struct place place;
	struct logfile logfile;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, settings_of(1 << 20, 5));
	for (int level = 0; level < LEVEL_COUNT; level++)
		assert_int_equal(0, write_number(&logfile,
						 (enum log_level)level,
						 level, 0));
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), LEVEL_COUNT);
	read_stream(&place, "cupel.error.log");
	json_int_t numbers[LEVEL_COUNT];

	assert_int_equal(read_numbers(&place, numbers), 2);
	assert_int_equal(numbers[0], LEVEL_ERROR);
	assert_int_equal(numbers[1], LEVEL_CRITICAL);
	leave(&place);
}

static void a_file_is_filled_to_the_byte(void **state)
{
	struct place place;
	struct logfile logfile;
	struct stat status;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, settings_of(1 << 20, 2));
	write_number(&logfile, LEVEL_INFO, 0, 0);
	logfile.streams[0].rotate_at_bytes = 3 * logfile.streams[0].bytes;
	write_number(&logfile, LEVEL_INFO, 1, 0);
	write_number(&logfile, LEVEL_INFO, 2, 0);
	assert_false(is_there(&place, "cupel.log.1"));
	write_number(&logfile, LEVEL_INFO, 3, 0);
	assert_int_equal(fstatat(place.dir_fd, "cupel.log.1", &status, 0), 0);
	assert_int_equal(status.st_size, 3 * logfile.streams[0].bytes);
	logfile_close(&logfile);
	leave(&place);
}

static void the_newest_files_are_kept(void **state)
{
	static json_int_t numbers[NUMBERS_MAX];
	struct place place;
	struct logfile logfile;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, settings_of(2048, 3));
	for (int n = 0; n < 500; n++)
		assert_int_equal(write_number(&logfile, LEVEL_ERROR, n, 10), 0);
	logfile_close(&logfile);
	assert_false(is_there(&place, "cupel.log.4"));
	static const char *const names[] = { "cupel.log", "cupel.error.log" };

	for (size_t i = 0; i < COUNT(names); i++) {
		read_stream(&place, names[i]);
		size_t count = read_numbers(&place, numbers);

		assert_in_range(count, 3 * 2048 / 200, 4 * 2048 / 100);
		for (size_t k = 0; k < count; k++)
			assert_int_equal(numbers[k], 500 - count + k);
	}
	leave(&place);
}

/* A digit is a file that holds its number, '-' the new one, '.' none. */
static void a_rotation_cut_short_is_continued(void **state)
{
	static const struct {
		const char *name, *before, *after;
	} cases[] = {
		{ "the first backup", "0...", "-0.." },
		{ "a full set loses its oldest", "0123", "-012" },
		{ "killed after the first renaming", "012.", "-012" },
		{ "killed after the second", "01.3", "-013" },
		{ "killed after the third", "0.23", "-023" },
		{ "killed before the new file", ".123", "-123" },
	};
	static const char *const names[] = { "cupel.log", "cupel.log.1",
					     "cupel.log.2", "cupel.log.3" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place place;
		struct logfile logfile;
		char got[sizeof("0123")] = "....";

		enter(&place);
		for (size_t k = 0; k < COUNT(names); k++) {
			char line[] = "{\"n\":0}\n";

			line[5] = cases[i].before[k];
			if (line[5] != '.')
				put_file(&place, names[k], line,
					 sizeof(line) - 1);
		}
		open_log(&logfile, &place, settings_of(10, 3));
		write_number(&logfile, LEVEL_INFO, '-' - '0', 0);
		logfile_close(&logfile);
		for (size_t k = 0; k < COUNT(names); k++) {
			json_array_clear(place.lines);
			read_file(&place, names[k]);
			if (json_array_size(place.lines) > 0)
				got[k] = (char)('0' + integer_of(
					line_at(&place, 0), "n"));
		}
		test_row(strcmp(got, cases[i].after) == 0,
			 "%s: got %s, want %s", cases[i].name, got,
			 cases[i].after);
		leave(&place);
	}
}

static void a_torn_tail_becomes_a_record(void **state)
{
	static char zeros[10000];
	static const struct {
		const char *name;
		const char *before;	/* whole lines */
		const char *tail;
		size_t length;
		const char *want;	/* how the record's text begins */
	} cases[] = {
		{ "part of a line after lines", "{\"n\":1}\n{\"n\":2}\n", "{\"n\":", 5, "{\"n\":" },
		{ "part of the first line", "", "{\"n", 3, "{\"n" },
		{ "zeros after a power cut", "{\"n\":1}\n", zeros, sizeof(zeros), "\\x00\\x00" },
		{ "nothing torn", "{\"n\":1}\n", "", 0, NULL },
		{ "an empty file", "", "", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place place;
		struct logfile logfile;
		char bytes[sizeof(zeros) + 100];
		size_t used = strlen(cases[i].before);

		memcpy(bytes, cases[i].before, used);
		memcpy(bytes + used, cases[i].tail, cases[i].length);
		enter(&place);
		put_file(&place, "cupel.log", bytes, used + cases[i].length);
		open_log(&logfile, &place, settings_of(1 << 20, 3));
		logfile_close(&logfile);
		read_stream(&place, "cupel.log");
		size_t count = json_array_size(place.lines);
		const json_t *last = line_at(&place, count - 1);
		const char *text = text_of(last, "text");
		size_t whole = 0;

		for (size_t k = 0; k < used; k++)
			whole += cases[i].before[k] == '\n';
		test_row(!text == !cases[i].want &&
			 count == whole + (text != NULL),
			 "%s: got %zu lines, text %s", cases[i].name, count,
			 text);
		if (text)
			assert_memory_equal(text, cases[i].want,
					    strlen(cases[i].want));
		leave(&place);
	}
}

static void only_a_regular_file_is_opened(void **state)
{
	struct place place;
	struct logfile logfile;
	struct error why;
	struct stat status;

	(void)state;
	enter(&place);
	for (int kind = 0; kind < 3; kind++) {
		int r = kind == 0 ? symlinkat("x", place.dir_fd, "cupel.log") :
			kind == 1 ? mkfifoat(place.dir_fd, "cupel.log", 0640) :
				    mkdirat(place.dir_fd, "cupel.log", 0750);

		assert_int_equal(r, 0);
		r = logfile_open(&logfile, place.dir_fd, "cupel",
				 &logfile_defaults, &why);
		test_row(r < 0 && strstr(why.text, "cupel.log"),
			 "kind %d: got %d", kind, r);
		assert_false(is_there(&place, "x"));
		unlinkat(place.dir_fd, "cupel.log",
			 kind == 2 ? AT_REMOVEDIR : 0);
	}
	mode_t mask = umask(0);

	open_log(&logfile, &place, logfile_defaults);
	umask(mask);
	assert_int_equal(fstatat(place.dir_fd, "cupel.log", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	logfile_close(&logfile);
	leave(&place);
}

static void reopen_follows_the_name(void **state)
{
	struct place place;
	struct logfile logfile;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, settings_of(1 << 20, 3));
	write_number(&logfile, LEVEL_INFO, 1, 0);
	renameat(place.dir_fd, "cupel.log", place.dir_fd, "elsewhere");
	write_number(&logfile, LEVEL_INFO, 2, 0);
	assert_int_equal(logfile_reopen(&logfile, NULL), 0);
	write_number(&logfile, LEVEL_INFO, 3, 0);
	logfile_close(&logfile);
	read_file(&place, "elsewhere");
	assert_int_equal(json_array_size(place.lines), 2);
	read_file(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), 3);
	leave(&place);
}

static void one_file_that_cannot_be_reopened_keeps_no_other(void **state)
{
	struct place place;
	struct logfile logfile;
	struct error why;

	(void)state;
	enter(&place);
	open_log(&logfile, &place, settings_of(1 << 20, 3));
	renameat(place.dir_fd, "cupel.log", place.dir_fd, "elsewhere");
	renameat(place.dir_fd, "cupel.error.log", place.dir_fd, "errors");
	assert_int_equal(mkdirat(place.dir_fd, "cupel.log", 0750), 0);
	assert_true(logfile_reopen(&logfile, &why) < 0);
	assert_non_null(strstr(why.text, "cupel.log"));
	assert_int_equal(write_number(&logfile, LEVEL_ERROR, 1, 0), 0);
	logfile_close(&logfile);
	read_file(&place, "elsewhere");
	assert_int_equal(json_array_size(place.lines), 1);
	read_file(&place, "cupel.error.log");
	assert_int_equal(json_array_size(place.lines), 2);
	unlinkat(place.dir_fd, "cupel.log", AT_REMOVEDIR);
	leave(&place);
}

static int repeat(struct logfile *logfile, const char *message, int64_t now_ns)
{
	return write_record(logfile, LEVEL_WARNING, "test", message, now_ns,
			    NULL);
}

static void repeats_are_counted_and_told_once(void **state)
{
	struct place place;
	struct logfile logfile;
	struct logfile_settings settings = settings_of(1 << 20, 3);

	(void)state;
	enter(&place);
	settings.repeats_max = 5;
	open_log(&logfile, &place, settings);
	for (int i = 0; i < 8; i++)
		assert_int_equal(repeat(&logfile, "again", i), 0);
	repeat(&logfile, "something else", 8);
	assert_int_equal(logfile.counters.suppressed, 3);
	assert_int_equal(logfile.counters.written, 6);
	assert_int_equal(logfile_tick(&logfile, 10 * NS_PER_S - 1), 10 * NS_PER_S);
	read_stream(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), 6);
	assert_int_equal(logfile_tick(&logfile, 10 * NS_PER_S), INT64_MAX);
	assert_int_equal(logfile_tick(&logfile, 11 * NS_PER_S), INT64_MAX);
	repeat(&logfile, "again", 11 * NS_PER_S);
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), 8);
	const json_t *told = line_at(&place, 6);

	assert_true(says(told, "again"));
	assert_string_equal("warning", text_of(told, "level"));
	assert_string_equal("test", text_of(told, "component"));
	assert_int_equal(integer_of(told, "repeated"), 3);
	assert_null(json_object_get(line_at(&place, 7), "repeated"));
	leave(&place);
}

static void what_differs_is_no_repeat(void **state)
{
	struct place place;
	struct logfile logfile;
	struct logfile_settings settings = settings_of(1 << 20, 3);
	char text[200];

	(void)state;
	enter(&place);
	settings.repeats_max = 1;
	open_log(&logfile, &place, settings);
	write_record(&logfile, LEVEL_INFO, "a", "m", 0, NULL);
	write_record(&logfile, LEVEL_NOTICE, "a", "m", 0, NULL);
	write_record(&logfile, LEVEL_INFO, "b", "m", 0, NULL);
	write_record(&logfile, LEVEL_INFO, "a", "n", 0, NULL);
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 3; i++) {
		text[sizeof(text) - 1] = 0;
		text[sizeof(text) - 2] = (char)('0' + i);
		write_record(&logfile, LEVEL_INFO, "a", text, 0, NULL);
	}
	assert_int_equal(logfile.counters.suppressed, 0);
	assert_int_equal(logfile.counters.written, 7);
	logfile_close(&logfile);
	leave(&place);
}

/* More messages than are watched, and the end: no count is ever forgotten. */
static void repeats_are_told_when_no_longer_watched(void **state)
{
	struct place place;
	struct logfile logfile;
	struct logfile_settings settings = settings_of(1 << 20, 3);
	json_int_t repeated = 0;

	(void)state;
	enter(&place);
	settings.repeats_max = 1;
	open_log(&logfile, &place, settings);
	for (int i = 0; i < 3 * LOGFILE_REPEATS; i++) {
		char message[] = "m000";

		message[1] = (char)('0' + i / 10);
		message[2] = (char)('0' + i % 10);
		for (int k = 0; k < 3; k++)
			repeat(&logfile, message, i);
	}
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	for (size_t i = 0; i < json_array_size(place.lines); i++)
		repeated += integer_of(line_at(&place, i), "repeated");
	assert_int_equal(repeated, 3 * LOGFILE_REPEATS * 2);
	assert_int_equal(logfile.counters.suppressed, repeated);
	leave(&place);
}

static void short_of_space_only_errors_are_written(void **state)
{
	struct place place;
	struct logfile logfile;
	struct logfile_settings settings = settings_of(1 << 20, 3);

	(void)state;
	enter(&place);
	settings.free_bytes_min = UINT64_MAX;
	open_log(&logfile, &place, settings);
	for (int i = 0; i < 3; i++)
		assert_int_equal(repeat(&logfile, "dropped", 0), -ENOSPC);
	assert_int_equal(0, write_record(&logfile, LEVEL_ERROR, "test", "kept",
					 0, NULL));
	assert_int_equal(logfile.counters.dropped, 3);
	logfile.settings.free_bytes_min = 0;
	assert_int_equal(repeat(&logfile, "dropped", NS_PER_S - 1), -ENOSPC);
	assert_int_equal(repeat(&logfile, "back", NS_PER_S), 0);
	assert_int_equal(repeat(&logfile, "back", NS_PER_S), 0);
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	assert_int_equal(json_array_size(place.lines), 4);
	assert_true(says(line_at(&place, 0), "kept"));
	assert_true(says(line_at(&place, 1), "records dropped"));
	assert_int_equal(4, integer_of(line_at(&place, 1), "count"));
	read_stream(&place, "cupel.error.log");
	assert_int_equal(count_saying(&place, "kept"), 1);
	leave(&place);
}

static bool limit_files(const struct place *place)
{
	struct rlimit limit;

	(void)place;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 10000;
	return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static void unlimit_files(const struct place *place)
{
	struct rlimit limit;

	(void)place;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_DFL);
}

static bool write_map(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A mount namespace of one's own; an ordinary user is root of a user namespace. */
static bool may_mount(void)
{
	char users[32], groups[32];

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	snprintf(users, sizeof(users), "0 %u 1", geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       write_map("/proc/self/setgroups", "deny") &&
	       write_map("/proc/self/uid_map", users) &&
	       write_map("/proc/self/gid_map", groups);
}

/* A file system of 16 pages over the place, six of them taken by ballast. */
static bool mount_small(const struct place *place)
{
	static const char ballast[6 * 4096];

	if (!may_mount() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", place->path, "tmpfs", 0, "size=64k") < 0)
		return false;
	int fd = open(place->path, O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(dup2(fd, place->dir_fd), place->dir_fd);
	close(fd);
	put_file(place, "ballast", ballast, sizeof(ballast));
	return true;
}

static void remove_ballast(const struct place *place)
{
	unlinkat(place->dir_fd, "ballast", 0);
}

static bool ends_in_newline(const struct place *place)
{
	AUTO_CLOSE int fd = openat(place->dir_fd, "cupel.log", O_RDONLY);
	char last = 0;

	return lseek(fd, -1, SEEK_END) < 0 ||
	       (read(fd, &last, 1) == 1 && last == '\n');
}

/* Returns the numbers written; what failed must have left no trace. */
static size_t write_until_it_fails(struct logfile *logfile,
				   const struct place *place, json_int_t *ret)
{
	size_t written = 0;

	for (int n = 0; n < 200; n++) {
		int r = write_number(logfile, LEVEL_INFO, n, (size_t)n);

		if (r == 0)
			ret[written++] = n;
		assert_true(ends_in_newline(place));
	}
	return written;
}

/* Of what does not fit, no part is left; what was dropped is counted and told. */
static void write_beyond(bool (*begin)(const struct place *place),
			 void (*end)(const struct place *place))
{
	static json_int_t want[NUMBERS_MAX], got[NUMBERS_MAX];
	struct place place;
	struct logfile logfile;
	json_int_t told = 0;

	enter(&place);
	if (!begin(&place)) {
		leave(&place);
		test_skip("nothing can be mounted here");
	}
	open_log(&logfile, &place, settings_of(1 << 20, 3));
	size_t written = write_until_it_fails(&logfile, &place, want);

	end(&place);
	test_row(written > 10 && written < 200, "%zu written", written);
	want[written++] = 200;
	assert_int_equal(write_number(&logfile, LEVEL_INFO, 200, 0), 0);
	logfile_close(&logfile);
	read_stream(&place, "cupel.log");
	assert_int_equal(place.torn_count, 0);
	assert_int_equal(read_numbers(&place, got), written);
	assert_memory_equal(got, want, written * sizeof(*want));
	for (size_t k = 0; k < json_array_size(place.lines); k++)
		told += integer_of(line_at(&place, k), "count");
	assert_int_equal(told, 201 - written);
	assert_int_equal(logfile.counters.dropped, told);
	umount2(place.path, MNT_DETACH);
	leave(&place);
}

static void beyond_a_limit_on_file_sizes_no_part_is_left(void **state)
{
	(void)state;
	write_beyond(limit_files, unlimit_files);
}

static void on_a_full_file_system_no_part_is_left(void **state)
{
	(void)state;
	write_beyond(mount_small, remove_ballast);
}

/* Every fifth record is an error. A number is reported once it is written. */
static void write_until_killed(const struct place *place, int report_fd,
			       int64_t n, uint64_t seed)
{
	struct logfile logfile;
	struct logfile_settings settings = settings_of(12 * 1024, BACKUPS);
	struct random random;

	random_init(&random, seed);
	if (logfile_open(&logfile, place->dir_fd, "cupel", &settings, NULL) < 0)
		_exit(1);
	for (;; n++) {
		enum log_level level = n % 5 ? LEVEL_INFO : LEVEL_ERROR;

		if (write_number(&logfile, level, n,
				 random_below(&random, 1500)) < 0 ||
		    write(report_fd, &n, sizeof(n)) < 0)
			_exit(1);
	}
}

/* Runs a writer from first on, notes what it reports written, and kills it. */
static void kill_a_writer(const struct place *place, struct random *random,
			  int64_t first, bool *reported)
{
	int64_t n = first;
	uint64_t enough = random_below(random, 300);
	uint64_t seed = random_next(random);
	struct timespec pause = {
		.tv_nsec = (long)random_below(random, 200000) };
	int ends[2], status;

	/* A page of reports is how far the writer may run ahead. */
	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	pid_t pid = fork();

	if (pid == 0)
		write_until_killed(place, ends[1], first, seed);
	close(ends[1]);
	while (n < first + (int64_t)enough && read(ends[0], &n, sizeof(n)) > 0)
		reported[n] = true;
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	while (read(ends[0], &n, sizeof(n)) > 0)
		reported[n] = true;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/*
 * The numbers ascend in steps from 0; one may be missing from the errors only,
 * and only if the kill came between the two files, before it was reported.
 * Returns the first number free.
 */
static int64_t check_numbers(const struct place *place, int64_t step,
			     const bool *reported)
{
	static json_int_t numbers[NUMBERS_MAX];
	size_t count = read_numbers(place, numbers);
	int64_t next = 0;

	for (size_t i = 0; i < count; i++, next += step) {
		for (; next < numbers[i]; next += step)
			test_row(step > 1 && !reported[next],
				 "%" PRId64 " is missing", next);
		test_row(numbers[i] == next, "got %lld, want %" PRId64,
			 (long long)numbers[i], next);
	}
	for (int64_t n = next; n < NUMBERS_MAX; n += step)
		test_row(!reported[n], "%" PRId64 " is lost", n);
	return next;
}

static void kill_9_loses_and_tears_nothing(void **state)
{
	struct random random;
	size_t torn = 0;

	(void)state;
	test_random_init(&random, "kill -9");
	for (int round = 0; round < KILL_ROUNDS; round++) {
		bool reported[NUMBERS_MAX] = { false };
		struct place place;
		struct logfile logfile;
		int64_t next = 0;

		enter(&place);
		for (int life = 0; life < 3; life++) {
			kill_a_writer(&place, &random, next, reported);
			read_stream(&place, "cupel.log");
			assert_in_range(place.torn_count, 0, 1);
			torn += place.torn_count;
			next = check_numbers(&place, 1, reported);
			read_stream(&place, "cupel.error.log");
			assert_in_range(place.torn_count, 0, 1);
			torn += place.torn_count;
			check_numbers(&place, 5, reported);
		}
		open_log(&logfile, &place, settings_of(12 * 1024, BACKUPS));
		logfile_close(&logfile);
		read_stream(&place, "cupel.log");
		assert_int_equal(place.torn_count, 0);
		assert_int_equal(check_numbers(&place, 1, reported), next);
		leave(&place);
	}
	printf("# %d kills, %zu within a write\n", 3 * KILL_ROUNDS, torn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_arrives_through_the_sink),
		cmocka_unit_test(errors_go_to_both_streams),
		cmocka_unit_test(a_file_is_filled_to_the_byte),
		cmocka_unit_test(the_newest_files_are_kept),
		cmocka_unit_test(a_rotation_cut_short_is_continued),
		cmocka_unit_test(a_torn_tail_becomes_a_record),
		cmocka_unit_test(only_a_regular_file_is_opened),
		cmocka_unit_test(reopen_follows_the_name),
		cmocka_unit_test(one_file_that_cannot_be_reopened_keeps_no_other),
		cmocka_unit_test(repeats_are_counted_and_told_once),
		cmocka_unit_test(what_differs_is_no_repeat),
		cmocka_unit_test(repeats_are_told_when_no_longer_watched),
		cmocka_unit_test(short_of_space_only_errors_are_written),
		cmocka_unit_test(kill_9_loses_and_tears_nothing),
		cmocka_unit_test(beyond_a_limit_on_file_sizes_no_part_is_left),
		cmocka_unit_test(on_a_full_file_system_no_part_is_left),
	};

	return cmocka_run_group_tests_name("logfile", tests, NULL, NULL);
}
