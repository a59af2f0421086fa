/*
 * filters - writes the filter programs of the presets, and of init, as C.
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

/* init waits, reaps, kills, talks to the launcher and looks at its disks. */
static const char *const init_calls[] = {
	"poll", "ppoll", "read", "recvfrom", "recvmsg", "sendto", "sendmsg",
	"kill", "wait4", "waitid", "getrusage", "statfs", "fstatfs", "close",
	"clock_gettime", "rt_sigreturn", "restart_syscall", "exit", "exit_group",
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

int main(void)
{
	const char *const *names = policy_preset_names();
	struct policy init = { .name = "init" };

	for (size_t i = 0; i < COUNT(init_calls); i++)
		if (syscall_set_add(&init.syscalls, init_calls[i]) < 0)
			return 1;
	printf("#include \"common/cleanup.h\"\n"
	       "#include \"sandbox/preset_filters.h\"\n");
	if (print_program("init", &init) < 0)
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
	printf("const struct seccomp_program init_filter = { init_program, "
	       "COUNT(init_program) };\n");
	return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
