#include "sandbox/syscalls.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

/* Specific groups first: syscall_group_of() names the first that fits. */
enum {
	DEFAULT = 1 << 0,	BASIC_IO = 1 << 1,	FILE_SYSTEM = 1 << 2,
	IO_EVENT = 1 << 3,	PROCESS = 1 << 4,	SIGNAL = 1 << 5,
	TIMER = 1 << 6,		SYNC = 1 << 7,		IPC = 1 << 8,
	NETWORK_IO = 1 << 9,	AIO = 1 << 10,		CHOWN = 1 << 11,
	MEMLOCK = 1 << 12,	PKEY = 1 << 13,		SANDBOX = 1 << 14,
	RESOURCES = 1 << 15,	KEYRING = 1 << 16,	SETUID = 1 << 17,
	CLOCK = 1 << 18,	CPU_EMULATION = 1 << 19, DEBUG = 1 << 20,
	MODULE = 1 << 21,	MOUNT = 1 << 22,	OBSOLETE = 1 << 23,
	RAW_IO = 1 << 24,	REBOOT = 1 << 25,	SWAP = 1 << 26,
	PRIVILEGED = 1 << 27,	SYSTEM_SERVICE = 1 << 28,
	OPAQUE = 1 << 29,	/* not a group: syscall_is_opaque() */
};

#define ORDINARY "low: an ordinary call"

static const struct {
	const char *name;
	uint32_t members;	/* calls of any of these groups */
	const char *risk;
} groups[] = {
	{ "@default", DEFAULT, ORDINARY },
	{ "@basic-io", BASIC_IO, ORDINARY },
	{ "@file-system", FILE_SYSTEM, ORDINARY },
	{ "@io-event", IO_EVENT, ORDINARY },
	{ "@process", PROCESS, ORDINARY },
	{ "@signal", SIGNAL, ORDINARY },
	{ "@timer", TIMER, ORDINARY },
	{ "@sync", SYNC, "low: it can make the host's disks busy" },
	{ "@ipc", IPC, ORDINARY },
	{ "@network-io", NETWORK_IO, "medium: it reaches what the network mode lets it reach" },
	{ "@aio", AIO, ORDINARY },
	{ "@chown", CHOWN, ORDINARY },
	{ "@memlock", MEMLOCK, ORDINARY },
	{ "@pkey", PKEY, ORDINARY },
	{ "@sandbox", SANDBOX, ORDINARY },
	{ "@resources", RESOURCES, "low: it changes how processors and memory are shared" },
	{ "@keyring", KEYRING, "high: kernel code that has had holes, and keys of the host's user" },
	{ "@setuid", SETUID, "low: without capabilities it can only become itself" },
	{ "@clock", CLOCK, "high: the host's clock" },
	{ "@cpu-emulation", CPU_EMULATION, "medium: kernel code that is rarely used" },
	{ "@debug", DEBUG, "high: it takes over other processes of the sandbox" },
	{ "@module", MODULE, "high: code in the host's kernel" },
	{ "@mount", MOUNT, "high: it changes what paths lead to" },
	{ "@obsolete", OBSOLETE, "medium: kernel code that is no longer used" },
	{ "@raw-io", RAW_IO, "high: the host's devices" },
	{ "@reboot", REBOOT, "high: the host itself" },
	{ "@swap", SWAP, "high: the host's memory" },
	{ "@privileged", PRIVILEGED | CHOWN | CLOCK | MODULE | RAW_IO | REBOOT | SWAP,
	  "high: meant for the host's administrator" },
	{ "@system-service", SYSTEM_SERVICE | AIO | BASIC_IO | CHOWN | DEFAULT |
		FILE_SYSTEM | IO_EVENT | IPC | KEYRING | MEMLOCK | NETWORK_IO |
		PROCESS | RESOURCES | SETUID | SIGNAL | SYNC | TIMER, ORDINARY },
};

/* Calls that are not like the rest of their group. */
static const struct {
	const char *name, *risk;
} singular[] = {
	{ "unshare", "high: a new user namespace opens much of the kernel" },
	{ "setns", "high: it leaves the sandbox for any namespace it can name" },
	{ "bpf", "high: programs in the host's kernel" },
	{ "userfaultfd", "high: it halts the kernel at a place of its choice" },
	{ "open_by_handle_at", "high: it opens files past every rule about paths" },
	{ "name_to_handle_at", "medium: it names files past every rule about paths" },
	{ "process_vm_readv", "high: it reads other processes of the sandbox" },
	{ "process_vm_writev", "high: it takes over other processes of the sandbox" },
	{ "process_madvise", "medium: it slows other processes of the sandbox" },
	{ "kcmp", "medium: it tells where the kernel keeps its objects" },
	{ "syslog", "medium: the host's kernel messages" },
	{ "memfd_secret", "medium: memory that nobody else can look into" },
};

/* By number, so that a kernel newer than our C library's headers is known. */
static const struct {
	const char *name;
	uint32_t groups;
} calls[SYSCALL_NUMBERS] = {
	[0] = { "read", BASIC_IO },
	[1] = { "write", BASIC_IO },
	[2] = { "open", FILE_SYSTEM },
	[3] = { "close", BASIC_IO | FILE_SYSTEM },
	[4] = { "stat", FILE_SYSTEM },
	[5] = { "fstat", FILE_SYSTEM },
	[6] = { "lstat", FILE_SYSTEM },
	[7] = { "poll", IO_EVENT },
	[8] = { "lseek", BASIC_IO },
	[9] = { "mmap", DEFAULT },
	[10] = { "mprotect", DEFAULT },
	[11] = { "munmap", DEFAULT },
	[12] = { "brk", DEFAULT },
	[13] = { "rt_sigaction", SIGNAL },
	[14] = { "rt_sigprocmask", SIGNAL },
	[15] = { "rt_sigreturn", DEFAULT },
	[16] = { "ioctl", SYSTEM_SERVICE },
	[17] = { "pread64", BASIC_IO },
	[18] = { "pwrite64", BASIC_IO },
	[19] = { "readv", BASIC_IO },
	[20] = { "writev", BASIC_IO },
	[21] = { "access", FILE_SYSTEM },
	[22] = { "pipe", IPC },
	[23] = { "select", IO_EVENT },
	[24] = { "sched_yield", DEFAULT | SYSTEM_SERVICE },
	[25] = { "mremap", SYSTEM_SERVICE },
	[26] = { "msync", SYNC },
	[27] = { "mincore", 0 },
	[28] = { "madvise", SYSTEM_SERVICE },
	[29] = { "shmget", IPC },
	[30] = { "shmat", IPC },
	[31] = { "shmctl", IPC },
	[32] = { "dup", BASIC_IO },
	[33] = { "dup2", BASIC_IO },
	[34] = { "pause", DEFAULT },
	[35] = { "nanosleep", DEFAULT },
	[36] = { "getitimer", TIMER },
	[37] = { "alarm", TIMER },
	[38] = { "setitimer", TIMER },
	[39] = { "getpid", DEFAULT },
	[40] = { "sendfile", SYSTEM_SERVICE },
	[41] = { "socket", NETWORK_IO },
	[42] = { "connect", NETWORK_IO },
	[43] = { "accept", NETWORK_IO },
	[44] = { "sendto", NETWORK_IO },
	[45] = { "recvfrom", NETWORK_IO },
	[46] = { "sendmsg", NETWORK_IO },
	[47] = { "recvmsg", NETWORK_IO },
	[48] = { "shutdown", NETWORK_IO },
	[49] = { "bind", NETWORK_IO },
	[50] = { "listen", NETWORK_IO },
	[51] = { "getsockname", NETWORK_IO },
	[52] = { "getpeername", NETWORK_IO },
	[53] = { "socketpair", NETWORK_IO },
	[54] = { "setsockopt", NETWORK_IO },
	[55] = { "getsockopt", NETWORK_IO },
	[56] = { "clone", PROCESS },
	[57] = { "fork", PROCESS },
	[58] = { "vfork", PROCESS },
	[59] = { "execve", DEFAULT },
	[60] = { "exit", DEFAULT },
	[61] = { "wait4", PROCESS },
	[62] = { "kill", PROCESS },
	[63] = { "uname", SYSTEM_SERVICE },
	[64] = { "semget", IPC },
	[65] = { "semop", IPC },
	[66] = { "semctl", IPC },
	[67] = { "shmdt", IPC },
	[68] = { "msgget", IPC },
	[69] = { "msgsnd", IPC },
	[70] = { "msgrcv", IPC },
	[71] = { "msgctl", IPC },
	[72] = { "fcntl", FILE_SYSTEM },
	[73] = { "flock", SYSTEM_SERVICE },
	[74] = { "fsync", SYNC },
	[75] = { "fdatasync", SYNC },
	[76] = { "truncate", FILE_SYSTEM },
	[77] = { "ftruncate", FILE_SYSTEM },
	[78] = { "getdents", FILE_SYSTEM },
	[79] = { "getcwd", FILE_SYSTEM },
	[80] = { "chdir", FILE_SYSTEM },
	[81] = { "fchdir", FILE_SYSTEM },
	[82] = { "rename", FILE_SYSTEM },
	[83] = { "mkdir", FILE_SYSTEM },
	[84] = { "rmdir", FILE_SYSTEM },
	[85] = { "creat", FILE_SYSTEM },
	[86] = { "link", FILE_SYSTEM },
	[87] = { "unlink", FILE_SYSTEM },
	[88] = { "symlink", FILE_SYSTEM },
	[89] = { "readlink", FILE_SYSTEM },
	[90] = { "chmod", FILE_SYSTEM },
	[91] = { "fchmod", FILE_SYSTEM },
	[92] = { "chown", CHOWN },
	[93] = { "fchown", CHOWN },
	[94] = { "lchown", CHOWN },
	[95] = { "umask", SYSTEM_SERVICE },
	[96] = { "gettimeofday", DEFAULT },
	[97] = { "getrlimit", DEFAULT },
	[98] = { "getrusage", PROCESS },
	[99] = { "sysinfo", SYSTEM_SERVICE },
	[100] = { "times", PROCESS | TIMER },
	[101] = { "ptrace", DEBUG },
	[102] = { "getuid", DEFAULT },
	[103] = { "syslog", 0 },
	[104] = { "getgid", DEFAULT },
	[105] = { "setuid", PRIVILEGED | SETUID },
	[106] = { "setgid", SETUID },
	[107] = { "geteuid", DEFAULT },
	[108] = { "getegid", DEFAULT },
	[109] = { "setpgid", SYSTEM_SERVICE },
	[110] = { "getppid", DEFAULT },
	[111] = { "getpgrp", DEFAULT },
	[112] = { "setsid", SYSTEM_SERVICE },
	[113] = { "setreuid", PRIVILEGED | SETUID },
	[114] = { "setregid", SETUID },
	[115] = { "getgroups", DEFAULT },
	[116] = { "setgroups", PRIVILEGED | SETUID },
	[117] = { "setresuid", PRIVILEGED | SETUID },
	[118] = { "getresuid", DEFAULT },
	[119] = { "setresgid", SETUID },
	[120] = { "getresgid", DEFAULT },
	[121] = { "getpgid", DEFAULT },
	[122] = { "setfsuid", PRIVILEGED | SYSTEM_SERVICE },
	[123] = { "setfsgid", SYSTEM_SERVICE },
	[124] = { "getsid", DEFAULT },
	[125] = { "capget", PROCESS | SYSTEM_SERVICE },
	[126] = { "capset", PRIVILEGED | SYSTEM_SERVICE },
	[127] = { "rt_sigpending", SIGNAL },
	[128] = { "rt_sigtimedwait", SIGNAL },
	[129] = { "rt_sigqueueinfo", PROCESS },
	[130] = { "rt_sigsuspend", SIGNAL },
	[131] = { "sigaltstack", SIGNAL },
	[132] = { "utime", FILE_SYSTEM },
	[133] = { "mknod", FILE_SYSTEM },
	[134] = { "uselib", OBSOLETE },
	[135] = { "personality", SYSTEM_SERVICE },
	[136] = { "ustat", OBSOLETE },
	[137] = { "statfs", FILE_SYSTEM },
	[138] = { "fstatfs", FILE_SYSTEM },
	[139] = { "sysfs", OBSOLETE },
	[140] = { "getpriority", SYSTEM_SERVICE },
	[141] = { "setpriority", RESOURCES },
	[142] = { "sched_setparam", RESOURCES },
	[143] = { "sched_getparam", SYSTEM_SERVICE },
	[144] = { "sched_setscheduler", RESOURCES },
	[145] = { "sched_getscheduler", SYSTEM_SERVICE },
	[146] = { "sched_get_priority_max", SYSTEM_SERVICE },
	[147] = { "sched_get_priority_min", SYSTEM_SERVICE },
	[148] = { "sched_rr_get_interval", SYSTEM_SERVICE },
	[149] = { "mlock", MEMLOCK },
	[150] = { "munlock", MEMLOCK },
	[151] = { "mlockall", MEMLOCK },
	[152] = { "munlockall", MEMLOCK },
	[153] = { "vhangup", PRIVILEGED },
	[154] = { "modify_ldt", CPU_EMULATION },
	[155] = { "pivot_root", MOUNT | PRIVILEGED },
	[156] = { "_sysctl", OBSOLETE | PRIVILEGED },
	[157] = { "prctl", PROCESS },
	[158] = { "arch_prctl", DEFAULT },
	[159] = { "adjtimex", CLOCK },
	[160] = { "setrlimit", RESOURCES },
	[161] = { "chroot", MOUNT | PRIVILEGED },
	[162] = { "sync", SYNC },
	[163] = { "acct", PRIVILEGED },
	[164] = { "settimeofday", CLOCK },
	[165] = { "mount", MOUNT },
	[166] = { "umount2", MOUNT },
	[167] = { "swapon", SWAP },
	[168] = { "swapoff", SWAP },
	[169] = { "reboot", REBOOT },
	[170] = { "sethostname", PRIVILEGED },
	[171] = { "setdomainname", PRIVILEGED },
	[172] = { "iopl", RAW_IO },
	[173] = { "ioperm", RAW_IO },
	[174] = { "create_module", OBSOLETE },
	[175] = { "init_module", MODULE },
	[176] = { "delete_module", MODULE },
	[177] = { "get_kernel_syms", OBSOLETE },
	[178] = { "query_module", OBSOLETE },
	[179] = { "quotactl", PRIVILEGED },
	[180] = { "nfsservctl", PRIVILEGED },
	[181] = { "getpmsg", OBSOLETE },
	[182] = { "putpmsg", OBSOLETE },
	[183] = { "afs_syscall", OBSOLETE },
	[184] = { "tuxcall", OBSOLETE },
	[185] = { "security", OBSOLETE },
	[186] = { "gettid", DEFAULT },
	[187] = { "readahead", SYSTEM_SERVICE },
	[188] = { "setxattr", FILE_SYSTEM },
	[189] = { "lsetxattr", FILE_SYSTEM },
	[190] = { "fsetxattr", FILE_SYSTEM },
	[191] = { "getxattr", FILE_SYSTEM },
	[192] = { "lgetxattr", FILE_SYSTEM },
	[193] = { "fgetxattr", FILE_SYSTEM },
	[194] = { "listxattr", FILE_SYSTEM },
	[195] = { "llistxattr", FILE_SYSTEM },
	[196] = { "flistxattr", FILE_SYSTEM },
	[197] = { "removexattr", FILE_SYSTEM },
	[198] = { "lremovexattr", FILE_SYSTEM },
	[199] = { "fremovexattr", FILE_SYSTEM },
	[200] = { "tkill", PROCESS },
	[201] = { "time", DEFAULT },
	[202] = { "futex", DEFAULT },
	[203] = { "sched_setaffinity", RESOURCES },
	[204] = { "sched_getaffinity", DEFAULT },
	[205] = { "set_thread_area", DEFAULT },
	[206] = { "io_setup", AIO },
	[207] = { "io_destroy", AIO },
	[208] = { "io_getevents", AIO },
	[209] = { "io_submit", AIO },
	[210] = { "io_cancel", AIO },
	[211] = { "get_thread_area", DEFAULT },
	[212] = { "lookup_dcookie", DEBUG },
	[213] = { "epoll_create", IO_EVENT },
	[214] = { "epoll_ctl_old", IO_EVENT },
	[215] = { "epoll_wait_old", IO_EVENT },
	[216] = { "remap_file_pages", SYSTEM_SERVICE },
	[217] = { "getdents64", FILE_SYSTEM },
	[218] = { "set_tid_address", DEFAULT },
	[219] = { "restart_syscall", DEFAULT },
	[220] = { "semtimedop", IPC },
	[221] = { "fadvise64", SYSTEM_SERVICE },
	[222] = { "timer_create", TIMER },
	[223] = { "timer_settime", TIMER },
	[224] = { "timer_gettime", TIMER },
	[225] = { "timer_getoverrun", TIMER },
	[226] = { "timer_delete", TIMER },
	[227] = { "clock_settime", CLOCK },
	[228] = { "clock_gettime", DEFAULT },
	[229] = { "clock_getres", DEFAULT },
	[230] = { "clock_nanosleep", DEFAULT },
	[231] = { "exit_group", DEFAULT },
	[232] = { "epoll_wait", IO_EVENT },
	[233] = { "epoll_ctl", IO_EVENT },
	[234] = { "tgkill", PROCESS },
	[235] = { "utimes", FILE_SYSTEM },
	[236] = { "vserver", OBSOLETE },
	[237] = { "mbind", RESOURCES },
	[238] = { "set_mempolicy", RESOURCES },
	[239] = { "get_mempolicy", SYSTEM_SERVICE },
	[240] = { "mq_open", IPC },
	[241] = { "mq_unlink", IPC },
	[242] = { "mq_timedsend", IPC },
	[243] = { "mq_timedreceive", IPC },
	[244] = { "mq_notify", IPC },
	[245] = { "mq_getsetattr", IPC },
	[246] = { "kexec_load", REBOOT },
	[247] = { "waitid", PROCESS },
	[248] = { "add_key", KEYRING },
	[249] = { "request_key", KEYRING },
	[250] = { "keyctl", KEYRING },
	[251] = { "ioprio_set", RESOURCES },
	[252] = { "ioprio_get", SYSTEM_SERVICE },
	[253] = { "inotify_init", FILE_SYSTEM },
	[254] = { "inotify_add_watch", FILE_SYSTEM },
	[255] = { "inotify_rm_watch", FILE_SYSTEM },
	[256] = { "migrate_pages", RESOURCES },
	[257] = { "openat", FILE_SYSTEM },
	[258] = { "mkdirat", FILE_SYSTEM },
	[259] = { "mknodat", FILE_SYSTEM },
	[260] = { "fchownat", CHOWN },
	[261] = { "futimesat", FILE_SYSTEM },
	[262] = { "newfstatat", FILE_SYSTEM },
	[263] = { "unlinkat", FILE_SYSTEM },
	[264] = { "renameat", FILE_SYSTEM },
	[265] = { "linkat", FILE_SYSTEM },
	[266] = { "symlinkat", FILE_SYSTEM },
	[267] = { "readlinkat", FILE_SYSTEM },
	[268] = { "fchmodat", FILE_SYSTEM },
	[269] = { "faccessat", FILE_SYSTEM },
	[270] = { "pselect6", IO_EVENT },
	[271] = { "ppoll", IO_EVENT },
	[272] = { "unshare", PROCESS },
	[273] = { "set_robust_list", DEFAULT },
	[274] = { "get_robust_list", DEFAULT },
	[275] = { "splice", SYSTEM_SERVICE },
	[276] = { "tee", SYSTEM_SERVICE },
	[277] = { "sync_file_range", SYNC },
	[278] = { "vmsplice", SYSTEM_SERVICE },
	[279] = { "move_pages", RESOURCES },
	[280] = { "utimensat", FILE_SYSTEM },
	[281] = { "epoll_pwait", IO_EVENT },
	[282] = { "signalfd", SIGNAL },
	[283] = { "timerfd_create", TIMER },
	[284] = { "eventfd", IO_EVENT },
	[285] = { "fallocate", FILE_SYSTEM },
	[286] = { "timerfd_settime", TIMER },
	[287] = { "timerfd_gettime", TIMER },
	[288] = { "accept4", NETWORK_IO },
	[289] = { "signalfd4", SIGNAL },
	[290] = { "eventfd2", IO_EVENT },
	[291] = { "epoll_create1", IO_EVENT },
	[292] = { "dup3", BASIC_IO },
	[293] = { "pipe2", IPC },
	[294] = { "inotify_init1", FILE_SYSTEM },
	[295] = { "preadv", BASIC_IO },
	[296] = { "pwritev", BASIC_IO },
	[297] = { "rt_tgsigqueueinfo", PROCESS },
	[298] = { "perf_event_open", DEBUG },
	[299] = { "recvmmsg", NETWORK_IO },
	[300] = { "fanotify_init", PRIVILEGED },
	[301] = { "fanotify_mark", PRIVILEGED },
	[302] = { "prlimit64", DEFAULT },
	[303] = { "name_to_handle_at", SYSTEM_SERVICE },
	[304] = { "open_by_handle_at", PRIVILEGED },
	[305] = { "clock_adjtime", CLOCK },
	[306] = { "syncfs", SYNC },
	[307] = { "sendmmsg", NETWORK_IO },
	[308] = { "setns", PROCESS },
	[309] = { "getcpu", SYSTEM_SERVICE },
	[310] = { "process_vm_readv", IPC },
	[311] = { "process_vm_writev", IPC },
	[312] = { "kcmp", SYSTEM_SERVICE },
	[313] = { "finit_module", MODULE },
	[314] = { "sched_setattr", RESOURCES },
	[315] = { "sched_getattr", SYSTEM_SERVICE },
	[316] = { "renameat2", FILE_SYSTEM },
	[317] = { "seccomp", SANDBOX },
	[318] = { "getrandom", DEFAULT },
	[319] = { "memfd_create", IPC },
	[320] = { "kexec_file_load", REBOOT },
	[321] = { "bpf", PRIVILEGED },
	[322] = { "execveat", PROCESS },
	[323] = { "userfaultfd", SYSTEM_SERVICE },
	[324] = { "membarrier", DEFAULT },
	[325] = { "mlock2", MEMLOCK },
	[326] = { "copy_file_range", SYSTEM_SERVICE },
	[327] = { "preadv2", BASIC_IO },
	[328] = { "pwritev2", BASIC_IO },
	[329] = { "pkey_mprotect", PKEY },
	[330] = { "pkey_alloc", PKEY },
	[331] = { "pkey_free", PKEY },
	[332] = { "statx", FILE_SYSTEM },
	[333] = { "io_pgetevents", AIO },
	[334] = { "rseq", DEFAULT },
	[335] = { "uretprobe", DEFAULT },
	[336] = { "uprobe", DEFAULT },
	[424] = { "pidfd_send_signal", PROCESS },
	[425] = { "io_uring_setup", OPAQUE },
	[426] = { "io_uring_enter", OPAQUE },
	[427] = { "io_uring_register", OPAQUE },
	[428] = { "open_tree", MOUNT },
	[429] = { "move_mount", MOUNT },
	[430] = { "fsopen", MOUNT },
	[431] = { "fsconfig", MOUNT },
	[432] = { "fsmount", MOUNT },
	[433] = { "fspick", MOUNT },
	[434] = { "pidfd_open", PROCESS },
	[435] = { "clone3", OPAQUE },
	[436] = { "close_range", BASIC_IO },
	[437] = { "openat2", OPAQUE },
	[438] = { "pidfd_getfd", DEBUG },
	[439] = { "faccessat2", FILE_SYSTEM },
	[440] = { "process_madvise", IPC },
	[441] = { "epoll_pwait2", IO_EVENT },
	[442] = { "mount_setattr", MOUNT },
	[443] = { "quotactl_fd", PRIVILEGED },
	[444] = { "landlock_create_ruleset", SANDBOX },
	[445] = { "landlock_add_rule", SANDBOX },
	[446] = { "landlock_restrict_self", SANDBOX },
	[447] = { "memfd_secret", 0 },
	[448] = { "process_mrelease", 0 },
	[449] = { "futex_waitv", DEFAULT },
	[450] = { "set_mempolicy_home_node", RESOURCES },
	[451] = { "cachestat", FILE_SYSTEM },
	[452] = { "fchmodat2", FILE_SYSTEM },
	[453] = { "map_shadow_stack", DEFAULT },
	[454] = { "futex_wake", DEFAULT },
	[455] = { "futex_wait", DEFAULT },
	[456] = { "futex_requeue", DEFAULT },
	[457] = { "statmount", FILE_SYSTEM },
	[458] = { "listmount", FILE_SYSTEM },
	[459] = { "lsm_get_self_attr", DEFAULT },
	[460] = { "lsm_set_self_attr", 0 },
	[461] = { "lsm_list_modules", DEFAULT },
	[462] = { "mseal", DEFAULT },
	[463] = { "setxattrat", FILE_SYSTEM },
	[464] = { "getxattrat", FILE_SYSTEM },
	[465] = { "listxattrat", FILE_SYSTEM },
	[466] = { "removexattrat", FILE_SYSTEM },
	[467] = { "open_tree_attr", MOUNT },
	[468] = { "file_getattr", FILE_SYSTEM },
	[469] = { "file_setattr", FILE_SYSTEM },
};

static uint32_t members_of(const char *group)
{
	for (size_t i = 0; i < COUNT(groups); i++)
		if (strcmp(groups[i].name, group) == 0)
			return groups[i].members;
	return 0;
}

/* The calls a word stands for. No group has an opaque call. */
static int resolve(const char *word, struct syscall_set *ret)
{
	uint32_t members = word[0] == '@' ? members_of(word) : 0;
	int number = members ? 0 : syscall_number(word);

	*ret = (struct syscall_set){ 0 };
	if (number < 0 || syscall_is_opaque(number))
		return number < 0 ? number : -EPERM;
	if (!members)
		ret->bits[number / 64] = UINT64_C(1) << number % 64;
	for (size_t i = 0; members && i < SYSCALL_NUMBERS; i++)
		ret->bits[i / 64] |= (uint64_t)((calls[i].groups & members) != 0)
				     << i % 64;
	return 0;
}

int syscall_set_add(struct syscall_set *set, const char *word)
{
	struct syscall_set added;
	int r = resolve(word, &added);

	for (size_t i = 0; r == 0 && i < COUNT(set->bits); i++)
		set->bits[i] |= added.bits[i];
	return r;
}

int syscall_set_remove(struct syscall_set *set, const char *word)
{
	struct syscall_set removed;
	int r = resolve(word, &removed);

	for (size_t i = 0; r == 0 && i < COUNT(set->bits); i++)
		set->bits[i] &= ~removed.bits[i];
	return r;
}

static bool in_range(int number)
{
	return number >= 0 && number < SYSCALL_NUMBERS;
}

bool syscall_set_has(const struct syscall_set *set, int number)
{
	return in_range(number) &&
	       (set->bits[number / 64] >> number % 64 & 1) != 0;
}

const char *syscall_name(int number)
{
	return in_range(number) ? calls[number].name : NULL;
}

int syscall_number(const char *name)
{
	for (int i = 0; i < SYSCALL_NUMBERS; i++)
		if (calls[i].name && strcmp(calls[i].name, name) == 0)
			return i;
	return -ENOENT;
}

/* COUNT(groups) for a call without one. */
static size_t group_of(int number)
{
	size_t i = 0;

	if (!in_range(number))
		return COUNT(groups);
	while (i < COUNT(groups) && !(calls[number].groups & groups[i].members))
		i++;
	return i;
}

const char *syscall_group_of(int number)
{
	size_t i = group_of(number);

	return i < COUNT(groups) ? groups[i].name : NULL;
}

const char *syscall_risk(int number)
{
	size_t group = group_of(number);
	const char *name = syscall_name(number);

	if (!name || syscall_is_opaque(number))
		return "high: no filter sees what it is asked to do";
	for (size_t i = 0; i < COUNT(singular); i++)
		if (strcmp(singular[i].name, name) == 0)
			return singular[i].risk;
	return group < COUNT(groups) ? groups[group].risk :
				       "medium: few programs need it";
}

const char *syscall_group_name(size_t index)
{
	return index < COUNT(groups) ? groups[index].name : NULL;
}

bool syscall_is_opaque(int number)
{
	return in_range(number) && (calls[number].groups & OPAQUE) != 0;
}
