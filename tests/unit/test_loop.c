#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"

#define MS INT64_C(1000000)

/* One loop, what happened in it, in order, and when. */
struct scene {
	struct loop loop;
	struct error why;
	char order[64];
	size_t count;
	int64_t now_ns[64];
	int64_t wakeups_ns[4];
	struct loop_exit end;
	struct loop_source *listener;
};

static void note(struct scene *scene, char what, int64_t now_ns)
{
	assert_in_range(scene->count, 0, sizeof(scene->order) - 2);
	scene->now_ns[scene->count] = now_ns;
	scene->order[scene->count++] = what;
	scene->order[scene->count] = 0;
}

static void on_wakeup(void *owner, int64_t now_ns)
{
	struct scene *scene = owner;

	note(scene, 'w', now_ns);
	loop_stop(&scene->loop);
}

static void on_signal(void *owner, const struct signalfd_siginfo *signal,
		      int64_t now_ns)
{
	note(owner, (char)('0' + (signal->ssi_signo == SIGUSR1)), now_ns);
}

static void on_readable(void *owner, uint32_t events, int64_t now_ns)
{
	note(owner, events & EPOLLIN ? 'r' : '?', now_ns);
}

static void on_exit_of_child(void *owner, const struct loop_exit *end,
			     int64_t now_ns)
{
	struct scene *scene = owner;

	note(scene, 'x', now_ns);
	scene->end = *end;
	loop_stop(&scene->loop);
}

static struct scene *open_scene(void)
{
	static struct scene scene;

	memset(&scene, 0, sizeof(scene));
	assert_int_equal(0, loop_init(&scene.loop, on_wakeup, &scene,
				      &scene.why));
	return &scene;
}

static void run(struct scene *scene)
{
	assert_int_equal(loop_run(&scene->loop, &scene->why), 0);
}

static void full_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
}

static void close_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* A child that exits, or kills itself if status is a negative signal. */
static int start_child(pid_t *ret_pid, int status)
{
	*ret_pid = fork();
	if (*ret_pid == 0) {
		if (status < 0)
			raise(-status);
		_exit(status);
	}
	return (int)syscall(SYS_pidfd_open, *ret_pid, 0);
}

static void a_child_is_reaped_with_the_way_it_ended(void **state)
{
	static const struct {
		const char *name;
		int status;
		int want_code, want_status;
	} cases[] = {
		{ "success", 0, CLD_EXITED, 0 },
		{ "an exit status", 7, CLD_EXITED, 7 },
		{ "a signal", -SIGKILL, CLD_KILLED, SIGKILL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *scene = open_scene();
		pid_t pid;
		AUTO_CLOSE int pidfd = start_child(&pid, cases[i].status);
		struct loop_child child = { .pidfd = pidfd,
					    .exited = on_exit_of_child,
					    .owner = scene };

		assert_int_equal(0, loop_watch_child(&scene->loop, &child,
						     NULL));
		run(scene);
		test_row(scene->end.pid == pid &&
			 scene->end.code == cases[i].want_code &&
			 scene->end.status == cases[i].want_status,
			 "%s: got code %d status %d", cases[i].name,
			 scene->end.code, scene->end.status);
		assert_true(scene->end.usage.ru_minflt > 0);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
		loop_set_wakeup(&scene->loop, clock_now_ns() + MS);
		run(scene);
		assert_string_equal(scene->order, "xw");
		loop_release(&scene->loop);
	}
}

static void ignored_sigchld_is_undone(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN);
	a_child_is_reaped_with_the_way_it_ended(NULL);
}

static void a_turn_keeps_its_order_and_one_time(void **state)
{
	struct scene *scene = open_scene();
	int ends[2];
	pid_t pid;
	AUTO_CLOSE int pidfd = start_child(&pid, 0);
	struct loop_child child = { .pidfd = pidfd, .exited = on_exit_of_child,
				    .owner = scene };
	siginfo_t info;
	sigset_t set;

	(void)state;
	full_pipe(ends);
	struct loop_source source = { .fd = ends[0], .ready = on_readable,
				      .owner = scene };

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* Ready in the reverse of the order they are to be handled in. */
	assert_int_equal(loop_watch_child(&scene->loop, &child, NULL), 0);
	loop_set_wakeup(&scene->loop, 0);
	assert_int_equal(loop_add(&scene->loop, &source, EPOLLIN, NULL), 0);
	assert_int_equal(0, loop_handle_signals(&scene->loop, &set, on_signal,
						NULL));
	raise(SIGUSR1);
	run(scene);
	assert_string_equal(scene->order, "1rwx");
	for (size_t i = 1; i < scene->count; i++)
		assert_int_equal(scene->now_ns[i], scene->now_ns[0]);
	close_pipe(ends);
	loop_release(&scene->loop);
}

static void every_signal_is_delivered_in_the_loop(void **state)
{
	struct scene *scene = open_scene();
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	assert_int_equal(0, loop_handle_signals(&scene->loop, &set, on_signal,
						NULL));
	raise(SIGTERM);
	raise(SIGUSR1);
	loop_set_wakeup(&scene->loop, 0);
	run(scene);
	assert_in_range(scene->order[0], '0', '1');
	assert_int_equal(scene->order[0] + scene->order[1], '0' + '1');
	assert_string_equal(scene->order + 2, "w");
	loop_release(&scene->loop);
}

/* Sets the next deadline and, with the last, ends. */
static void on_next_wakeup(void *owner, int64_t now_ns)
{
	struct scene *scene = owner;

	note(scene, 'w', now_ns);
	if (scene->count < COUNT(scene->wakeups_ns))
		loop_set_wakeup(&scene->loop, scene->wakeups_ns[scene->count]);
	else
		loop_stop(&scene->loop);
}

static void wakeups_come_in_order_and_never_early(void **state)
{
	struct scene *scene = open_scene();
	int64_t start_ns = clock_now_ns();

	(void)state;
	loop_release(&scene->loop);
	assert_int_equal(0, loop_init(&scene->loop, on_next_wakeup, scene,
				      NULL));
	scene->wakeups_ns[0] = start_ns + 3 * MS;
	scene->wakeups_ns[1] = start_ns + 6 * MS;
	scene->wakeups_ns[2] = start_ns + 6 * MS;	/* the same again */
	scene->wakeups_ns[3] = start_ns + 9 * MS;
	loop_set_wakeup(&scene->loop, DEADLINE_NEVER);
	loop_set_wakeup(&scene->loop, start_ns + 3600000 * MS);
	loop_set_wakeup(&scene->loop, scene->wakeups_ns[0]);
	run(scene);
	assert_string_equal(scene->order, "wwww");
	for (size_t i = 0; i < COUNT(scene->wakeups_ns); i++)
		assert_true(scene->now_ns[i] >= scene->wakeups_ns[i]);
	loop_release(&scene->loop);
}

static void on_cancel(void *owner, uint32_t events, int64_t now_ns)
{
	struct scene *scene = owner;

	on_readable(owner, events, now_ns);
	loop_set_wakeup(&scene->loop, DEADLINE_NEVER);
	loop_stop(&scene->loop);
}

static void a_cancelled_wakeup_does_not_come(void **state)
{
	struct scene *scene = open_scene();
	int ends[2];

	(void)state;
	full_pipe(ends);
	struct loop_source source = { .fd = ends[0], .ready = on_cancel,
				      .owner = scene };

	assert_int_equal(loop_add(&scene->loop, &source, EPOLLIN, NULL), 0);
	loop_set_wakeup(&scene->loop, 0);
	run(scene);
	run(scene);
	assert_string_equal(scene->order, "rr");
	close_pipe(ends);
	loop_release(&scene->loop);
}

/* Two that are ready in one turn; the first called takes the other away. */
struct rival {
	struct scene *scene;
	struct loop_source source;
	struct rival *other;
	int spare_fd;			/* readable; -1: add nothing again */
};

static void on_rival(void *owner, uint32_t events, int64_t now_ns)
{
	struct rival *rival = owner;
	struct rival *other = rival->other;
	struct loop *loop = &rival->scene->loop;

	on_readable(rival->scene, events, now_ns);
	loop_stop(loop);
	if (!other)
		return;
	loop_remove(loop, &other->source);
	other->other = NULL;
	rival->other = NULL;
	if (rival->spare_fd < 0)
		return;
	other->source.fd = rival->spare_fd;
	assert_int_equal(loop_add(loop, &other->source, EPOLLIN, NULL), 0);
}

static void a_source_removed_in_its_turn_is_not_called(void **state)
{
	static const struct {
		const char *name;
		bool again;
		const char *want;
	} cases[] = {
		{ "removed for good", false, "rr" },
		{ "its storage used again", true, "rrr" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *scene = open_scene();
		struct rival rivals[2];
		int ends[3][2];

		for (size_t k = 0; k < COUNT(ends); k++)
			full_pipe(ends[k]);
		for (size_t k = 0; k < COUNT(rivals); k++) {
			rivals[k] = (struct rival){
				.scene = scene,
				.source = { .fd = ends[k][0], .ready = on_rival,
					    .owner = &rivals[k] },
				.other = &rivals[!k],
				.spare_fd = cases[i].again ? ends[2][0] : -1,
			};
			assert_int_equal(0, loop_add(&scene->loop,
						     &rivals[k].source,
						     EPOLLIN, NULL));
		}
		run(scene);
		test_row(scene->count == 1, "%s: %zu called in the first turn",
			 cases[i].name, scene->count);
		run(scene);
		test_row(strcmp(scene->order, cases[i].want) == 0, "%s: got %s",
			 cases[i].name, scene->order);
		for (size_t k = 0; k < COUNT(ends); k++)
			close_pipe(ends[k]);
		loop_release(&scene->loop);
	}
}

static void on_self_removal(void *owner, uint32_t events, int64_t now_ns)
{
	struct rival *rival = owner;

	on_readable(rival->scene, events, now_ns);
	loop_remove(&rival->scene->loop, &rival->source);
}

static void a_source_may_remove_itself(void **state)
{
	struct scene *scene = open_scene();
	int ends[2];

	(void)state;
	full_pipe(ends);
	struct rival self = { .scene = scene,
			      .source = { .fd = ends[0], .owner = &self,
					  .ready = on_self_removal } };

	assert_int_equal(0, loop_add(&scene->loop, &self.source, EPOLLIN,
				     NULL));
	loop_set_wakeup(&scene->loop, clock_now_ns() + MS);
	run(scene);
	assert_string_equal(scene->order, "rw");
	close_pipe(ends);
	loop_release(&scene->loop);
}

static void on_writable(void *owner, uint32_t events, int64_t now_ns)
{
	struct scene *scene = owner;

	note(scene, events & EPOLLOUT ? 'o' : '?', now_ns);
	loop_stop(&scene->loop);
}

static void interest_can_be_changed(void **state)
{
	struct scene *scene = open_scene();
	int ends[2];

	(void)state;
	full_pipe(ends);
	struct loop_source source = { .fd = ends[1], .ready = on_writable,
				      .owner = scene };

	assert_int_equal(loop_add(&scene->loop, &source, 0, NULL), 0);
	loop_set_wakeup(&scene->loop, clock_now_ns() + MS);
	run(scene);
	assert_int_equal(loop_modify(&scene->loop, &source, EPOLLOUT, NULL), 0);
	run(scene);
	assert_string_equal(scene->order, "wo");
	close_pipe(ends);
	loop_release(&scene->loop);
}

static void a_descriptor_that_cannot_be_watched_is_named(void **state)
{
	struct scene *scene = open_scene();
	struct loop_source source = { .fd = 999, .ready = on_readable };

	(void)state;
	assert_int_equal(loop_add(&scene->loop, &source, EPOLLIN, &scene->why),
			 -EBADF);
	assert_non_null(strstr(scene->why.text, "999"));
	loop_release(&scene->loop);
	assert_int_equal(loop_run(&scene->loop, &scene->why), -EBADF);
}

/* Level-triggered, it would be called in every turn. */
static void on_knock(void *owner, uint32_t events, int64_t now_ns)
{
	struct scene *scene = owner;
	struct rlimit none = { 0, 1 << 20 }, limit;
	int r;

	(void)events;
	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	r = loop_accept(&scene->loop, scene->listener);
	setrlimit(RLIMIT_NOFILE, &limit);
	note(scene, r == -EMFILE ? 'E' : 'a', now_ns);
}

static void a_listener_without_descriptors_rests(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(address);
	struct scene *scene = open_scene();
	struct loop_source listener = { .ready = on_knock, .owner = scene };
	int caller = socket(AF_UNIX, SOCK_STREAM, 0), taken;

	(void)state;
	listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	scene->listener = &listener;
	assert_int_equal(bind(listener.fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listener.fd, 4), 0);
	assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(connect(caller, (struct sockaddr *)&address, length), 0);
	assert_int_equal(loop_add(&scene->loop, &listener, EPOLLIN, NULL), 0);
	loop_set_wakeup(&scene->loop, clock_now_ns() + 20 * MS);
	run(scene);
	assert_string_equal(scene->order, "Ew");
	taken = loop_accept(&scene->loop, &listener);
	assert_true(taken >= 0);
	assert_int_equal(loop_accept(&scene->loop, &listener), -EAGAIN);
	loop_remove(&scene->loop, &listener);
	close(taken);
	close(caller);
	close(listener.fd);
	loop_release(&scene->loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_reaped_with_the_way_it_ended),
		cmocka_unit_test(ignored_sigchld_is_undone),
		cmocka_unit_test(a_turn_keeps_its_order_and_one_time),
		cmocka_unit_test(every_signal_is_delivered_in_the_loop),
		cmocka_unit_test(wakeups_come_in_order_and_never_early),
		cmocka_unit_test(a_cancelled_wakeup_does_not_come),
		cmocka_unit_test(a_source_removed_in_its_turn_is_not_called),
		cmocka_unit_test(a_source_may_remove_itself),
		cmocka_unit_test(interest_can_be_changed),
		cmocka_unit_test(a_listener_without_descriptors_rests),
		cmocka_unit_test(a_descriptor_that_cannot_be_watched_is_named),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
