#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/syscalls.h"

#define HEADER "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"

/* The kernel's own list, as far as the installed headers know it. */
static void names_and_numbers_are_the_kernels(void **state)
{
	FILE *header = fopen(HEADER, "r");
	char line[256];
	int count = 0;

	(void)state;
	if (!header)
		test_skip("there is no %s", HEADER);
	while (fgets(line, sizeof(line), header)) {
		static const char start[] = "#define __NR_";
		char *name = line + strlen(start), *space = strchr(name, ' ');

		if (strncmp(line, start, strlen(start)) != 0 || !space)
			continue;
		*space = '\0';
		int number = (int)strtol(space + 1, NULL, 10);

		count++;
		test_row(syscall_name(number) && strcmp(syscall_name(number), name) == 0,
			 "%d: got %s, want %s", number, syscall_name(number), name);
		test_row(syscall_number(name) == number, "%s: got %d, want %d",
			 name, syscall_number(name), number);
	}
	fclose(header);
	assert_true(count > 350);
}

static void newer_kernels_calls_are_known(void **state)
{
	static const struct { int number; const char *name; } newer[] = {
		{ 335, "uretprobe" }, { 336, "uprobe" }, { 337, NULL },
		{ 423, NULL }, { 424, "pidfd_send_signal" },
		{ 451, "cachestat" }, { 452, "fchmodat2" },
		{ 453, "map_shadow_stack" }, { 454, "futex_wake" },
		{ 455, "futex_wait" }, { 456, "futex_requeue" },
		{ 457, "statmount" }, { 458, "listmount" },
		{ 459, "lsm_get_self_attr" }, { 460, "lsm_set_self_attr" },
		{ 461, "lsm_list_modules" }, { 462, "mseal" },
		{ 463, "setxattrat" }, { 464, "getxattrat" },
		{ 465, "listxattrat" }, { 466, "removexattrat" },
		{ 467, "open_tree_attr" }, { 468, "file_getattr" },
		{ 469, "file_setattr" }, { 470, NULL },
		{ -1, NULL }, { 511, NULL }, { 512, NULL }, { 1 << 30, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(newer); i++) {
		const char *got = syscall_name(newer[i].number);

		test_row(newer[i].name ? got && strcmp(got, newer[i].name) == 0 : !got,
			 "%d: got %s, want %s", newer[i].number, got, newer[i].name);
	}
}

/* Samples of systemd-analyze(1) syscall-filter, and what we leave out of it. */
static void groups_are_systemds(void **state)
{
	static const struct { const char *group, *call; bool member; } rows[] = {
		{ "@default", "execve", true },
		{ "@default", "read", false },
		{ "@basic-io", "pwritev2", true },
		{ "@basic-io", "close", true },
		{ "@file-system", "close", true },
		{ "@file-system", "fchmodat2", true },
		{ "@file-system", "openat2", false },
		{ "@process", "clone", true },
		{ "@process", "clone3", false },
		{ "@process", "unshare", true },
		{ "@aio", "io_submit", true },
		{ "@aio", "io_uring_setup", false },
		{ "@aio", "io_uring_enter", false },
		{ "@aio", "io_uring_register", false },
		{ "@keyring", "keyctl", true },
		{ "@mount", "open_tree_attr", true },
		{ "@privileged", "reboot", true },
		{ "@privileged", "chown", true },
		{ "@privileged", "read", false },
		{ "@system-service", "flock", true },
		{ "@system-service", "keyctl", true },
		{ "@system-service", "mount", false },
		{ "@system-service", "ptrace", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct syscall_set set = { 0 };

		assert_int_equal(syscall_set_add(&set, rows[i].group), 0);
		test_row(syscall_set_has(&set, syscall_number(rows[i].call)) ==
				 rows[i].member,
			 "%s %s: want %d", rows[i].group, rows[i].call,
			 rows[i].member);
	}
}

static void a_group_added_and_removed_leaves_the_rest(void **state)
{
	struct syscall_set set = { 0 }, before;

	(void)state;
	assert_int_equal(syscall_set_add(&set, "ptrace"), 0);
	before = set;
	assert_int_equal(syscall_set_add(&set, "@signal"), 0);
	assert_true(syscall_set_has(&set, syscall_number("rt_sigaction")));
	assert_int_equal(syscall_set_remove(&set, "@signal"), 0);
	assert_memory_equal(&set, &before, sizeof(set));
	assert_int_equal(syscall_set_remove(&set, "ptrace"), 0);
	assert_false(syscall_set_has(&set, syscall_number("ptrace")));
}

static void words_nobody_knows_change_nothing(void **state)
{
	static const struct { const char *word; int want; } rows[] = {
		{ "", -ENOENT }, { "*", -ENOENT }, { "@", -ENOENT },
		{ "@all", -ENOENT }, { "@known", -ENOENT }, { "read ", -ENOENT },
		{ "READ", -ENOENT }, { "ptrac", -ENOENT }, { "101", -ENOENT },
		{ "clone3", -EPERM }, { "openat2", -EPERM },
		{ "io_uring_setup", -EPERM }, { "io_uring_enter", -EPERM },
		{ "io_uring_register", -EPERM },
	};
	const struct syscall_set empty = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct syscall_set set = { 0 };
		int got = syscall_set_add(&set, rows[i].word);

		test_row(got == rows[i].want, "'%s': got %d, want %d",
			 rows[i].word, got, rows[i].want);
		assert_memory_equal(&set, &empty, sizeof(set));
	}
}

static void a_set_has_only_numbers_in_its_range(void **state)
{
	struct syscall_set full;

	(void)state;
	memset(&full, 0xff, sizeof(full));
	assert_true(syscall_set_has(&full, 0));
	assert_true(syscall_set_has(&full, SYSCALL_NUMBERS - 1));
	assert_false(syscall_set_has(&full, SYSCALL_NUMBERS));
	assert_false(syscall_set_has(&full, -1));
}

static void advice_names_the_narrowest_group(void **state)
{
	static const struct { const char *call, *group, *risk; } rows[] = {
		{ "read", "@basic-io", "low" },
		{ "chroot", "@mount", "high" },
		{ "ptrace", "@debug", "high" },
		{ "unshare", "@process", "high" },
		{ "flock", "@system-service", "low" },
		{ "bpf", "@privileged", "high" },
		{ "mincore", NULL, "medium" },
		{ "clone3", NULL, "high" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int number = syscall_number(rows[i].call);
		const char *group = syscall_group_of(number);

		test_row(rows[i].group ? group && strcmp(group, rows[i].group) == 0 :
					 !group,
			 "%s: got %s, want %s", rows[i].call, group, rows[i].group);
		test_row(strncmp(syscall_risk(number), rows[i].risk,
				 strlen(rows[i].risk)) == 0,
			 "%s: got %s, want %s", rows[i].call, syscall_risk(number),
			 rows[i].risk);
	}
	assert_null(syscall_group_of(-1));
	assert_null(syscall_group_of(SYSCALL_NUMBERS));
	assert_non_null(syscall_risk(SYSCALL_NUMBERS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers_are_the_kernels),
		cmocka_unit_test(newer_kernels_calls_are_known),
		cmocka_unit_test(groups_are_systemds),
		cmocka_unit_test(a_group_added_and_removed_leaves_the_rest),
		cmocka_unit_test(words_nobody_knows_change_nothing),
		cmocka_unit_test(a_set_has_only_numbers_in_its_range),
		cmocka_unit_test(advice_names_the_narrowest_group),
	};

	return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
