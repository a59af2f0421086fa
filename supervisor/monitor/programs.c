/* Router and loader: programs of ours, which confine themselves (service.h). */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/path.h"
#include "supervisor/monitor/monitor.h"

#define FDS_MAX (ROUTER_DESCRIPTORS_END - ROUTER_CONTROL_FD)	/* nobody gets more */
#define ROUTER_SOCKET_BYTES (1 << 20)

static int check_program(int fd, const char *path, struct error *why)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || !(status.st_mode & 0111))
		return error_set(why, -EACCES, "%s is no program", path);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return error_set(why, -EPERM, "%s belongs to another user", path);
	if (status.st_mode & 0022)
		return error_set(why, -EPERM, "%s may be changed by others than its owner",
				 path);
	return 0;
}

int program_open(struct program *ret, const char *path, struct error *why)
{
	char magic[2] = "";
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_RDONLY | O_NONBLOCK, 0,
				      PATH_HOST, why);
	int r = fd < 0 ? fd : check_program(fd, path, why);

	*ret = (struct program){ .fd = -1 };
	if (r < 0)
		return r;
	ret->script = pread(fd, magic, 2, 0) == 2 && magic[0] == '#' && magic[1] == '!';
	ret->fd = fd_take(&fd);
	return 0;
}

/* Beside us as in the build tree, or where an installation has them. */
static int open_own(struct monitor *monitor, const char *name, struct program *ret,
		    struct error *why)
{
	static const char *const places[] = { "", "/../libexec/cupel" };
	int r = -ENOENT;

	for (size_t i = 0; i < COUNT(places) && r == -ENOENT; i++) {
		const char *path = arena_text(&monitor->arena, "%s%s/%s",
					      monitor->self_directory, places[i], name);

		r = path ? program_open(ret, path, why) :
			   error_set(why, -ENOMEM, "out of memory");
	}
	return r;
}

int programs_open(struct monitor *monitor, struct error *why)
{
	ssize_t length = readlink("/proc/self/exe", monitor->self_directory,
				  sizeof(monitor->self_directory) - 1);
	char *slash;

	if (length < 0)
		return error_set(why, -errno, "/proc/self/exe: %s", strerror(errno));
	monitor->self_directory[length] = '\0';
	slash = strrchr(monitor->self_directory, '/');
	if (slash)
		*slash = '\0';
	int r = open_own(monitor, "cupel-router", &monitor->router_program, why);

	return r < 0 ? r : open_own(monitor, "cupel-catalog", &monitor->loader_program, why);
}

/* In the child: 0, 1, 2, then what it inherits, then, until the exec, itself. */
static _Noreturn void become(const struct monitor *monitor, const struct program *program,
			     const char *const *argv, const int *fds, unsigned fd_count,
			     int output)
{
	int kept[3 + FDS_MAX + 1], count = 0;
	sigset_t none;

	kept[count++] = monitor->null_fd;
	kept[count++] = output;
	kept[count++] = output;
	for (unsigned i = 0; i < fd_count; i++)
		kept[count++] = fds[i];
	kept[count++] = program->fd;
	for (int i = 0; i < count; i++)
		kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, count);
	for (int i = 0; i < count; i++)
		if (kept[i] < 0 || dup3(kept[i], i, i < count - 1 ? 0 : O_CLOEXEC) < 0)
			_exit(125);
	sigemptyset(&none);
	if (close_range((unsigned)count, ~0U, 0) < 0 || setsid() < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(125);
	syscall(SYS_execveat, count - 1, "", argv, environ, AT_EMPTY_PATH);
	_exit(126);
}

int program_start(struct monitor *monitor, const struct program *program,
		  const char *const *argv, const int *fds, unsigned fd_count,
		  int output, int *ret_pidfd, struct error *why)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	assert(fd_count <= FDS_MAX);
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0)
		return error_set(why, -errno, "clone3: %s", strerror(errno));
	if (pid == 0)
		become(monitor, program, argv, fds, fd_count, output);
	return 0;
}

/* It cannot be watched: ends and reaps it; the descriptor stays the caller's. */
static int program_abandon(int pidfd, int r)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	waitid(P_PIDFD, (id_t)pidfd, NULL, WEXITED);
	return r;
}

int program_watch(struct monitor *monitor, struct loop_child *child, int pidfd,
		  struct error *why)
{
	child->pidfd = pidfd;
	int r = loop_watch_child(&monitor->loop, child, why);

	return r < 0 ? program_abandon(pidfd, r) : 0;
}

/* ---- the router: a slot without a sandbox ---- */

static void on_router_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct worker *router = owner;
	struct monitor *monitor = router->monitor;

	monitor->now_ns = now_ns;
	if (router->beat.fd >= 0)
		control_ready(router, 0, now_ns);
	output_close(monitor, &router->output);
	worker_report(router, (struct core_event){
		.kind = CORE_FACTS, .facts = FACT_ALL,
		.exit_status = exit->code == CLD_EXITED ? exit->status : -1,
		.signal = exit->code == CLD_EXITED ? 0 : exit->status });
}

static int start_router(struct monitor *monitor, struct worker *router, struct error *why)
{
	const char *const argv[] = { "cupel-router", monitor->places.state, NULL };
	int ends[2], theirs = -1, size = ROUTER_SOCKET_BYTES;
	int r = catalogs_publish(monitor, why);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(why, -errno, "socketpair: %s", strerror(errno));
	AUTO_CLOSE int control = ends[0];
	AUTO_CLOSE int peer = ends[1];

	setsockopt(control, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = output_open(monitor, &router->output, router->generation, &theirs, why);
	AUTO_CLOSE int output = theirs;

	if (r < 0)
		return r;
	const int fds[] = { peer, monitor->router_listener, monitor->published,
			    monitor->effects, monitor->state_lock, monitor->legacy,
			    monitor->breakers };

	r = program_start(monitor, &monitor->router_program, argv, fds, COUNT(fds), output,
			  &router->sandbox.init_pidfd, why);
	if (r < 0)
		return r;
	router->beat = (struct loop_source){ .fd = control, .ready = control_ready,
					     .owner = router };
	router->child = (struct loop_child){ .exited = on_router_exited, .owner = router };
	r = loop_add(&monitor->loop, &router->beat, EPOLLIN, why);
	if (r < 0)
		router->beat.fd = -1;
	else
		fd_take(&control);
	return r < 0 ? program_abandon(router->sandbox.init_pidfd, r) :
	       program_watch(monitor, &router->child, router->sandbox.init_pidfd, why);
}

void router_spawn(struct monitor *monitor)
{
	struct worker *router = &monitor->workers[CORE_ROUTER];
	struct error why;

	router->generation = monitor->core.slots[CORE_ROUTER].generation;
	router->pool = CORE_ROUTER_POOL;
	memcpy(router->output.name, "router", sizeof("router"));
	int r = start_router(monitor, router, &why);

	if (r == 0) {
		workspaces_tell(monitor);
		worker_report(router, (struct core_event){ .kind = CORE_STARTED });
		return;
	}
	log_write(&monitor->log, LEVEL_ERROR, "the router cannot be started",
		  LOG_FIELDS(log_text("reason", why.text)));
	worker_kill(monitor, CORE_ROUTER);
	worker_report(router, (struct core_event){
		.kind = CORE_NOT_STARTED, .value = (uint64_t)-r, .facts = FACT_ALL,
		.exit_status = -1 });
}
