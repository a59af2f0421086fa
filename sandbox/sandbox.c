#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/wire/packet.h"
#include "sandbox/cgroup.h"
#include "sandbox/identity.h"
#include "sandbox/init.h"
#include "sandbox/network.h"

/*
 * The cgroup and time namespaces follow inside, once the group is joined; the
 * network's, the slowest to make by far, is made beside the mounts.
 */
#define NAMESPACES                                                            \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

static int start_init(const struct sandbox_plan *plan, int ours, int theirs,
		      int *ret_pidfd, struct error *why)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | (plan->tier == TIER_LANDLOCK ? 0 : NAMESPACES),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	if (plan->cgroup && plan->cgroup->v2 >= 0) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = (uint32_t)plan->cgroup->v2;
	}
	if (plan->network >= 0) {
		int r = network_enter(plan->network);

		if (r < 0)
			return error_set(why, r, "enter the lent network: %s", strerror(-r));
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	int error = errno;

	if (pid == 0) {
		close(ours);
		init_main(plan, theirs);
	}
	/*
	 * Nothing may be started from here by mistake: no way back, tried twice
	 * as memory may be short for a moment, no way on.
	 */
	if (plan->network >= 0 && network_enter(plan->home_network) < 0 &&
	    network_enter(plan->home_network) < 0)
		abort();
	if (pid < 0)
		return error_set(why, -error, "new namespaces: %s", strerror(error));
	return pid;
}

int sandbox_spawn(const struct sandbox_plan *plan, struct sandbox *ret,
		  struct error *why)
{
	int ends[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(why, -errno, "socketpair: %s", strerror(errno));
	AUTO_CLOSE int ours = ends[0];
	AUTO_CLOSE int theirs = ends[1];
	pid_t pid = start_init(plan, ours, theirs, &pidfd, why);

	if (pid < 0)
		return pid;
	struct sandbox made = { .init_pid = pid, .init_pidfd = pidfd,
				.bare = plan->tier == TIER_LANDLOCK,
				.control = ours, .denials = -1, .upper = -1 };

	if (plan->tier == TIER_FULL) {
		int r = identity_map(pid, plan->host_uid, plan->host_gid, why);

		if (r == 0 && send(ours, "", 1, MSG_NOSIGNAL) != 1)
			r = error_set(why, -errno, "tell init: %s", strerror(errno));
		if (r < 0) {
			sandbox_kill(&made);
			waitid(P_PIDFD, (id_t)pidfd, NULL, WEXITED);
			close(pidfd);
			return r;
		}
	}
	*ret = made;	/* whole: the caller closes what stands in it */
	fd_take(&ours);
	return 0;
}

int sandbox_receive_report(struct sandbox *sandbox, struct sandbox_report *ret)
{
	int descriptors[2];
	int r = packet_receive(sandbox->control, ret, sizeof(*ret), descriptors, 2);

	if (r == 1) {
		sandbox->denials = ret->carries_denials ? descriptors[0] : -1;
		sandbox->upper = ret->carries_upper ?
					 descriptors[ret->carries_denials] : -1;
	}
	return r;
}

int sandbox_receive_status(struct sandbox *sandbox, struct sandbox_status *ret)
{
	return packet_receive(sandbox->control, ret, sizeof(*ret), NULL, 0);
}

int sandbox_signal(struct sandbox *sandbox, int signal)
{
	struct sandbox_order order = { .signal = signal };

	if (send(sandbox->control, &order, sizeof(order), MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->bare)	/* init hears the end of the file */
		return shutdown(sandbox->control, SHUT_WR) < 0 ? -errno : 0;
	long r = syscall(SYS_pidfd_send_signal, sandbox->init_pidfd, SIGKILL, NULL, 0);

	return r < 0 && errno != ESRCH ? -errno : 0;
}

void sandbox_close(struct sandbox *sandbox)
{
	const int descriptors[] = { sandbox->init_pidfd, sandbox->control,
				    sandbox->denials, sandbox->upper };

	for (size_t i = 0; i < COUNT(descriptors); i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
}

const char *tier_name(enum tier tier)
{
	static const char *const names[] = { "landlock", "userns", "full" };

	return names[tier];
}

const char *sandbox_phase_name(enum sandbox_phase phase)
{
	static const char *const names[PHASE_COUNT] = {
		"idmap", "cgroup", "network", "mounts", "identity",
		"landlock", "seccomp", "audit", "exec",
	};

	return names[phase];
}
