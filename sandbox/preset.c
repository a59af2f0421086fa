#include "sandbox/policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- the host's directories and files, each at its own place, read-only ---- */

static const char *const programs[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", NULL,
};

static const char *const tools[] = {
	"/etc/os-release", NULL,
};

/* Certificates are public; the private keys beside them stay outside. */
static const char *const certificates[] = {
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates",
	"/etc/pki/tls/certs", "/etc/pki/ca-trust", "/etc/crypto-policies", NULL,
};

static const char *const toolchains[] = {
	"/opt", "/var/lib/dpkg", "/etc/debian_version", "/etc/timezone",
	"/etc/gitconfig", "/etc/services", "/etc/protocols",
	"/etc/mime.types", "/etc/magic", "/etc/fonts", "/etc/xml",
	"/etc/java-11-openjdk", "/etc/java-17-openjdk", "/etc/java-21-openjdk",
	"/etc/java-25-openjdk", NULL,
};

/* resolv.conf is often a link to one of the others. */
static const char *const resolver[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf",
	"/run/systemd/resolve", "/run/NetworkManager/resolv.conf",
	"/run/resolvconf", NULL,
};

/* ---- the environment; nothing of the caller's passes but these names ---- */

static const char *const locale[] = {
	"LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES",
	"LC_MONETARY", "LC_NUMERIC", "LC_TIME", "TZ", NULL,
};
static const char *const terminal[] = { "TERM", "COLORTERM", "NO_COLOR", NULL };
static const char *const builder[] = { "CI", "SOURCE_DATE_EPOCH", NULL };

static const char *const person[] = {
	"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "USER=user",
	"LOGNAME=user", "SHELL=/bin/sh", NULL,
};

/* ---- system calls ---- */

static const char *const pure_groups[] = {
	"@default", "@basic-io", "@signal", NULL,
};
static const char *const command_groups[] = {
	"@file-system", "@io-event", "@process", "@timer", "@sync", "@ipc",
	"@chown", "@sandbox", NULL,
};
static const char *const tool_groups[] = {
	"@network-io", "@memlock", "@pkey", "@aio", NULL,
};

static const short pure_calls[] = {
	SYS_fcntl, SYS_ioctl, SYS_madvise, SYS_mremap, SYS_uname, SYS_sysinfo,
	SYS_umask, SYS_getcpu, SYS_fadvise64, -1,
};

/* Without processes and new names: what a loader and an interpreter need. */
static const short compute_calls[] = {
	SYS_access, SYS_faccessat, SYS_faccessat2, SYS_open, SYS_openat,
	SYS_stat, SYS_lstat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs,
	SYS_fstatfs, SYS_readlink, SYS_readlinkat, SYS_getcwd, SYS_getdents64,
	SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_pipe, SYS_pipe2,
	SYS_eventfd2, SYS_prctl, SYS_execveat, SYS_getrusage, SYS_times,
	SYS_tgkill, -1,
};

static const short command_calls[] = {
	SYS_flock, SYS_getpriority, SYS_setpriority, SYS_ioprio_get,
	SYS_get_mempolicy, SYS_mincore, SYS_personality, SYS_readahead,
	SYS_copy_file_range, SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice,
	SYS_sched_getattr, SYS_sched_getparam, SYS_sched_getscheduler,
	SYS_sched_get_priority_max, SYS_sched_get_priority_min,
	SYS_sched_rr_get_interval, SYS_setrlimit,
	SYS_setpgid, SYS_setsid,
	/* posix_spawn(3) resets ids for make(1); there is only one to have. */
	SYS_setresuid, SYS_setresgid, -1,
};

/* A process may talk to its children over a socket pair, to nobody else. */
static const short pair_calls[] = {
	SYS_socketpair, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
	SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_getsockopt,
	SYS_setsockopt, -1,
};

static const short tool_calls[] = {
	SYS_mbind, SYS_set_mempolicy, SYS_set_mempolicy_home_node,
	SYS_sched_setscheduler, SYS_sched_setattr, SYS_sched_setparam,
	SYS_sched_setaffinity, SYS_ioprio_set, -1,
};

/* In the groups above, and no part of an ordinary command's work. */
static const short withheld[] = {
	SYS_unshare, SYS_setns, SYS_process_madvise, SYS_process_vm_readv,
	SYS_process_vm_writev,
};

/* ---- the presets: lists of lists, and what is not a list ---- */

struct preset {
	const char *name, *description;
	const char *const *binds[4], *const *pass_env[4], *const *groups[4];
	const short *calls[4];
	bool relaxed;		/* all of /proc's names, code made at run time */
	bool interfaces;
	enum network_mode network;
	enum workspace_mode workspace;
	bool repository_readonly;
	struct limits limits;
};

static const struct preset presets[] = {
	{
		"strict", "a foreign command: no workspace, no sockets, no code made at run time",
		.binds = { programs },
		.pass_env = { locale },
		.groups = { pure_groups, command_groups },
		.calls = { pure_calls, command_calls, pair_calls },
		.workspace = WORKSPACE_NONE,
		.limits = {
			.wall_ns = 30 * SECOND, .cpus = 1, .memory_bytes = 512 * MIB,
			.pids = 100, .output_bytes = 64 * MIB,
			.disk_bytes = 100 * MIB, .inodes = 10000, .files = 256,
		},
	},
	{
		"tool", "a command of an agent or a person in a workspace, without network",
		.binds = { programs, tools },
		.pass_env = { locale, terminal },
		.groups = { pure_groups, command_groups, tool_groups },
		.calls = { pure_calls, command_calls, tool_calls },
		.relaxed = true,
		.workspace = WORKSPACE_DIRECT,
		.limits = {
			.wall_ns = 30 * SECOND, .memory_bytes = 512 * MIB,
			.pids = 100, .output_bytes = 64 * MIB,
			.disk_bytes = 100 * MIB, .inodes = 20000, .files = 1024,
		},
	},
	{
		"build", "compilers and package tools in a workspace, without network",
		.binds = { programs, tools, certificates, toolchains },
		.pass_env = { locale, terminal, builder },
		.groups = { pure_groups, command_groups, tool_groups },
		.calls = { pure_calls, command_calls, tool_calls },
		.relaxed = true,
		.interfaces = true,
		.workspace = WORKSPACE_DIRECT,
		.repository_readonly = true,
		.limits = {
			.wall_ns = 30 * MINUTE, .memory_bytes = 4 * GIB,
			.pids = 1000, .output_bytes = 64 * MIB,
			.disk_bytes = GIB, .inodes = 200000, .files = 4096,
		},
	},
	{
		"test", "a test suite in a workspace, with a loopback network of its own",
		.binds = { programs, tools, certificates, toolchains },
		.pass_env = { locale, terminal, builder },
		.groups = { pure_groups, command_groups, tool_groups },
		.calls = { pure_calls, command_calls, tool_calls },
		.relaxed = true,
		.interfaces = true,
		.workspace = WORKSPACE_DIRECT,
		.limits = {
			.wall_ns = 2 * MINUTE, .memory_bytes = 2 * GIB,
			.pids = 500, .output_bytes = 64 * MIB,
			.disk_bytes = 512 * MIB, .inodes = 100000, .files = 4096,
		},
	},
	{
		"net", "a command in a workspace that needs the network, which is the host's",
		.binds = { programs, tools, certificates, resolver },
		.pass_env = { locale, terminal },
		.groups = { pure_groups, command_groups, tool_groups },
		.calls = { pure_calls, command_calls, tool_calls },
		.relaxed = true,
		.interfaces = true,
		.network = NETWORK_HOST,
		.workspace = WORKSPACE_DIRECT,
		.limits = {
			.wall_ns = 5 * MINUTE, .memory_bytes = 512 * MIB,
			.pids = 100, .output_bytes = 64 * MIB,
			.disk_bytes = 100 * MIB, .inodes = 20000, .files = 1024,
		},
	},
	{
		"compute", "a pure function of its input: one process, one thread",
		.binds = { programs },
		.pass_env = { locale },
		.groups = { pure_groups },
		.calls = { pure_calls, compute_calls },
		.workspace = WORKSPACE_NONE,
		.limits = {
			.wall_ns = 30 * SECOND, .cpus = 1, .memory_bytes = 512 * MIB,
			.pids = 8, .output_bytes = 64 * MIB,
			.disk_bytes = 16 * MIB, .inodes = 1000, .files = 64,
		},
	},
};

static const char *const names[COUNT(presets) + 1] = {
	"strict", "tool", "build", "test", "net", "compute", NULL,
};

const char *const *policy_preset_names(void)
{
	return names;
}

static void append(const char **rows, size_t *count, const char *const *list)
{
	for (; list && *list; list++)
		rows[(*count)++] = *list;
}

static void append_binds(struct policy *policy, const char *const *list)
{
	for (; list && *list; list++)
		(void)bind_insert(policy->binds, &policy->bind_count,
				  POLICY_ROWS_MAX,
				  &(struct bind){ *list, *list, BIND_READ, true });
}

static void add_calls(struct syscall_set *set, const char *const *groups,
		      const short *calls)
{
	for (; groups && *groups; groups++)
		(void)syscall_set_add(set, *groups);
	for (; calls && *calls >= 0; calls++)
		set->bits[*calls / 64] |= UINT64_C(1) << *calls % 64;
}

static void complete(const struct preset *preset, struct policy *ret)
{
	*ret = (struct policy){
		.description = preset->description,
		.proc_full = preset->relaxed,
		.write_execute = preset->relaxed,
		.network = preset->network,
		.interfaces = preset->interfaces,
		.workspace = preset->workspace,
		.repository_readonly = preset->repository_readonly,
		.limits = preset->limits,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", preset->name);
	append(ret->set_env, &ret->set_env_count, person);
	for (size_t i = 0; i < COUNT(preset->binds); i++) {
		append_binds(ret, preset->binds[i]);
		append(ret->pass_env, &ret->pass_env_count, preset->pass_env[i]);
		add_calls(&ret->syscalls, preset->groups[i], preset->calls[i]);
	}
	for (size_t i = 0; i < COUNT(withheld); i++)
		ret->syscalls.bits[withheld[i] / 64] &=
			~(UINT64_C(1) << withheld[i] % 64);
}

const struct policy *policy_preset(const char *name)
{
	static struct policy completed[COUNT(presets)];

	if (strcmp(name, "ci") == 0)
		name = "build";
	for (size_t i = 0; i < COUNT(presets); i++) {
		if (strcmp(presets[i].name, name) != 0)
			continue;
		if (!completed[i].name[0])
			complete(&presets[i], &completed[i]);
		return &completed[i];
	}
	return NULL;
}
