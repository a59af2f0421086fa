#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/error.h"
#include "sandbox/preset_filters.h"
#include "sandbox/seccomp_checks.h"
#include "sandbox/seccomp_compile.h"

/* Room for the kernel's structures to grow in. */
#define NOTIFICATION_BYTES 512

static const struct preset_filter *preset_of(const struct policy *policy)
{
	for (const struct preset_filter *p = preset_filters; p->program.count; p++)
		if (memcmp(&p->syscalls, &policy->syscalls, sizeof(p->syscalls)) == 0 &&
		    p->write_execute == policy->write_execute &&
		    p->interfaces == policy->interfaces &&
		    !policy->bare && !policy->unscoped &&
		    !policy->observed)
			return p;
	return NULL;
}

int seccomp_program(struct seccomp_program *ret, const struct policy *policy,
		    struct arena *arena, struct error *why)
{
	const struct preset_filter *preset = preset_of(policy);
	struct sock_filter *instructions;
	int count;

	if (preset) {
		*ret = preset->program;
		return 0;
	}
	instructions = arena_alloc_array(arena, SECCOMP_INSTRUCTIONS_MAX,
					 sizeof(*instructions));
	if (!instructions)
		return error_set(why, -ENOMEM, "no memory for a system-call filter");
	count = seccomp_compile(policy, instructions, why);
	if (count < 0)
		return count;
	*ret = (struct seccomp_program){ instructions, (uint16_t)count };
	return 0;
}

struct seccomp_program seccomp_init_program(void)
{
	return init_filter;
}

/* Nobody will answer, and a call that asks would fail with ENOSYS. */
static void refuse_instead_of_asking(struct sock_filter *instructions,
				     const struct seccomp_program *program)
{
	memcpy(instructions, program->instructions,
	       program->count * sizeof(*instructions));
	for (size_t i = 0; i < program->count; i++)
		if (instructions[i].code == (BPF_RET | BPF_K) &&
		    instructions[i].k == SECCOMP_RET_USER_NOTIF)
			instructions[i].k = SECCOMP_RET_ERRNO | EPERM;
}

int seccomp_install(const struct seccomp_program *program, int with_listener,
		    struct error *why)
{
	struct sock_filter quiet[SECCOMP_INSTRUCTIONS_MAX];
	struct sock_fprog filter = { .len = program->count, .filter = quiet };
	unsigned long flags = 0;
	long r;

	/* Killable: signals do not interrupt a call whose denial is being
	 * counted, lest runtimes that signal themselves often never get on. */
	if (with_listener) {
		filter.filter = (struct sock_filter *)(uintptr_t)program->instructions;
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
			SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	} else {
		refuse_instead_of_asking(quiet, program);
	}
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
	if (r < 0)
		return error_set(why, -errno, "install the system-call filter: %s",
				 strerror(errno));
	return (int)r;
}

bool seccomp_allows(const struct policy *policy, const struct seccomp_denial *call)
{
	const struct checked_call *checked = seccomp_checked_call(call->number);

	return call->number >= 0 && call->number < SYSCALL_NUMBERS &&
	       !syscall_is_opaque(call->number) &&
	       syscall_set_has(&policy->syscalls, call->number) &&
	       (!checked || seccomp_checks_allow(checked, policy, call->arguments));
}

int seccomp_answer(int listener, const struct seccomp_denial *call, bool allowed)
{
	union {
		struct seccomp_notif_resp response;
		char room[NOTIFICATION_BYTES];
	} sent = { .room = "" };

	sent.response.id = call->id;
	if (allowed)
		sent.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		sent.response.error = -EPERM;
	/* ENOENT: the caller was killed meanwhile. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &sent) < 0 && errno != ENOENT)
		return -errno;
	return 1;
}

int seccomp_next_call(int listener, struct seccomp_denial *ret)
{
	union {
		struct seccomp_notif notification;
		char room[NOTIFICATION_BYTES];
	} received = { .room = "" };
	const struct seccomp_notif *call = &received.notification;
	struct pollfd polled = { .fd = listener, .events = POLLIN };
	int r = poll(&polled, 1, 0);

	if (r <= 0)
		return r < 0 && errno != EINTR ? -errno : 0;
	if (!(polled.revents & POLLIN))	/* the last process under it is gone */
		return -EPIPE;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &received) < 0)
		return errno == ENOENT || errno == EINTR ? 0 : -errno;
	*ret = (struct seccomp_denial){ .id = call->id, .pid = (int)call->pid,
					.number = call->data.nr };
	for (size_t i = 0; i < 6; i++)
		ret->arguments[i] = call->data.args[i];
	return 1;
}

int seccomp_next_denial(int listener, struct seccomp_denial *ret)
{
	int r = seccomp_next_call(listener, ret);

	return r == 1 ? seccomp_answer(listener, ret, false) : r;
}
