/*
 * probe numbers DOOR STEP [COMMAND...] - every STEP-th system call number, 0
 * to well above the highest known, by one door: native, int80 or x32. With
 * COMMAND each is tried as COMMAND... numbers try DOOR NUMBER.
 *
 * What is expected stands here, apart from Cupel's own tables: by the foreign
 * doors every number kills; natively the calls below are refused under every
 * preset, numbers that no kernel we know uses do not exist, and nothing kills.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define NUMBER_LAST (511 + 64)
#define GAP_FIRST 335		/* x86-64: left out when the tables were joined */
#define GAP_LAST 423
#define UPROBES_LAST 336	/* the kernel lets 335 and 336 pass every filter,
				 * and they fail but in its own trampolines */
#define UNKNOWN_FIRST 470	/* Linux 6.17 ends at 469 */
#define BLOCKED_MICROSECONDS 50000

static const short never[] = {
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree,
	SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
	SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_clone3, SYS_openat2,
	SYS_swapon, SYS_swapoff, SYS_reboot, SYS_kexec_load,
	SYS_kexec_file_load, SYS_init_module, SYS_finit_module,
	SYS_delete_module, SYS_create_module, SYS_get_kernel_syms,
	SYS_query_module, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_syslog,
	SYS_acct, SYS_vhangup, SYS_sethostname, SYS_setdomainname,
	SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
	SYS_quotactl, SYS_quotactl_fd, SYS_nfsservctl, SYS_lookup_dcookie,
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_process_madvise, SYS_pidfd_getfd, SYS_kcmp, SYS_migrate_pages,
	SYS_move_pages, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_bpf,
	SYS_perf_event_open, SYS_userfaultfd, SYS_memfd_secret,
	SYS_fanotify_init, SYS_fanotify_mark, SYS_name_to_handle_at,
	SYS_open_by_handle_at, SYS_io_uring_setup, SYS_io_uring_enter,
	SYS_io_uring_register, SYS_uselib, SYS__sysctl, SYS_ustat, SYS_sysfs,
	SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security,
	SYS_vserver,
};

static const struct door {
	const char *name;
	int (*call)(long number);
} doors[] = {
	{ "native", system_call_by_number },
	{ "int80", system_call_by_int80 },
	{ "x32", system_call_by_x32 },
};

struct trial {
	const struct door *door;
	long number;
	char **command;		/* or empty */
};

static const struct door *find_door(const char *name)
{
	for (size_t i = 0; i < COUNT(doors); i++)
		if (strcmp(doors[i].name, name) == 0)
			return &doors[i];
	fprintf(stderr, "probe: no door '%s'\n", name);
	exit(64);
}

/* NULL: anything but a violent end. */
static const char *wanted(const struct door *door, long number)
{
	if (door != doors)
		return "SIGSYS";
	for (size_t i = 0; i < COUNT(never); i++)
		if (never[i] == number)
			return "EPERM|ENOSYS";
	if (number >= GAP_FIRST && number <= UPROBES_LAST)
		return "ENOSYS|ENXIO|SIGILL";
	if ((number >= GAP_FIRST && number <= GAP_LAST) || number >= UNKNOWN_FIRST)
		return "ENOSYS";
	return NULL;
}

/* An allowed call may wait; one that is refused may take a busy host long. */
static int try_number(const struct door *door, long number)
{
	if (door == doors && number == SYS_vfork)
		return 0;	/* would come back twice on one stack */
	if (!wanted(door, number))
		ualarm(BLOCKED_MICROSECONDS, 0);
	return door->call(number);
}

static int run_trial(const void *argument)
{
	const struct trial *trial = argument;
	char *words[64], number[24];
	int count = 0;

	if (!trial->command[0])
		return try_number(trial->door, trial->number);
	snprintf(number, sizeof(number), "%ld", trial->number);
	while (count < 58 && trial->command[count]) {
		words[count] = trial->command[count];
		count++;
	}
	words[count++] = (char[]){ "numbers" };
	words[count++] = (char[]){ "try" };
	words[count++] = strdup(trial->door->name);
	words[count++] = number;
	words[count] = NULL;
	execvp(words[0], words);
	return errno;
}

static bool judge(const struct trial *trial)
{
	char text[32];
	const char *got = outcome_name(in_own_process(run_trial, trial), text,
				       sizeof(text));
	const char *want = wanted(trial->door, trial->number);

	if (want ? listed(want, got) : strcmp(got, "SIGSYS") != 0)
		return true;
	printf("# number %ld: %s, wanted %s\n", trial->number, got,
	       want ? want : "anything but SIGSYS");
	return false;
}

int probe_numbers(int argc, char **argv)
{
	bool good = true;

	if (argc > 3 && strcmp(argv[1], "try") == 0)
		return try_number(find_door(argv[2]), number_of(argv[3]));
	if (argc < 3)
		return 64;
	for (long i = 0; i <= NUMBER_LAST; i += number_of(argv[2]))
		good &= judge(&(struct trial){ find_door(argv[1]), i, argv + 3 });
	printf("%sok - system call numbers 0 to %d by %s\n", good ? "" : "not ",
	       NUMBER_LAST, argv[1]);
	return !good;
}
