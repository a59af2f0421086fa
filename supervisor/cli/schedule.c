#include "supervisor/cli/schedule.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/core/hash.h"
#include "common/places.h"
#include "common/text.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/grid.h"

#define FOLDER "schedules"
#define FILE_BYTES_MAX 8192
#define NEW ".new"
#define SLEEP_NS (60 * NS_PER_S)	/* at a time: the wall clock may jump */

/* ---- the files ---- */

static int open_folder(bool make, struct error *why)
{
	char path[PLACES_BYTES + sizeof(FOLDER) + 1];
	struct places places;
	int r = places_find(&places, why);

	if (r == 0 && make)
		r = places_make(&places, why);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/" FOLDER, places.state);
	if (make)
		mkdir(path, 0700);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_set(why, -errno, "%s: %s", path, strerror(errno)) : fd;
}

/* NULL if it is none of ours. */
static json_t *read_file(int fd)
{
	const struct json_limits limits = { FILE_BYTES_MAX, 4 };
	char text[FILE_BYTES_MAX];
	ssize_t length = pread(fd, text, sizeof(text), 0);
	json_t *ret = NULL;

	if (length <= 0 || json_parse((struct span){ (uint8_t *)text, (size_t)length }, limits,
				      &ret, NULL) < 0)
		return NULL;
	return ret;
}

/* -1 with errno EAGAIN if another process has it. */
static int lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &whole);
}

/* Whoever has replaced it keeps the one that is there now. */
static bool is_kept(int fd)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct stat about;

	return (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) ||
	       (fstat(fd, &about) == 0 && about.st_nlink == 0);
}

static char *text_of(const struct scheduled *scheduled)
{
	json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:s}",
		"workspace", scheduled->workspace, "mode", scheduled->mode,
		"every_ns", (json_int_t)scheduled->terms.every_ns,
		"jitter_ns", (json_int_t)scheduled->terms.jitter_ns,
		"load", scheduled->terms.load_most,
		"due_ns", (json_int_t)scheduled->schedule.due_ns,
		"began_ns", (json_int_t)scheduled->schedule.began_ns,
		"ended_ns", (json_int_t)scheduled->schedule.ended_ns,
		"failures", (json_int_t)scheduled->schedule.failures,
		"outcome", scheduled->outcome);
	char *text = json_dumps(row, JSON_COMPACT);

	json_decref(row);
	return text;
}

/* A file of that name with that text, locked, on the disk; or a negative errno. */
static int write_new(int folder, const char *name, const char *text)
{
	size_t length = strlen(text);
	AUTO_CLOSE int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW |
				   O_CLOEXEC, 0600);

	if (fd < 0 || lock(fd) < 0)
		return -errno;
	ssize_t written = write(fd, text, length);

	if (written < 0 || fsync(fd) < 0)
		return -errno;
	return (size_t)written < length ? -ENOSPC : fd_take(&fd);
}

/* In place of the one there is, which stays if it cannot be done. */
static int replace_file(struct scheduled *scheduled)
{
	char name[sizeof(scheduled->id) + sizeof(NEW)];
	AUTO_FREE char *text = text_of(scheduled);

	if (!text)
		return -EILSEQ;	/* JSON is UTF-8 */
	snprintf(name, sizeof(name), "%s" NEW, scheduled->id);
	AUTO_CLOSE int fd = write_new(scheduled->folder, name, text);

	if (fd < 0)
		return fd;
	if (renameat(scheduled->folder, name, scheduled->folder, scheduled->id) < 0)
		return -errno;
	close(scheduled->fd);
	scheduled->fd = fd_take(&fd);
	return 0;
}

static void write_file(struct scheduled *scheduled)
{
	int r = replace_file(scheduled);

	if (r < 0)
		fprintf(stderr, "cupel improve: the schedule cannot be written down: %s\n",
			strerror(-r));
}

static void set_outcome(struct scheduled *scheduled, const char *text)
{
	text_escape(span_of_text(text), scheduled->outcome, sizeof(scheduled->outcome));
}

static void recall(struct scheduled *scheduled)
{
	json_t *row = read_file(scheduled->fd);
	int64_t now_ns = clock_wall_ns();

	scheduled->schedule = (struct schedule){
		.due_ns = json_integer_value(json_object_get(row, "due_ns")),
		.began_ns = json_integer_value(json_object_get(row, "began_ns")),
		.ended_ns = json_integer_value(json_object_get(row, "ended_ns")),
		.failures = (unsigned)json_integer_value(json_object_get(row, "failures")),
	};
	set_outcome(scheduled, row ? member_text(row, "outcome") : "");
	json_decref(row);
	if (scheduled->schedule.began_ns > scheduled->schedule.ended_ns)
		set_outcome(scheduled, "it was cut short");
	schedule_resume(&scheduled->schedule, &scheduled->terms, now_ns, &scheduled->random);
}

/* The file of that name, locked; -EAGAIN if another process keeps it. */
static int open_locked(int folder, const char *name)
{
	struct stat about;

	for (;;) {
		AUTO_CLOSE int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW |
					   O_CLOEXEC, 0600);

		if (fd < 0 || lock(fd) < 0 || fstat(fd, &about) < 0)
			return -errno;
		if (about.st_nlink > 0)
			return fd_take(&fd);
		/* It was replaced while we took it. */
	}
}

int scheduled_open(struct scheduled *scheduled, struct error *why)
{
	static const struct hash_key key;	/* the paths are the user's own */
	AUTO_CLOSE int folder = open_folder(true, why);

	if (folder < 0)
		return folder;
	snprintf(scheduled->id, sizeof(scheduled->id), "%016" PRIx64,
		 hash_bytes(&key, span_of_text(scheduled->workspace)));
	int fd = open_locked(folder, scheduled->id);

	if (fd == -EAGAIN)
		return error_set_code(why, -EBUSY, ERROR_RESOURCE_EXHAUSTED,
				      "another 'cupel improve --every' keeps the schedule of %s; end it first",
				      scheduled->workspace);
	if (fd < 0)
		return error_set(why, fd, FOLDER "/%s: %s", scheduled->id, strerror(-fd));
	scheduled->folder = fd_take(&folder);
	scheduled->fd = fd;
	scheduled->told = SCHEDULE_START;
	random_init(&scheduled->random, (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 32);
	recall(scheduled);
	write_file(scheduled);
	return 0;
}

/* ---- what there is to be seen ---- */

/* Where no supervisor runs, none. What is queued there includes this question. */
static unsigned calls_in_flight(void)
{
	AUTO_DISCONNECT struct connection *connection = NULL;
	json_t *status = NULL;
	struct error ignored;
	double count = 0;

	if (connect_open(false, &connection, &ignored) == 0 &&
	    ask_router_json(connection, "router.status", NULL, &status, &ignored) == 0) {
		count = member_number(json_object_get(status, "calls"), "in_flight");
		json_decref(status);
	}
	return (unsigned)count;
}

static struct schedule_sight see(const struct scheduled *scheduled)
{
	struct schedule_sight ret = { .now_ns = clock_wall_ns() };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (ret.now_ns < scheduled->schedule.due_ns)
		return ret;
	if (getloadavg(&ret.load, 1) == 1 && processors > 0)
		ret.load /= (double)processors;
	ret.in_flight = calls_in_flight();
	return ret;
}

/* Once for each reason, and each time that it is due anew. */
static void tell(struct scheduled *scheduled, enum schedule_word word,
		 const struct schedule_sight *sight)
{
	double wait_s = (double)(scheduled->schedule.due_ns - sight->now_ns) / NS_PER_S;

	if (word == scheduled->told)
		return;
	scheduled->told = word;
	if (word == SCHEDULE_EARLY)
		fprintf(stderr, "cupel improve: the next one in %s%s\n",
			quantity_age(wait_s).text, scheduled->schedule.failures ?
			", later than asked for after a failure" : "");
	else if (word == SCHEDULE_BUSY)
		fprintf(stderr, "cupel improve: due, and waits until no other call runs\n");
	else if (word == SCHEDULE_LOADED)
		fprintf(stderr, "cupel improve: due, and waits until the load, %.2f, is at most %.2f a processor\n",
			sight->load, scheduled->terms.load_most);
}

/* ---- the loop ---- */

/* From here on they wait to be read: by us, or as the end of a campaign. */
static sigset_t block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

/* True: it is to end. */
static bool wait_until(int64_t wall_ns, const sigset_t *signals)
{
	int64_t left_ns = wall_ns - clock_wall_ns();

	if (left_ns > SLEEP_NS)
		left_ns = SLEEP_NS;
	if (left_ns < 0)
		left_ns = 0;
	return sigtimedwait(signals, NULL, &(struct timespec){ left_ns / NS_PER_S,
							       left_ns % NS_PER_S }) > 0;
}

static void run_one(struct scheduled *scheduled, struct campaign_end *ret)
{
	schedule_begin(&scheduled->schedule, clock_wall_ns());
	write_file(scheduled);
	scheduled->campaign(scheduled->owner, ret);
	schedule_end(&scheduled->schedule, &scheduled->terms, ret->how, clock_wall_ns(),
		     &scheduled->random);
	set_outcome(scheduled, ret->text);
	write_file(scheduled);
	scheduled->told = SCHEDULE_START;
}

int scheduled_run(struct scheduled *scheduled)
{
	const sigset_t signals = block_signals();
	struct campaign_end end = { 0 };

	for (;;) {
		struct schedule_sight sight = see(scheduled);
		int64_t look_ns;
		enum schedule_word word = schedule_decide(&scheduled->schedule,
							  &scheduled->terms, &sight, &look_ns);

		if (word == SCHEDULE_START) {
			run_one(scheduled, &end);
			if (end.asked)
				return end.how == SCHEDULE_CUT ? EXIT_CANCELLED : EXIT_OK;
			continue;
		}
		tell(scheduled, word, &sight);
		if (wait_until(look_ns, &signals))
			return EXIT_OK;
	}
}

/* ---- all of them ---- */

static void add_row(json_t *list, int folder, const char *name)
{
	AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	json_t *row = fd < 0 ? NULL : read_file(fd);

	if (!json_is_object(row)) {
		json_decref(row);
		return;
	}
	json_object_set_new(row, "kept", json_boolean(is_kept(fd)));
	json_array_append_new(list, row);
}

json_t *scheduled_list(void)
{
	struct error ignored;
	json_t *list = json_array();
	int folder = open_folder(false, &ignored);
	DIR *stream = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (strlen(entry->d_name) == SCHEDULE_ID_LETTERS)
			add_row(list, folder, entry->d_name);
	if (stream)
		closedir(stream);
	return list;
}

static void add_cells(struct grid *grid, const json_t *row)
{
	double now_ns = (double)clock_wall_ns();
	double wait_s = (member_number(row, "due_ns") - now_ns) / NS_PER_S;
	double failures = member_number(row, "failures");
	bool kept = json_is_true(json_object_get(row, "kept"));
	bool runs = member_number(row, "began_ns") > member_number(row, "ended_ns");

	grid_cell(grid, TABLE_PLAIN, "%s", member_text(row, "workspace"));
	grid_cell(grid, TABLE_PLAIN, "%s", member_text(row, "mode"));
	grid_cell(grid, TABLE_PLAIN, "%s",
		  quantity_age(member_number(row, "every_ns") / NS_PER_S).text);
	grid_cell(grid, kept ? TABLE_PLAIN : TABLE_WARN, "%s", !kept ? "stopped" :
		  runs ? "runs" : wait_s <= 0 ? "due" : quantity_age(wait_s).text);
	grid_cell(grid, failures > 0 ? TABLE_BAD : TABLE_PLAIN, "%.0f", failures);
	grid_cell(grid, TABLE_PLAIN, "%s", member_text(row, "outcome"));
}

void scheduled_print(const struct table *look, const json_t *list)
{
	static const struct grid_column columns[] = {
		{ "SCHEDULE", false, true }, { "MODE", false, false },
		{ "EVERY", true, false }, { "NEXT", true, false },
		{ "FAILURES", true, false }, { "LAST", false, true },
	};
	struct grid grid;
	const json_t *row;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)list, i, row)
		add_cells(&grid, row);
	grid_print(&grid, look);
}
