/*
 * cupel-job - runs one foreign command and is gone.
 *
 *	CALL --> ACCEPT, spawn --> output as it comes --> its end --> verdict, exit
 *
 * The worker waits inside the very sandbox the command gets, so that a call
 * costs a message and an exec. When the command's own process has ended,
 * everything it left behind is killed and waited for (tree.h); time runs from
 * just before the spawn to that end, on our clock, and the use of processor
 * and memory is the kernel's count, so that nothing the command writes decides
 * about it.
 *
 * Limit or cancellation ask it to end by TERM and, a while later, end it. A
 * command that could not be started is a verdict, too, not a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "sandbox/path.h"
#include "workers/job/output.h"
#include "workers/job/tree.h"

#define GRACE_NS (2 * NS_PER_S)			/* from TERM to KILL */
#define CANCEL_GRACE_NS (500 * NS_PER_MS)	/* the router waits a second */
#define OUTPUT_BYTES_STANDARD (64U << 20)
#define COLLECT_BYTES_MAX (1U << 20)		/* of a file */

extern const struct worker_contract contract_job;

enum cause { CAUSE_NONE, CAUSE_WALL, CAUSE_OUTPUT, CAUSE_CANCELLED };

struct job {
	struct worker_call *call;
	pid_t pid;
	struct loop_child child;
	struct output output;
	int64_t began_ns, ended_ns;	/* 0: not yet */
	int64_t began_count, ended_count;	/* instructions; -1: not counted */
	int64_t wall_at_ns, kill_at_ns;
	enum cause cause;		/* why we have ended it */
	struct loop_exit exit;
};

/* ---- ending it ---- */

static void wake_next(struct job *job)
{
	worker_wake_at(job->call,
		       deadline_earlier(job->wall_at_ns, job->kill_at_ns));
}

static void stop(struct job *job, enum cause cause, int64_t grace_ns)
{
	int64_t kill_at_ns = clock_now_ns() + grace_ns;

	if (job->ended_ns)
		return;
	if (job->cause == CAUSE_NONE) {
		job->cause = cause;
		kill(-job->pid, SIGTERM);
	}
	job->wall_at_ns = DEADLINE_NEVER;
	job->kill_at_ns = deadline_earlier(job->kill_at_ns, kill_at_ns);
	wake_next(job);
}

static void woken(struct worker_call *call)
{
	struct job *job = call->state;
	int64_t now_ns = clock_now_ns();

	if (!job || job->ended_ns)
		return;
	if (now_ns >= job->kill_at_ns) {
		job->kill_at_ns = DEADLINE_NEVER;
		tree_kill(job->pid);
	} else if (now_ns >= job->wall_at_ns) {
		stop(job, CAUSE_WALL, GRACE_NS);
	}
	wake_next(job);
}

static void on_exceeded(void *owner)
{
	stop(owner, CAUSE_OUTPUT, GRACE_NS);
}

/* ---- the verdict ---- */

/* Whether the command's own process was stopped on its way, by whomever. */
static volatile sig_atomic_t was_stopped;

static void on_child(int number, siginfo_t *about, void *context)
{
	(void)number;
	(void)context;
	if (about->si_code == CLD_STOPPED)
		was_stopped = 1;
}

static int64_t ns_of(const struct timeval *time)
{
	return time->tv_sec * NS_PER_S + time->tv_usec * 1000;
}

static const char *cause_of(const struct job *job)
{
	static const char *const ours[] = {
		[CAUSE_WALL] = "wall", [CAUSE_OUTPUT] = "output",
		[CAUSE_CANCELLED] = "cancelled",
	};

	if (job->cause != CAUSE_NONE)
		return ours[job->cause];
	if (job->exit.code == CLD_EXITED)
		return "exited";
	return job->exit.status == SIGXCPU ? "cpu" :
	       job->exit.status == SIGSYS  ? "denied" : "signaled";
}

static void collect_file(json_t *collected, const char *path)
{
	AUTO_CLOSE int fd = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0,
				      PATH_STRICT, NULL);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > COLLECT_BYTES_MAX)
		return;
	AUTO_FREE char *text = malloc((size_t)status.st_size + 1);
	ssize_t length = text ? read(fd, text, (size_t)status.st_size) : -1;

	if (length >= 0)	/* NULL of what is no UTF-8: then it is left out */
		json_object_set_new(collected, path,
				    json_stringn(text, (size_t)length));
}

static json_t *collect(const struct job *job)
{
	const json_t *paths = json_object_get(job->call->arguments, "collect");
	json_t *ret = json_object();

	for (size_t i = 0; i < json_array_size(paths); i++)
		collect_file(ret, json_string_value(json_array_get(paths, i)));
	return ret;
}

static json_t *output_json(const struct output *output)
{
	const struct output_stream *streams = output->streams;

	return json_pack("{sI sI sI}",
		"stdout_bytes", (json_int_t)streams[0].bytes,
		"stderr_bytes", (json_int_t)streams[1].bytes,
		"dropped", (json_int_t)streams[0].dropped + (json_int_t)streams[1].dropped);
}

/* Whether there was one when this program began: later it is a number of ours. */
static bool has_counter;

/* Of user space, since this program began; -1 where nobody counts. */
static int64_t instructions(void)
{
	uint64_t count;

	return has_counter && read(WORKER_COUNTER_FD, &count, sizeof(count)) == sizeof(count) ?
		       (int64_t)count : -1;
}

static json_t *instructions_json(const struct job *job)
{
	return job->began_count < 0 ? json_null() :
				      json_integer(job->ended_count - job->began_count);
}

static char home[PATH_MAX];	/* where it began: the directory of its workspace */

static json_t *verdict(const struct job *job)
{
	const struct rusage *usage = &job->exit.usage;
	bool exited = job->exit.code == CLD_EXITED;

	return json_pack("{ss ss ss so so sI sI sI sI sb so so so}",
		"schema", "cupel.run/1",
		"workspace", home,
		"cause", cause_of(job),
		"exit_code", exited ? json_integer(job->exit.status) : json_null(),
		"signal", exited ? json_null() : json_integer(job->exit.status),
		"wall_ns", (json_int_t)(job->ended_ns - job->began_ns),
		"user_ns", (json_int_t)ns_of(&usage->ru_utime),
		"system_ns", (json_int_t)ns_of(&usage->ru_stime),
		"maxrss_bytes", (json_int_t)usage->ru_maxrss * 1024,
		"stopped", was_stopped != 0,
		"instructions", instructions_json(job),
		"output", output_json(&job->output),
		"collected", collect(job));
}

/* As a shell has it: 127 not found, 126 not to be executed. */
static json_t *not_started(const struct error *why, int r)
{
	return json_pack("{ss ss si sn ss}", "schema", "cupel.run/1",
			 "cause", "setup_failed",
			 "exit_code", r == -ENOENT ? 127 : 126, "signal",
			 "detail", why->text);
}

/* It is over when all have ended and all they wrote has been passed on. */
static void on_changed(void *owner)
{
	struct job *job = owner;

	if (!job->ended_ns || !output_has_ended(&job->output) || !job->call->state)
		return;
	job->call->state = NULL;
	if (job->cause == CAUSE_CANCELLED)
		worker_cancelled(job->call, verdict(job));
	else
		worker_finish(job->call, verdict(job));
}

static void on_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct job *job = owner;

	(void)now_ns;
	close(job->child.pidfd);
	job->exit = *exit;
	tree_end(job->pid, &job->exit.usage);
	job->ended_ns = clock_now_ns();
	job->ended_count = instructions();
	on_changed(job);
}

/* ---- what the call says ---- */

static const json_t *argument(const struct worker_call *call, const char *name)
{
	return json_object_get(call->arguments, name);
}

static int64_t limit_of(const struct worker_call *call, const char *name,
			int64_t standard)
{
	const json_t *value = json_object_get(argument(call, "limits"), name);

	return value ? json_integer_value(value) : standard;
}

static char **argv_of(struct worker_call *call)
{
	const json_t *list = argument(call, "argv");
	size_t count = json_array_size(list);
	char **ret = arena_alloc_array(&call->memory, count + 1, sizeof(*ret));

	for (size_t i = 0; ret && i < count; i++)
		ret[i] = (char *)(uintptr_t)json_string_value(
			json_array_get(list, i));
	return ret;
}

/* "NAME=value" of a name that the object has, too. */
static bool is_replaced(const char *entry, const json_t *object)
{
	return json_object_getn(object, entry, strcspn(entry, "="));
}

/* Ours, which is the policy's, with the call's names over it. */
static char **environment_of(struct worker_call *call)
{
	json_t *asked = json_object_get(call->arguments, "env"), *value;
	size_t count = json_object_size(asked) + 1, kept = 0;
	const char *name;
	char **ret;

	for (char **entry = environ; *entry; entry++)
		count++;
	ret = arena_alloc_array(&call->memory, count, sizeof(*ret));
	for (char **entry = environ; ret && *entry; entry++)
		if (!is_replaced(*entry, asked))
			ret[kept++] = *entry;
	json_object_foreach(asked, name, value) {
		char *entry = !ret ? NULL : arena_text(&call->memory, "%s=%s", name,
						       json_string_value(value));

		if (!entry)
			return NULL;
		ret[kept++] = entry;
	}
	return ret;
}

static int open_input(const struct worker_call *call, struct error *why)
{
	const json_t *text = argument(call, "stdin");
	size_t length = json_string_length(text);
	AUTO_CLOSE int fd = text ? memfd_create("stdin", MFD_CLOEXEC)
				 : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 ||
	    (length && pwrite(fd, json_string_value(text), length, 0) != (ssize_t)length))
		return error_set(why, -errno, "stdin: %s", strerror(errno));
	return fd_take(&fd);
}

/* ---- starting it ---- */

struct command {
	char **argv, **envp;
	const char *cwd;	/* NULL: the worker's own */
	int fds[3];
};

/*
 * Between vfork(2) and exec the parent's memory is ours as well: nothing here
 * allocates or changes what it will look at, but for the reason of a failure.
 */
_Noreturn static void become(const struct command *command, volatile int *ret_errno)
{
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);	/* handlers go with the exec */
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		dup2(command->fds[i], i);
	if (!command->cwd || chdir(command->cwd) == 0)
		execvpe(command->argv[0], command->argv, command->envp);
	*ret_errno = errno;
	_exit(127);
}

/*
 * vfork(2), as fork(2) costs in proportion to our memory. The command is
 * looked for in the PATH that it gets.
 */
static int spawn(const struct command *command, pid_t *ret, struct error *why)
{
	char **const own = environ;
	volatile int failed = 0;
	pid_t pid;

	environ = command->envp;	/* where execvpe(3) finds PATH */
	pid = vfork();	/* NOLINT(clang-analyzer-security.insecureAPI.vfork): one thread */
	if (pid == 0)
		become(command, &failed);	/* NOLINT(clang-analyzer-unix.Vfork) */
	environ = own;
	if (pid < 0)
		return error_set(why, -errno, "vfork: %s", strerror(errno));
	if (failed) {
		waitpid(pid, NULL, 0);
		return error_set(why, -failed, "%s: %s", command->argv[0],
				 strerror(failed));
	}
	*ret = pid;
	return 0;
}

static int start_command(struct job *job, struct error *why)
{
	struct worker_call *call = job->call;
	struct command command = {
		.argv = argv_of(call), .envp = environment_of(call),
		.cwd = json_string_value(argument(call, "cwd")),
	};
	int theirs[2] = { -1, -1 };
	AUTO_CLOSE int input = open_input(call, why);
	int r = input < 0 ? input : output_open(&job->output, theirs, why);
	AUTO_CLOSE int output = theirs[0];
	AUTO_CLOSE int errors = theirs[1];

	if (r < 0)
		return r;
	if (!command.argv || !command.envp)
		return error_set(why, -ENOMEM, "out of memory");
	memcpy(command.fds, (int[]){ input, output, errors }, sizeof(command.fds));
	job->began_count = instructions();
	job->began_ns = clock_now_ns();
	return spawn(&command, &job->pid, why);
}

/* Of each process; one that has used it up is sent XCPU by the kernel. */
static void limit_processor(const struct job *job)
{
	int64_t ms = limit_of(job->call, "cpu_ms", 0);
	rlim_t seconds = (rlim_t)(ms + 999) / 1000;

	if (ms)
		prlimit(job->pid, RLIMIT_CPU,
			&(struct rlimit){ seconds, seconds + 1 }, NULL);
}

static int watch(struct job *job, struct error *why)
{
	int64_t wall_ms = limit_of(job->call, "wall_ms", 0);
	int pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);

	if (pidfd < 0)
		return error_set(why, -errno, "pidfd_open: %s", strerror(errno));
	job->child = (struct loop_child){ .pidfd = pidfd, .exited = on_exited,
					  .owner = job };
	if (wall_ms)
		job->wall_at_ns = deadline_after(job->began_ns, wall_ms * NS_PER_MS);
	wake_next(job);
	return loop_watch_child(job->call->worker->loop, &job->child, why);
}

/* The only one; what is not used of it is not touched. */
static struct job job;

static void init_job(struct worker_call *call)
{
	job.call = call;
	job.wall_at_ns = job.kill_at_ns = DEADLINE_NEVER;
	job.output.call = call;
	job.output.room = (uint64_t)limit_of(call, "output_bytes", OUTPUT_BYTES_STANDARD);
	job.output.exceeded = on_exceeded;
	job.output.changed = on_changed;
	job.output.owner = &job;
}

static int serve(struct worker_call *call, json_t **ret, struct error *why)
{
	int r;

	init_job(call);
	r = start_command(&job, why);
	if (r < 0) {
		output_close(&job.output);
		*ret = not_started(why, r);
		return 0;
	}
	call->state = &job;
	limit_processor(&job);
	r = watch(&job, why);
	return r < 0 ? r : WORKER_PENDING;
}

/* ---- the rest of a call's life ---- */

static void stopped(struct worker_call *call)
{
	if (!call->state)
		return;
	stop(&job, call->stop == ERROR_DEADLINE_EXCEEDED ? CAUSE_WALL : CAUSE_CANCELLED,
	     CANCEL_GRACE_NS);
	output_discard(&job.output);
	on_changed(&job);
}

static void writable(struct worker_call *call)
{
	if (!call->state)
		return;
	output_pass_on(&job.output);
	on_changed(&job);
}

/* The command is of our user: it must not write the verdict into our memory. */
static int start(struct worker *worker, struct error *why)
{
	const struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO };

	(void)worker;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_set(why, -errno, "not dumpable: %s", strerror(errno));
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		return error_set(why, -errno, "SIGCHLD: %s", strerror(errno));
	return tree_init(why);
}

/*
 * A rehearsal with a command that cannot be started: whether pipes and spawns
 * are to be had here is known before a call needs them, and what a call
 * touches has been touched: a fresh process pays for each page at its first
 * use, which would be a fifth of a short command's time.
 */
static int rehearse(struct worker *worker, struct error *why)
{
	struct worker_call call = { .worker = worker };
	uint8_t bytes[PATH_MAX + 1024];
	json_t *ended = NULL, *failed = NULL;
	int r;

	arena_init(&call.memory, WORKER_CALL_BYTES_MAX);
	call.arguments = json_pack("{s[ss] s{ss} s{si}}", "argv", "/", "-", "env",
				   "A", "b", "limits", "output_bytes", 0);
	r = serve(&call, &failed, why);
	if (r == 0 && json_integer_value(json_object_get(failed, "exit_code")) != 126)
		r = error_set(why, -EIO, "the rehearsal of a command: %s",
			      json_string_value(json_object_get(failed, "detail")));
	ended = verdict(&job);
	if (r == 0)
		r = convert_from_json(ended, bytes, sizeof(bytes), why);
	json_decref(ended);
	json_decref(failed);
	json_decref(call.arguments);
	arena_release(&call.memory);
	return r < 0 ? r : 0;
}

/* Whatever the reason it leaves for: it does not leave a command behind. */
static void leave(struct worker *worker)
{
	struct rusage unused = { 0 };

	(void)worker;
	tree_end(0, &unused);
}

static const struct worker_tool tools[] = {
	{ .name = NULL, .serve = serve, .stopped = stopped,
	  .writable = writable, .woken = woken },
};

int main(void)
{
	has_counter = fcntl(WORKER_COUNTER_FD, F_GETFD) >= 0;
	if (!getcwd(home, sizeof(home)))
		home[0] = '\0';
	return worker_main(&(struct worker_program){
		.name = "job",
		.contract = &contract_job,
		.tools = tools,
		.tool_count = COUNT(tools),
		.single_use = true,
		.start = start,
		.self_test = rehearse,
		.stop = leave,
	});
}
