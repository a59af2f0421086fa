#include "sandbox/exposure.h"

#include <assert.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"

/* Any call of these words (calls and groups). */
static bool allows_any(const struct policy *policy, const char *const *words)
{
	for (; *words; words++) {
		struct syscall_set set = { 0 };

		(void)syscall_set_add(&set, *words);
		for (size_t i = 0; i < COUNT(set.bits); i++)
			if (set.bits[i] & policy->syscalls.bits[i])
				return true;
	}
	return false;
}

static bool is_unlimited(const struct policy *policy, const char *name)
{
	char value[LIMIT_TEXT_BYTES] = "";

	for (size_t i = 0; limits_name(i); i++)
		if (strcmp(limits_name(i), name) == 0)
			limits_text(&policy->limits, i, value);
	return strcmp(value, "none") == 0;
}

static bool host_network(const struct policy *policy)
{
	return policy->network == NETWORK_HOST;
}

static bool interfaces(const struct policy *policy)
{
	return policy->interfaces;
}

static bool direct_workspace(const struct policy *policy)
{
	return policy->workspace == WORKSPACE_DIRECT;
}

static bool any_workspace(const struct policy *policy)
{
	return policy->workspace != WORKSPACE_NONE;
}

static bool any_source_below(const struct policy *policy,
			     const char *const *directories, size_t count)
{
	for (size_t i = 0; i < policy->bind_count; i++)
		for (size_t n = 0; n < count; n++)
			if (text_is_below(policy->binds[i].source, directories[n]))
				return true;
	return false;
}

static bool writable_binds(const struct policy *policy)
{
	for (size_t i = 0; i < policy->bind_count; i++)
		if (policy->binds[i].access == BIND_WRITE)
			return true;
	return false;
}

static bool homes(const struct policy *policy)
{
	static const char *const directories[] = { "/home", "/root" };

	return any_source_below(policy, directories, COUNT(directories));
}

static bool host_services(const struct policy *policy)
{
	static const char *const harmless[] = {
		"/run/systemd/resolve", "/run/NetworkManager/resolv.conf",
		"/run/resolvconf",
	};

	for (size_t i = 0; i < policy->bind_count; i++) {
		const char *source = policy->binds[i].source;
		bool excused = false;

		for (size_t n = 0; n < COUNT(harmless); n++)
			excused = excused || strcmp(source, harmless[n]) == 0;
		if (!excused && (text_is_below(source, "/run") || text_is_below(source, "/var/run")))
			return true;
	}
	return false;
}

static bool host_kernel_files(const struct policy *policy)
{
	static const char *const directories[] = { "/sys", "/dev", "/proc", "/boot" };

	return any_source_below(policy, directories, COUNT(directories));
}

static bool host_accounts(const struct policy *policy)
{
	static const char *const secrets[] = {
		"/etc", "/etc/shadow", "/etc/gshadow", "/etc/sudoers",
		"/etc/sudoers.d", "/etc/ssh", "/etc/ssl", "/etc/ssl/private", "/var",
	};

	for (size_t i = 0; i < policy->bind_count; i++)
		for (size_t n = 0; n < COUNT(secrets); n++)
			if (strcmp(policy->binds[i].source, secrets[n]) == 0)
				return true;
	return false;
}

static bool secrets_passed(const struct policy *policy)
{
	static const char *const parts[] = {
		"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY",
		"APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "AUTH", "_PROXY", "_proxy",
		"DBUS_SESSION", "SSH_", "DISPLAY",
	};

	for (size_t i = 0; i < policy->pass_env_count; i++)
		for (size_t n = 0; n < COUNT(parts); n++)
			if (strstr(policy->pass_env[i], parts[n]))
				return true;
	return false;
}

/* Variables that make a program run code it did not bring. */
static bool loaders_passed(const struct policy *policy)
{
	static const char *const prefixes[] = {
		"LD_", "GLIBC_TUNABLES", "BASH_ENV", "ENV", "PYTHON", "PERL5",
		"RUBY", "NODE_", "JAVA_TOOL_OPTIONS", "GIT_", "PATH",
	};

	for (size_t i = 0; i < policy->pass_env_count; i++)
		for (size_t n = 0; n < COUNT(prefixes); n++)
			if (strncmp(policy->pass_env[i], prefixes[n],
				    strlen(prefixes[n])) == 0)
				return true;
	return false;
}

static bool code_made(const struct policy *policy)
{
	return policy->write_execute;
}

static bool proc_full(const struct policy *policy)
{
	return policy->proc_full;
}

static bool no_cpu(const struct policy *policy)
{
	return policy->limits.cpu_ns == 0 && policy->limits.cpus == 0;
}

/* Open is what a function says, any call that is allowed, or a limit of none. */
static const struct row {
	const char *name;
	unsigned weight;
	const char *reason;
	bool (*open)(const struct policy *policy);
	const char *calls[8];
	const char *limit;
} rows[] = {
	{ "network", 20, "The network is the host's, its local services included.", .open = host_network },
	{ "interfaces", 1, "Network interfaces may be listed.", .open = interfaces },
	{ "sockets", 4, "Sockets may be made.", .calls = { "socket" } },
	{ "workspace", 2, "The workspace can be read.", .open = any_workspace },
	{ "workspace-direct", 8, "Changes to the workspace take effect at once.", .open = direct_workspace },
	{ "writable", 12, "Files of the host outside of the workspace can be changed.", .open = writable_binds },
	{ "homes", 15, "Home folders of the host can be seen.", .open = homes },
	{ "services", 20, "Sockets of the host's services below /run can be reached.", .open = host_services },
	{ "kernel-files", 10, "Files of the host's kernel below /sys, /dev or /boot can be seen.", .open = host_kernel_files },
	{ "accounts", 10, "Keys or accounts of the host can be seen.", .open = host_accounts },
	{ "environment-secrets", 10, "A passed variable may hold a secret or lead to one.", .open = secrets_passed },
	{ "environment-loaders", 8, "A passed variable makes programs load other code.", .open = loaders_passed },
	{ "write-execute", 4, "Memory that was written may be executed.", .open = code_made },
	{ "proc", 2, "All of /proc is shown, but for its masked parts.", .open = proc_full },
	{ "processes", 2, "Further processes may be started.", .calls = { "clone", "fork", "vfork" } },
	{ "aio", 1, "The kernel's asynchronous input and output may be used.", .calls = { "@aio" } },
	{ "namespaces", 15, "New namespaces may be made or entered.", .calls = { "unshare", "setns" } },
	{ "mounts", 15, "What paths lead to may be changed.", .calls = { "@mount" } },
	{ "debug", 12, "Other processes may be read or changed.",
	  .calls = { "@debug", "process_vm_readv", "process_vm_writev",
		     "process_madvise", "kcmp" } },
	{ "kernel-programs", 15, "bpf, perf or userfaultfd may be used.",
	  .calls = { "bpf", "userfaultfd", "perf_event_open" } },
	{ "host", 20, "Calls that change the host itself may be made.",
	  .calls = { "@module", "@reboot", "@swap", "@raw-io", "@clock" } },
	{ "handles", 10, "Files may be opened past every rule about paths.",
	  .calls = { "open_by_handle_at", "name_to_handle_at" } },
	{ "keyring", 8, "The kernel's keyrings may be used.", .calls = { "@keyring" } },
	{ "identity", 3, "Calls that change identity may be made.",
	  .calls = { "setuid", "setgid", "setreuid", "setregid", "setgroups",
		     "setfsuid", "capset" } },
	{ "obsolete", 4, "Calls that are no longer used may be made.",
	  .calls = { "@obsolete", "@cpu-emulation", "remap_file_pages" } },
	{ "administration", 6, "Calls of the host's administrator may be made.",
	  .calls = { "fanotify_init", "quotactl", "quotactl_fd", "acct", "syslog", "vhangup" } },
	{ "limit-wall", 6, "A run may last for ever.", .limit = "wall" },
	{ "limit-cpu", 2, "All processors may be kept busy.", .open = no_cpu },
	{ "limit-memory", 8, "All memory may be used.", .limit = "memory" },
	{ "limit-pids", 8, "Any number of processes may be started.", .limit = "pids" },
	{ "limit-output", 4, "Any amount of output may be written.", .limit = "output" },
	{ "limit-disk", 4, "Any amount of scratch space may be filled.", .limit = "disk" },
	{ "limit-inodes", 2, "Any number of scratch files may be made.", .limit = "inodes" },
	{ "limit-files", 1, "Any number of files may be open.", .limit = "files" },
};

static bool is_open(const struct policy *policy, const struct row *row)
{
	if (row->open)
		return row->open(policy);
	return row->limit ? is_unlimited(policy, row->limit) :
			    allows_any(policy, row->calls);
}

size_t exposure_judge(const struct policy *policy, struct exposure *ret,
		      unsigned *ret_tenths)
{
	unsigned total = 0, open = 0;

	static_assert(COUNT(rows) <= EXPOSURES_MAX, "room for every row");
	for (size_t i = 0; i < COUNT(rows); i++)
		total += rows[i].weight;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ret[i] = (struct exposure){
			.name = rows[i].name,
			.reason = rows[i].reason,
			.points = 10.0 * rows[i].weight / total,
			.open = is_open(policy, &rows[i]),
		};
		open += ret[i].open ? rows[i].weight : 0;
	}
	*ret_tenths = (100 * open + total / 2) / total;
	return COUNT(rows);
}
