#include "sandbox/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/identity.h"
#include "sandbox/namespaces.h"
#include "sandbox/path.h"

#define PROBE_MS_MAX 3000

/* ---- what is around us ---- */

/* The first line of a small file; "" if it cannot be read. */
static void read_line(const char *directory, const char *name, char *ret, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_RDONLY, 0, PATH_HOST, NULL);
	ssize_t length = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[length > 0 ? length : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/* Inodes of the namespaces the kernel starts with (its enum proc_ns_init_ino). */
static const struct {
	const char *name;
	uint64_t inode;
} first_namespaces[] = {
	{ "user", 0xEFFFFFFD }, { "pid", 0xEFFFFFFC }, { "ipc", 0xEFFFFFFF },
};

static bool in_first_namespaces(void)
{
	uint64_t ours[NAMESPACE_COUNT];

	namespaces_read(ours);
	for (size_t i = 0; i < COUNT(first_namespaces); i++)
		for (size_t n = 0; n < NAMESPACE_COUNT; n++)
			if (strcmp(namespaces[n].name, first_namespaces[i].name) == 0 &&
			    ours[n] && ours[n] != first_namespaces[i].inode)
				return false;
	return true;
}

/*
 * Container managers leave marks; that a mark lies about without a container
 * (an image turned into a machine) is common, so the namespaces decide.
 */
static void name_container(char *ret, size_t size)
{
	static const char *const marks[][2] = {
		{ "/.dockerenv", "docker" }, { "/run/.containerenv", "podman" },
	};

	if (in_first_namespaces())
		return;
	read_line("/run/systemd", "container", ret, size);
	for (size_t i = 0; !ret[0] && i < COUNT(marks); i++)
		if (access(marks[i][0], F_OK) == 0)
			snprintf(ret, size, "%s", marks[i][1]);
	if (!ret[0])
		snprintf(ret, size, "unnamed");
}

void host_read(struct host *ret)
{
	struct utsname name;

	*ret = (struct host){
		.uid = geteuid(),
		.gid = getegid(),
		.filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER,
	};
	if (uname(&name) == 0) {
		snprintf(ret->kernel, sizeof(ret->kernel), "%s", name.release);
		snprintf(ret->machine, sizeof(ret->machine), "%s", name.machine);
	}
	name_container(ret->container, sizeof(ret->container));
}

static void say(char ret[HOST_TEXT_BYTES], const char *text)
{
	snprintf(ret, HOST_TEXT_BYTES, "%s", text);
}

/* ---- why there is no user namespace ---- */

static const struct {
	const char *directory, *name;
	char off;		/* first character of the value that forbids */
	bool binds_root;
	const char *found, *fix;
} switches[] = {
	{ "user", "max_user_namespaces", '0', true,
	  "user.max_user_namespaces is 0",
	  "sudo sysctl user.max_user_namespaces=15000" },
	{ "kernel", "unprivileged_userns_clone", '0', false,
	  "kernel.unprivileged_userns_clone is 0",
	  "sudo sysctl kernel.unprivileged_userns_clone=1" },
	{ "kernel", "apparmor_restrict_unprivileged_userns", '1', false,
	  "AppArmor keeps ordinary programs from using one",
	  "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" },
};

static const struct {
	int error;
	const char *found, *fix;
} refusals[] = {
	{ EINVAL, "this kernel is built without them", "boot a kernel with CONFIG_USER_NS=y" },
	{ ENOSPC, "all that user.max_user_namespaces allows, here or further out, are in use",
	  "sudo sysctl user.max_user_namespaces=15000" },
	{ EUSERS, "too many of them are nested already", "start Cupel further out" },
};

void host_explain_userns(const char *sysctls, bool root, int error,
			 struct host_finding *ret)
{
	for (size_t i = 0; i < COUNT(switches); i++) {
		char directory[96], value[24];

		if (root && !switches[i].binds_root)
			continue;
		snprintf(directory, sizeof(directory), "%s/%s", sysctls,
			 switches[i].directory);
		read_line(directory, switches[i].name, value, sizeof(value));
		if (value[0] == switches[i].off && !value[1]) {
			say(ret->found, switches[i].found);
			say(ret->fix, switches[i].fix);
			return;
		}
	}
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (refusals[i].error == error) {
			say(ret->found, refusals[i].found);
			say(ret->fix, refusals[i].fix);
			return;
		}
}

/* ---- one probe ---- */

static void complete(const struct host_row *row, const struct host *host, int error,
		     const struct error *why, struct host_finding *ret)
{
	bool refused = error == EPERM || error == EACCES;
	const char *fix = row->fix;

	if (refused && host->container[0] && row->container_fix)
		fix = row->container_fix;
	else if (host->filtered && (refused || error == ENOSYS))
		fix = "lift the system-call filter Cupel was started under";
	ret->state = row->absent;
	if (!ret->found[0])
		say(ret->found, why->text[0] ? why->text : strerror(error));
	if (!ret->fix[0])
		say(ret->fix, fix);
}

/* In the child, where host could not be read any more: all of it may differ. */
static _Noreturn void probe(const struct host_row *row, const struct host *host, int answer)
{
	struct host_finding finding = { .state = HOST_OK };
	struct error why = { 0 };
	int r = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (row->namespaces & CLONE_NEWUSER)
		r = identity_map(0, host->uid, host->gid, &why);
	if (r == 0)
		r = row->probe(&finding, &why);
	if (r < 0)
		complete(row, host, -r, &why, &finding);
	ssize_t sent = write(answer, &finding, sizeof(finding));

	_exit(sent != (ssize_t)sizeof(finding));
}

static void no_answer(const struct host_row *row, int status, struct host_finding *ret)
{
	*ret = (struct host_finding){ .state = row->absent };
	say(ret->fix, row->fix);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		snprintf(ret->found, sizeof(ret->found), "the attempt was killed by SIG%s",
			 sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(ret->found, sizeof(ret->found), "the attempt did not end");
}

static void no_child(const struct host_row *row, struct host_finding *ret)
{
	*ret = (struct host_finding){ .state = row->absent };
	snprintf(ret->found, sizeof(ret->found), "not tried%s: %s",
		 row->namespaces ? ", for want of a user namespace" : "", strerror(errno));
}

void host_probe(const struct host_row *row, const struct host *host,
		struct host_finding *ret)
{
	int ends[2], status = 0;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		no_child(row, ret);
		return;
	}
	AUTO_CLOSE int answer = ends[0];
	AUTO_CLOSE int theirs = ends[1];
	long pid = syscall(SYS_clone, row->namespaces | SIGCHLD, 0, 0, 0, 0);

	if (pid < 0) {
		no_child(row, ret);
		return;
	}
	if (pid == 0)
		probe(row, host, theirs);
	close(fd_take(&theirs));
	struct pollfd polled = { .fd = answer, .events = POLLIN };
	bool answered = poll(&polled, 1, PROBE_MS_MAX) == 1 &&
			read(answer, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);

	kill((pid_t)pid, SIGKILL);	/* ended, as a rule: it stays how it ended */
	waitpid((pid_t)pid, &status, 0);
	if (!answered)
		no_answer(row, status, ret);
}

const char *host_state_name(enum host_state state)
{
	static const char *const names[] = { "ok", "weaker", "missing" };

	return names[state];
}
