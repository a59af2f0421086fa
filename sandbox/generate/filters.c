/*
 * filters - writes the filter programs of the presets, of init and of our own
 * services as C.
 *
 * Runs while Cupel is built; what it prints implements preset_filters.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/policy.h"
#include "sandbox/seccomp_compile.h"

/* init waits, reaps, kills, talks to the launcher, looks at its disks, gives memory back. */
static const char *const init_calls[] = {
	"poll", "ppoll", "read", "recvfrom", "recvmsg", "sendto", "sendmsg",
	"kill", "wait4", "waitid", "getrusage", "statfs", "fstatfs", "close",
	"clock_gettime", "madvise", "rt_sigreturn", "restart_syscall", "exit",
	"exit_group",
};

/* A service waits, speaks through the sockets it has, and keeps its memory. */
static const char *const service_calls[] = {
	"read", "write", "readv", "writev", "pread64", "pwrite64", "recvfrom",
	"recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "accept4",
	"getsockopt", "setsockopt", "getsockname", "getpeername", "shutdown",
	"poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"timerfd_create", "timerfd_settime", "signalfd4", "close", "fcntl",
	"fstat", "fstatfs", "lseek", "ftruncate",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
	"clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
	"getrandom", "getrusage", "sysinfo", "uname", "getcpu",
	"sched_yield", "sched_getaffinity", "futex", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "sigaltstack", "tgkill",
	"restart_syscall", "exit", "exit_group",
};

/* One that reads files besides; which ones is for Landlock to say. */
static const char *const reader_calls[] = {
	"open", "openat", "stat", "lstat", "newfstatat", "statx", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
};

/* Programs of our own that run under no policy; readers are services, too. */
static const struct {
	const char *name;
	const char *const *calls, *const *more_calls;
	size_t call_count, more_count;
} own[] = {
	{ "init", init_calls, NULL, COUNT(init_calls), 0 },
	{ "service", service_calls, NULL, COUNT(service_calls), 0 },
	{ "reader", service_calls, reader_calls, COUNT(service_calls),
	  COUNT(reader_calls) },
};

static int print_program(const char *name, const struct policy *policy)
{
	static struct sock_filter program[SECCOMP_INSTRUCTIONS_MAX];
	struct error why;
	int count = seccomp_compile(policy, program, &why);

	if (count < 0) {
		fprintf(stderr, "filters: %s: %s\n", name, why.text);
		return -1;
	}
	printf("static const struct sock_filter %s_program[] = {\n", name);
	for (int i = 0; i < count; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", program[i].code,
		       program[i].jt, program[i].jf, program[i].k);
	printf("};\n");
	return 0;
}

/* test and net say the same about system calls as build: one program. */
static bool printed_before(const char *const *names, size_t index)
{
	const struct policy *policy = policy_preset(names[index]);

	for (size_t i = 0; i < index; i++) {
		const struct policy *other = policy_preset(names[i]);

		if (memcmp(&other->syscalls, &policy->syscalls,
			   sizeof(policy->syscalls)) == 0 &&
		    other->write_execute == policy->write_execute &&
		    other->interfaces == policy->interfaces)
			return true;
	}
	return false;
}

static void print_row(const char *name, const struct policy *policy)
{
	printf("\t{ { {");
	for (size_t i = 0; i < COUNT(policy->syscalls.bits); i++)
		printf(" UINT64_C(0x%016" PRIx64 "),", policy->syscalls.bits[i]);
	printf(" } }, %d, %d,\n\t  { %s_program, COUNT(%s_program) } },\n",
	       policy->write_execute, policy->interfaces, name, name);
}

static int add_calls(struct policy *policy, const char *const *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (syscall_set_add(&policy->syscalls, calls[i]) < 0) {
			fprintf(stderr, "filters: no call %s\n", calls[i]);
			return -1;
		}
	return 0;
}

static int print_own(void)
{
	for (size_t i = 0; i < COUNT(own); i++) {
		struct policy policy = { .name = "" };

		if (add_calls(&policy, own[i].calls, own[i].call_count) < 0 ||
		    add_calls(&policy, own[i].more_calls, own[i].more_count) < 0 ||
		    print_program(own[i].name, &policy) < 0)
			return -1;
		printf("const struct seccomp_program %s_filter = { %s_program, "
		       "COUNT(%s_program) };\n", own[i].name, own[i].name,
		       own[i].name);
	}
	return 0;
}

int main(void)
{
	const char *const *names = policy_preset_names();

	printf("#include \"common/cleanup.h\"\n"
	       "#include \"sandbox/preset_filters.h\"\n");
	if (print_own() < 0)
		return 1;
	for (size_t i = 0; names[i]; i++)
		if (!printed_before(names, i) &&
		    print_program(names[i], policy_preset(names[i])) < 0)
			return 1;
	printf("const struct preset_filter preset_filters[] = {\n");
	for (size_t i = 0; names[i]; i++)
		if (!printed_before(names, i))
			print_row(names[i], policy_preset(names[i]));
	printf("\t{ .program = { NULL, 0 } },\n};\n");
	return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
