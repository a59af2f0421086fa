#include "common/loop.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define SIGNALS_PER_TURN 8
#define TIMER_SPENT INT64_MIN	/* equals no deadline that is waited for */

static int control(const struct loop *loop, int operation,
		   struct loop_source *source, uint32_t events,
		   struct error *why)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) < 0)
		return error_set(why, -errno, "epoll_ctl of descriptor %d: %s",
				 source->fd, strerror(errno));
	return 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events,
	     struct error *why)
{
	source->phase = LOOP_CHANNELS;
	return control(loop, EPOLL_CTL_ADD, source, events, why);
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events,
		struct error *why)
{
	return control(loop, EPOLL_CTL_MOD, source, events, why);
}

/* What is another's affair, of this connection alone, is nobody. accept(2) */
int loop_accept(struct loop *loop, struct loop_source *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		return fd;
	if (error != EMFILE && error != ENFILE && error != ENOBUFS &&
	    error != ENOMEM)
		return -EAGAIN;
	loop_modify(loop, listener, 0, NULL);
	return -error;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	int r = control(loop, EPOLL_CTL_DEL, source, 0, NULL);

	assert(r == 0);
	for (int i = 0; i < loop->fetched_count; i++)
		if (loop->fetched[i].data.ptr == source)
			loop->fetched[i].data.ptr = NULL;
}

void loop_close(struct loop *loop, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	loop_remove(loop, source);
	close(source->fd);
	source->fd = -1;
}

/* The C library's waitid(3) drops the fifth argument, the resource usage. */
static void on_child_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct loop_child *child = owner;
	siginfo_t info = { 0 };
	struct loop_exit end = { 0 };
	long r = syscall(SYS_waitid, P_PIDFD, child->pidfd, &info,
			 WEXITED | WNOHANG | __WALL, &end.usage);

	(void)events;
	assert(r == 0 || errno == EINTR);	/* else somebody else has reaped it */
	if (info.si_pid == 0)
		return;
	end.pid = info.si_pid;
	end.code = info.si_code;
	end.status = info.si_status;
	loop_unwatch_child(child->loop, child);
	child->exited(child->owner, &end, now_ns);
}

int loop_watch_child(struct loop *loop, struct loop_child *child,
		     struct error *why)
{
	child->loop = loop;
	child->source = (struct loop_source){
		.fd = child->pidfd,
		.ready = on_child_ready,
		.owner = child,
		.phase = LOOP_REAP,
	};
	return control(loop, EPOLL_CTL_ADD, &child->source, EPOLLIN, why);
}

void loop_unwatch_child(struct loop *loop, struct loop_child *child)
{
	loop_remove(loop, &child->source);
}

static void on_signals_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct loop *loop = owner;
	struct signalfd_siginfo signals[SIGNALS_PER_TURN];
	ssize_t length = read(loop->signals.fd, signals, sizeof(signals));

	(void)events;
	for (ssize_t i = 0; i < length / (ssize_t)sizeof(*signals); i++)
		loop->delivered(loop->owner, &signals[i], now_ns);
}

int loop_handle_signals(struct loop *loop, const sigset_t *set,
			void (*delivered)(void *owner,
					  const struct signalfd_siginfo *signal,
					  int64_t now_ns),
			struct error *why)
{
	AUTO_CLOSE int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	assert(loop->signals.fd < 0);
	if (fd < 0 || sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return error_set(why, -errno, "signalfd: %s", strerror(errno));
	loop->delivered = delivered;
	loop->signals = (struct loop_source){
		.fd = fd,
		.ready = on_signals_ready,
		.owner = loop,
		.phase = LOOP_SIGNALS,
	};
	int r = control(loop, EPOLL_CTL_ADD, &loop->signals, EPOLLIN, why);

	loop->signals.fd = r < 0 ? -1 : fd_take(&fd);
	return r;
}

/*
 * The timer is watched by its edge and is armed anew for each deadline, which
 * forgets an expiry nobody read. Its event carries no source: it only ends the
 * wait, and the clock tells whether the wake-up is due.
 */
int loop_init(struct loop *loop, void (*wakeup)(void *owner, int64_t now_ns),
	      void *owner, struct error *why)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	AUTO_CLOSE int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	AUTO_CLOSE int timer_fd = timerfd_create(CLOCK_MONOTONIC,
						 TFD_CLOEXEC | TFD_NONBLOCK);

	if (epoll_fd < 0 || timer_fd < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &edge) < 0 ||
	    signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		return error_set(why, -errno, "event loop: %s",
				 strerror(errno));
	*loop = (struct loop){
		.epoll_fd = fd_take(&epoll_fd),
		.timer_fd = fd_take(&timer_fd),
		.wakeup_ns = DEADLINE_NEVER,
		.armed_ns = DEADLINE_NEVER,
		.wakeup = wakeup,
		.owner = owner,
		.signals.fd = -1,
	};
	return 0;
}

void loop_release(struct loop *loop)
{
	cleanup_close(&loop->signals.fd);
	cleanup_close(&loop->timer_fd);
	cleanup_close(&loop->epoll_fd);
}

void loop_set_wakeup(struct loop *loop, int64_t at_ns)
{
	assert(loop->wakeup);
	loop->wakeup_ns = at_ns;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

/* Zero would disarm, so a deadline before the clock began is one after it. */
static int arm_timer(struct loop *loop, struct error *why)
{
	int64_t at_ns = loop->wakeup_ns;
	struct itimerspec when = { 0 };

	if (at_ns == loop->armed_ns)
		return 0;
	if (at_ns != DEADLINE_NEVER) {
		at_ns = at_ns > 0 ? at_ns : 1;
		when.it_value.tv_sec = at_ns / NS_PER_S;
		when.it_value.tv_nsec = at_ns % NS_PER_S;
	}
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return error_set(why, -errno, "timerfd_settime: %s",
				 strerror(errno));
	loop->armed_ns = loop->wakeup_ns;
	return 0;
}

/* Removal blanks an event, hence the look at the array before each call. */
static void dispatch(struct loop *loop, enum loop_phase phase, int64_t now_ns)
{
	for (int i = 0; i < loop->fetched_count; i++) {
		struct loop_source *source = loop->fetched[i].data.ptr;

		if (source && source->phase == phase)
			source->ready(source->owner, loop->fetched[i].events,
				      now_ns);
	}
}

/* The timer has gone off or is about to, so that it must be set in any case. */
static void wake_up(struct loop *loop, int64_t now_ns)
{
	if (now_ns < loop->wakeup_ns)
		return;
	loop->wakeup_ns = DEADLINE_NEVER;
	loop->armed_ns = TIMER_SPENT;
	loop->wakeup(loop->owner, now_ns);
}

static int turn(struct loop *loop, struct error *why)
{
	int r = arm_timer(loop, why);

	if (r < 0)
		return r;
	r = epoll_wait(loop->epoll_fd, loop->fetched, LOOP_EVENTS_PER_TURN, -1);
	if (r < 0 && errno != EINTR)
		return error_set(why, -errno, "epoll_wait: %s",
				 strerror(errno));
	loop->fetched_count = r > 0 ? r : 0;

	int64_t now_ns = clock_now_ns();

	dispatch(loop, LOOP_SIGNALS, now_ns);
	dispatch(loop, LOOP_CHANNELS, now_ns);
	wake_up(loop, now_ns);
	dispatch(loop, LOOP_REAP, now_ns);
	if (loop->settled)
		loop->settled(loop->owner, now_ns);
	loop->fetched_count = 0;
	return 0;
}

int loop_run(struct loop *loop, struct error *why)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int r = turn(loop, why);

		if (r < 0)
			return r;
	}
	return 0;
}
