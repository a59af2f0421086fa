/*
 * cupel-job: runs one foreign command and is gone.
 *
 *	CALL --> spawn --> output as it comes --> its end --> verdict, exit
 *
 * The worker waits inside the very sandbox the command gets, so a call costs a
 * message and an exec. When the command's own process has ended, everything it
 * left behind is killed: nothing else of this user lives in this namespace of
 * processes but the sandbox's init. Time runs from just before the spawn to
 * that end, by our clock.
 *
 * Output beyond the limit ends the command; the head has been passed on by
 * then, and the tail is kept and sent last.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"
#include "sandbox/path.h"
#include "workers/worker.h"

#define ARGUMENTS_MAX 1024
#define READ_BYTES 65536
#define TAIL_BYTES 4096
#define GRACE_NS (2 * NS_PER_S)
#define OUTPUT_BYTES_STANDARD (64U << 20)
#define COLLECT_BYTES_MAX (1U << 20)

extern const struct worker_contract contract_job;

struct stream {
	struct job *job;
	struct loop_source source;	/* fd -1: at its end */
	uint32_t number;		/* 1 stdout, 2 stderr */
	bool listening;
	char held[READ_BYTES];		/* read, not passed on yet */
	size_t held_bytes;
	uint64_t bytes, dropped;
	char tail[TAIL_BYTES];		/* a ring of what was dropped last */
};

enum cause { CAUSE_EXITED, CAUSE_WALL, CAUSE_CPU, CAUSE_OUTPUT, CAUSE_CANCELLED };

struct job {
	struct worker_call *call;
	pid_t pid;
	struct loop_child child;
	struct stream streams[2];
	int64_t began_ns, ended_ns, wall_at_ns, kill_at_ns;
	uint64_t output_most;
	enum cause cause;
	bool stopping, ended;
	struct loop_exit exit;
};

static void settle(struct job *job);

/* ---- ending it ---- */

static void wake_next(struct job *job)
{
	worker_wake_at(job->call, deadline_earlier(job->wall_at_ns, job->kill_at_ns));
}

/* Everything in this namespace but its init and ourselves. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
}

static void stop(struct job *job, enum cause cause)
{
	if (job->stopping || job->ended)
		return;
	job->stopping = true;
	job->cause = cause;
	job->wall_at_ns = DEADLINE_NEVER;
	job->kill_at_ns = clock_now_ns() + GRACE_NS;
	kill(-job->pid, SIGTERM);
	wake_next(job);
}

static void on_woken(struct worker_call *call)
{
	struct job *job = call->state;
	int64_t now_ns = clock_now_ns();

	if (job->ended)
		return;
	if (now_ns >= job->kill_at_ns) {
		job->kill_at_ns = DEADLINE_NEVER;
		kill_all();
	} else if (now_ns >= job->wall_at_ns) {
		stop(job, CAUSE_WALL);
	}
	wake_next(job);
}

static void on_stopped(struct worker_call *call)
{
	struct job *job = call->state;

	if (!job->ended)
		stop(job, CAUSE_CANCELLED);
}

/* ---- its output ---- */

static void drop(struct stream *stream, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		stream->tail[stream->dropped++ % TAIL_BYTES] = bytes[i];
}

/* Passes on what is held; what is left waits for the caller's credit. */
static void pass_on(struct stream *stream)
{
	size_t sent = worker_chunk_some(stream->job->call, stream->number,
					(struct span){ (const uint8_t *)stream->held,
						       stream->held_bytes });

	memmove(stream->held, stream->held + sent, stream->held_bytes - sent);
	stream->held_bytes -= sent;
}

/* A full pipe is what slows a command down whose reader is slow. */
static void listen_or_not(struct stream *stream)
{
	bool listen = stream->held_bytes == 0;

	if (stream->source.fd < 0 || listen == stream->listening)
		return;
	loop_modify(stream->job->call->worker->loop, &stream->source,
		    listen ? EPOLLIN : 0U, NULL);
	stream->listening = listen;
}

static void end_stream(struct stream *stream)
{
	loop_remove(stream->job->call->worker->loop, &stream->source);
	close(stream->source.fd);
	stream->source.fd = -1;
}

static void take(struct stream *stream, char *bytes, size_t count)
{
	struct job *job = stream->job;
	uint64_t total = job->streams[0].bytes + job->streams[1].bytes;
	uint64_t room = total < job->output_most ? job->output_most - total : 0;
	size_t kept = count < room ? count : (size_t)room;

	stream->bytes += count;
	memcpy(stream->held, bytes, kept);
	stream->held_bytes = kept;
	drop(stream, bytes + kept, count - kept);
	if (kept < count)
		stop(job, CAUSE_OUTPUT);
	pass_on(stream);
}

static void on_output(void *owner, uint32_t events, int64_t now_ns)
{
	static char bytes[READ_BYTES];	/* one thread */
	struct stream *stream = owner;
	struct job *job = stream->job;

	(void)events;
	(void)now_ns;
	if (stream->held_bytes == 0) {
		ssize_t n = read(stream->source.fd, bytes, sizeof(bytes));

		if (n > 0)
			take(stream, bytes, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			end_stream(stream);
	}
	listen_or_not(stream);
	settle(job);
}

static void on_writable(struct worker_call *call)
{
	struct job *job = call->state;

	for (size_t i = 0; i < COUNT(job->streams); i++) {
		pass_on(&job->streams[i]);
		listen_or_not(&job->streams[i]);
	}
	settle(job);
}

/* ---- the verdict ---- */

static int64_t ns_of(const struct timeval *time)
{
	return time->tv_sec * NS_PER_S + time->tv_usec * 1000;
}

static const char *cause_of(const struct job *job)
{
	static const char *const names[] = { "exited", "wall", "cpu", "output", "cancelled" };
	bool signaled = job->exit.code != CLD_EXITED;

	if (job->stopping)
		return names[job->cause];
	if (signaled && job->exit.status == SIGXCPU)
		return "cpu";
	return signaled ? job->exit.status == SIGSYS ? "denied" : "signaled" : "exited";
}

static void collect_file(json_t *collected, const char *path)
{
	AUTO_CLOSE int fd = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT, NULL);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > COLLECT_BYTES_MAX)
		return;
	AUTO_FREE char *text = malloc((size_t)status.st_size + 1);
	ssize_t length = text ? read(fd, text, (size_t)status.st_size) : -1;

	if (length >= 0)	/* NULL of what is no UTF-8: then it is left out */
		json_object_set_new(collected, path, json_stringn(text, (size_t)length));
}

static json_t *collect(const struct job *job)
{
	const json_t *paths = json_object_get(job->call->arguments, "collect");
	json_t *ret = json_object();

	for (size_t i = 0; i < json_array_size(paths); i++)
		collect_file(ret, json_string_value(json_array_get(paths, i)));
	return ret;
}

static json_t *verdict(const struct job *job)
{
	const struct rusage *usage = &job->exit.usage;
	bool exited = job->exit.code == CLD_EXITED;
	json_t *ret = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:o}", "schema",
		"cupel.run/1", "cause", cause_of(job), "wall_ns",
		(json_int_t)(job->ended_ns - job->began_ns), "user_ns",
		(json_int_t)ns_of(&usage->ru_utime), "system_ns",
		(json_int_t)ns_of(&usage->ru_stime), "maxrss_bytes",
		(json_int_t)usage->ru_maxrss * 1024, "output", "stdout_bytes",
		(json_int_t)job->streams[0].bytes, "stderr_bytes",
		(json_int_t)job->streams[1].bytes, "dropped",
		(json_int_t)(job->streams[0].dropped + job->streams[1].dropped), "collected",
		collect(job));

	json_object_set_new(ret, "exit_code", exited ? json_integer(job->exit.status) : json_null());
	json_object_set_new(ret, "signal", exited ? json_null() : json_integer(job->exit.status));
	return ret;
}

/* The ring in its order, behind the head. */
static void hold_tail(struct stream *stream)
{
	size_t count = stream->dropped < TAIL_BYTES ? (size_t)stream->dropped : TAIL_BYTES;
	uint64_t first = stream->dropped - count;

	for (size_t i = 0; i < count && stream->held_bytes < sizeof(stream->held); i++)
		stream->held[stream->held_bytes++] = stream->tail[(first + i) % TAIL_BYTES];
}

/* It is over when the process has ended and all it wrote has been passed on. */
static void settle(struct job *job)
{
	struct worker_call *call = job->call;

	if (!job->ended)
		return;
	for (size_t i = 0; i < COUNT(job->streams); i++)
		if (job->streams[i].source.fd >= 0 || job->streams[i].held_bytes)
			return;
	if (call->state) {
		call->state = NULL;	/* nothing is heard of it any more */
		worker_finish(call, verdict(job));
	}
}

static void on_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct job *job = owner;

	(void)now_ns;
	job->ended_ns = clock_now_ns();
	job->ended = true;
	job->exit = *exit;
	kill_all();
	for (size_t i = 0; i < COUNT(job->streams); i++) {
		hold_tail(&job->streams[i]);
		pass_on(&job->streams[i]);
		listen_or_not(&job->streams[i]);
	}
	settle(job);
}

/* ---- the command ---- */

static char **text_list(struct worker_call *call, const json_t *list, struct error *why)
{
	size_t count = json_array_size(list);
	char **ret = arena_alloc_array(&call->memory, count + 1, sizeof(*ret));

	if (!ret) {
		error_set(why, -ENOMEM, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		ret[i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
	return ret;
}

/* Ours, which is the policy's, with the call's names over it. */
static char **environment_of(struct worker_call *call, struct error *why)
{
	json_t *asked = json_object_get(call->arguments, "env"), *value;
	size_t count = 0, kept = 0;
	const char *name;

	while (environ[count])
		count++;
	char **ret = arena_alloc_array(&call->memory, count + json_object_size(asked) + 1,
				       sizeof(*ret));

	for (size_t i = 0; ret && i < count; i++) {
		size_t length = strcspn(environ[i], "=");
		char own[256];

		snprintf(own, sizeof(own), "%.*s", (int)length, environ[i]);
		if (!json_object_get(asked, own))
			ret[kept++] = environ[i];
	}
	json_object_foreach(asked, name, value) {
		char *entry = ret ? arena_text(&call->memory, "%s=%s", name,
					       json_string_value(value)) : NULL;

		if (!entry) {
			error_set(why, -ENOMEM, "out of memory");
			return NULL;
		}
		ret[kept++] = entry;
	}
	return ret;
}

static int open_input(const struct worker_call *call, struct error *why)
{
	const json_t *text = json_object_get(call->arguments, "stdin");
	AUTO_CLOSE int fd = -1;

	if (!text)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0 || write(fd, json_string_value(text), json_string_length(text)) !=
			      (ssize_t)json_string_length(text) ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return error_set(why, -errno, "stdin: %s", strerror(errno));
	return fd_take(&fd);
}

static int open_stream(struct job *job, int index, int *ret_theirs, struct error *why)
{
	struct stream *stream = &job->streams[index];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	stream->job = job;
	stream->number = (uint32_t)index + 1;
	stream->listening = true;
	stream->source = (struct loop_source){ .fd = ends[0], .ready = on_output,
					       .owner = stream };
	*ret_theirs = ends[1];
	return loop_add(job->call->worker->loop, &stream->source, EPOLLIN, why);
}

static int spawn(struct job *job, const int fds[3], char **argv, char **envp,
		 struct error *why)
{
	const char *cwd = json_string_value(json_object_get(job->call->arguments, "cwd"));
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	if (cwd)
		posix_spawn_file_actions_addchdir_np(&actions, cwd);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	sigaddset(&none, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &none);
	job->began_ns = clock_now_ns();
	r = posix_spawnp(&job->pid, argv[0], &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r ? error_set(why, -r, "%s: %s", argv[0], strerror(r)) : 0;
}

static int64_t limit_of(const struct worker_call *call, const char *name, int64_t standard)
{
	const json_t *value = json_object_get(json_object_get(call->arguments, "limits"), name);

	return json_is_integer(value) ? json_integer_value(value) : standard;
}

static void limit(struct job *job)
{
	int64_t wall_ms = limit_of(job->call, "wall_ms", 0);
	int64_t cpu_ms = limit_of(job->call, "cpu_ms", 0);

	job->wall_at_ns = wall_ms ? job->began_ns + wall_ms * NS_PER_MS : DEADLINE_NEVER;
	if (cpu_ms) {
		rlim_t seconds = (rlim_t)(cpu_ms + 999) / 1000;

		prlimit(job->pid, RLIMIT_CPU, &(struct rlimit){ seconds, seconds + 1 }, NULL);
	}
	wake_next(job);
}

static int watch(struct job *job, struct error *why)
{
	int pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);

	if (pidfd < 0)
		return error_set(why, -errno, "pidfd_open: %s", strerror(errno));
	job->child = (struct loop_child){ .pidfd = pidfd, .exited = on_exited, .owner = job };
	return loop_watch_child(job->call->worker->loop, &job->child, why);
}

/* A command that cannot be started is a verdict, not a failure of ours. */
static json_t *not_started(const struct error *why, int r)
{
	return json_pack("{s:s, s:s, s:i, s:n, s:s}", "schema", "cupel.run/1", "cause",
			 "setup_failed", "exit_code", r == -ENOENT ? 127 : 126, "signal",
			 "detail", why->text);
}

static int start_job(struct job *job, struct error *why)
{
	struct worker_call *call = job->call;
	char **argv = text_list(call, json_object_get(call->arguments, "argv"), why);
	char **envp = argv ? environment_of(call, why) : NULL;
	AUTO_CLOSE int input = envp ? open_input(call, why) : -1;
	AUTO_CLOSE int output = -1;
	AUTO_CLOSE int errors = -1;
	int theirs = -1;

	if (input < 0)
		return envp ? input : -ENOMEM;
	int r = open_stream(job, 0, &theirs, why);

	output = theirs;
	if (r == 0)
		r = open_stream(job, 1, &theirs, why);
	errors = theirs;
	return r < 0 ? r : spawn(job, (const int[]){ input, output, errors }, argv, envp, why);
}

static int serve(struct worker_call *call, json_t **ret, struct error *why)
{
	struct job *job = arena_alloc(&call->memory, sizeof(*job));

	if (!job)
		return error_set(why, -ENOMEM, "out of memory");
	*job = (struct job){ .call = call, .kill_at_ns = DEADLINE_NEVER,
			     .streams = { { .source.fd = -1 }, { .source.fd = -1 } } };
	job->output_most = (uint64_t)limit_of(call, "output_bytes", OUTPUT_BYTES_STANDARD);
	int r = start_job(job, why);

	if (r < 0) {
		for (size_t i = 0; i < COUNT(job->streams); i++)
			if (job->streams[i].source.fd >= 0)
				end_stream(&job->streams[i]);
		*ret = not_started(why, r);
		return 0;
	}
	r = watch(job, why);
	if (r < 0) {
		kill_all();
		return r;
	}
	call->state = job;
	limit(job);
	return WORKER_PENDING;
}

static void stopped(struct worker_call *call)
{
	if (call->state)
		on_stopped(call);
}

static void woken(struct worker_call *call)
{
	if (call->state)
		on_woken(call);
}

static void writable(struct worker_call *call)
{
	if (call->state)
		on_writable(call);
}

static const struct worker_tool tools[] = {
	{ .name = NULL, .serve = serve, .stopped = stopped, .writable = writable,
	  .woken = woken },
};

int main(void)
{
	return worker_main(&(struct worker_program){
		.name = "cupel-job", .contract = &contract_job, .tools = tools,
		.tool_count = 1, .single_use = true });
}
