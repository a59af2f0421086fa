#include "sandbox/seccomp_checks.h"

#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <linux/mman.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/shm.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "sandbox/policy.h"

/* Newer than our C library's headers. */
#define CALL_FCHMODAT2 452
#define MEMFD_NOEXEC_SEAL 8U	/* Linux 6.3 */
#define PRCTL_SET_MDWE 65	/* memory deny write execute, Linux 6.3 */
#define PRCTL_GET_MDWE 66
#define PRCTL_GET_AUXV 0x41555856	/* Linux 6.4 */
#define PRCTL_FUTEX_HASH 78	/* Linux 6.16 */

#define ALL UINT32_MAX
#define SPECIAL_BITS 06000U	/* set-user-id and set-group-id */
#define SOCKET_TYPE 0xfU	/* without SOCK_CLOEXEC, SOCK_NONBLOCK */
#define IOCTL_CLASS 0xff00U
#define IOCTL_SOCKET 0x8900U	/* SIOC... */
#define IOCTL_TERMINAL 0x5400U	/* TC..., TIO..., and FIO... of any descriptor */
#define NEW_NAMESPACE (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |         \
		       CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define OTHERWISE_ALLOW { 0, 0, 0, CHECK_ALLOW, CHECK_ALWAYS }
#define OTHERWISE_DENY_IF_BARE { 0, 0, 0, CHECK_DENY, CHECK_IF_BARE }
#define OTHERWISE_DENY { 0, 0, 0, CHECK_DENY, CHECK_ALWAYS }

static const struct check clone_checks[] = {
	{ 0, NEW_NAMESPACE, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

/*
 * Not multipath TCP, which Landlock does not see; not SCTP and the like, which
 * load modules; not raw sockets; no family but these.
 */
static const struct check socket_checks[] = {
	{ 0, ALL, AF_UNIX, CHECK_DENY, CHECK_IF_UNIX_ESCAPES },
	{ 0, ALL, AF_UNIX, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, AF_INET, 3, CHECK_ALWAYS },
	{ 0, ALL, AF_INET6, 2, CHECK_ALWAYS },
	{ 0, ALL, AF_NETLINK, 10, CHECK_ALWAYS },
	OTHERWISE_DENY,
	{ 1, SOCKET_TYPE, SOCK_STREAM, 2, CHECK_ALWAYS },
	{ 1, SOCKET_TYPE, SOCK_DGRAM, 1, CHECK_ALWAYS },
	OTHERWISE_DENY,
	{ 2, ALL, IPPROTO_IP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 2, ALL, IPPROTO_TCP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 2, ALL, IPPROTO_UDP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 2, ALL, IPPROTO_ICMP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 2, ALL, IPPROTO_ICMPV6, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
	{ 2, ALL, NETLINK_ROUTE, CHECK_ALLOW, CHECK_IF_INTERFACES },
	OTHERWISE_DENY,
};

/* Where names lead to the host, no kind that can be sent elsewhere later. */
static const struct check socketpair_checks[] = {
	{ 1, SOCKET_TYPE, SOCK_DGRAM, CHECK_DENY, CHECK_IF_UNIX_ESCAPES },
	{ 1, SOCKET_TYPE, SOCK_RAW, CHECK_DENY, CHECK_IF_UNIX_ESCAPES },
	{ 0, ALL, AF_UNIX, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

/* Typing into the terminal, pasting into it, its line discipline. */
static const struct check ioctl_checks[] = {
	{ 1, ALL, TIOCSTI, CHECK_DENY, CHECK_ALWAYS },
	{ 1, ALL, TIOCLINUX, CHECK_DENY, CHECK_ALWAYS },
	{ 1, ALL, TIOCSETD, CHECK_DENY, CHECK_ALWAYS },
	{ 1, IOCTL_CLASS, IOCTL_SOCKET, CHECK_DENY, CHECK_UNLESS_INTERFACES },
	{ 1, IOCTL_CLASS, IOCTL_SOCKET, CHECK_ALLOW, CHECK_IF_BARE },
	{ 1, IOCTL_CLASS, IOCTL_TERMINAL, CHECK_ALLOW, CHECK_IF_BARE },
	OTHERWISE_DENY_IF_BARE,	/* attributes of files, of read-only ones too */
	OTHERWISE_ALLOW,
};

/*
 * Not PR_SET_MM, not the mitigations of speculation, not PR_SET_PTRACER, not
 * what is not invented yet.
 */
static const struct check prctl_checks[] = {
	{ 0, ALL, PR_SET_NAME, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_VMA, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_NAME, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_PDEATHSIG, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_PDEATHSIG, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_DUMPABLE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_DUMPABLE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_KEEPCAPS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_KEEPCAPS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_TIMING, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_SECCOMP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_SECCOMP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_CAPBSET_READ, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_CAPBSET_DROP, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_TSC, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_SECUREBITS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_TIMERSLACK, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_TIMERSLACK, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_CHILD_SUBREAPER, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_CHILD_SUBREAPER, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_NO_NEW_PRIVS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_NO_NEW_PRIVS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_TID_ADDRESS, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_SET_THP_DISABLE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_THP_DISABLE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_CAP_AMBIENT, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PR_GET_SPECULATION_CTRL, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PRCTL_SET_MDWE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PRCTL_GET_MDWE, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PRCTL_FUTEX_HASH, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, PRCTL_GET_AUXV, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

static const struct check personality_checks[] = {
	{ 0, ALL, 0, CHECK_ALLOW, CHECK_ALWAYS },
	{ 0, ALL, 0xffffffff, CHECK_ALLOW, CHECK_ALWAYS },	/* a query */
	OTHERWISE_DENY,
};

static const struct check seccomp_checks[] = {
	{ 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

static const struct check prlimit64_checks[] = {
	{ 0, ALL, 0, CHECK_ALLOW, CHECK_ALWAYS },	/* of the caller itself */
	OTHERWISE_DENY,
};

/* A lease on a workspace's file would stop the host's own programs. */
static const struct check fcntl_checks[] = {
	{ 1, ALL, 1024 /* F_SETLEASE */, CHECK_DENY, CHECK_ALWAYS },
	OTHERWISE_ALLOW,
};

/* Nothing set-user-id is left behind for the host to run. */
static const struct check mode_in_1_checks[] = {
	{ 1, SPECIAL_BITS, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};
static const struct check mode_in_2_checks[] = {
	{ 2, SPECIAL_BITS, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

/* Without these flags the mode is not an argument but what was left there. */
static const struct check open_checks[] = {
	{ 1, O_CREAT | __O_TMPFILE, 0, CHECK_ALLOW, CHECK_ALWAYS },
	{ 2, SPECIAL_BITS, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};
static const struct check openat_checks[] = {
	{ 2, O_CREAT | __O_TMPFILE, 0, CHECK_ALLOW, CHECK_ALWAYS },
	{ 3, SPECIAL_BITS, 0, CHECK_ALLOW, CHECK_ALWAYS },
	OTHERWISE_DENY,
};

/* ---- memory is writable or executable, never one after the other ---- */

static const struct check mmap_checks[] = {
	{ 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC, CHECK_DENY,
	  CHECK_UNLESS_WRITE_EXECUTE },
	OTHERWISE_ALLOW,
};
static const struct check mprotect_checks[] = {
	{ 2, PROT_EXEC, PROT_EXEC, CHECK_DENY, CHECK_UNLESS_WRITE_EXECUTE },
	OTHERWISE_ALLOW,
};
static const struct check shmat_checks[] = {
	{ 2, SHM_EXEC, SHM_EXEC, CHECK_DENY, CHECK_UNLESS_WRITE_EXECUTE },
	OTHERWISE_ALLOW,
};
static const struct check memfd_create_checks[] = {
	{ 1, MEMFD_NOEXEC_SEAL, 0, CHECK_DENY, CHECK_UNLESS_WRITE_EXECUTE },
	OTHERWISE_ALLOW,
};

#define CHECKED(number, checks, permitted) { number, permitted, checks, COUNT(checks) }
#define NO_SPECIAL_BITS "modes without set-user-id and set-group-id"
#define NO_JIT "no memory that is writable and executable, unless write_execute"

static const struct checked_call calls[] = {
	CHECKED(SYS_clone, clone_checks, "processes and threads without new namespaces"),
	CHECKED(SYS_socket, socket_checks, "TCP and UDP; Unix sockets, if they cannot reach the host's; network interfaces, if interfaces"),
	CHECKED(SYS_socketpair, socketpair_checks, "Unix sockets"),
	CHECKED(SYS_ioctl, ioctl_checks, "not typing into terminals; network interfaces, if interfaces"),
	CHECKED(SYS_prctl, prctl_checks, "not the layout of memory, speculation, or who may trace"),
	CHECKED(SYS_personality, personality_checks, "the ordinary personality"),
	CHECKED(SYS_seccomp, seccomp_checks, "filters without a listener"),
	CHECKED(SYS_prlimit64, prlimit64_checks, "limits of the calling process"),
	CHECKED(SYS_fcntl, fcntl_checks, "not leases"),
	CHECKED(SYS_chmod, mode_in_1_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_fchmod, mode_in_1_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_fchmodat, mode_in_2_checks, NO_SPECIAL_BITS),
	CHECKED(CALL_FCHMODAT2, mode_in_2_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_mkdir, mode_in_1_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_mkdirat, mode_in_2_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_mknod, mode_in_1_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_mknodat, mode_in_2_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_creat, mode_in_1_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_open, open_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_openat, openat_checks, NO_SPECIAL_BITS),
	CHECKED(SYS_mmap, mmap_checks, NO_JIT),
	CHECKED(SYS_mprotect, mprotect_checks, NO_JIT),
	CHECKED(SYS_pkey_mprotect, mprotect_checks, NO_JIT),
	CHECKED(SYS_shmat, shmat_checks, NO_JIT),
	CHECKED(SYS_memfd_create, memfd_create_checks, NO_JIT),
};

const struct checked_call *seccomp_checked_call(int number)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

bool seccomp_check_applies(const struct check *check, const struct policy *policy)
{
	const bool by_when[] = {
		[CHECK_ALWAYS] = true,
		[CHECK_IF_INTERFACES] = policy->interfaces,
		[CHECK_UNLESS_INTERFACES] = !policy->interfaces,
		[CHECK_UNLESS_WRITE_EXECUTE] = !policy->write_execute,
		[CHECK_IF_BARE] = policy->bare,
		[CHECK_IF_UNIX_ESCAPES] = policy->bare || policy->unscoped,
	};

	return by_when[check->when];
}

bool seccomp_checks_allow(const struct checked_call *call, const struct policy *policy,
			  const uint64_t arguments[6])
{
	for (size_t i = 0; i < call->count; i++) {
		const struct check *check = &call->checks[i];

		if (!seccomp_check_applies(check, policy) ||
		    ((uint32_t)arguments[check->argument] & check->mask) != check->value)
			continue;
		if (check->verdict <= 0)
			return check->verdict == CHECK_ALLOW;
		i += (size_t)check->verdict;
	}
	return false;
}
