/* What the host offers: the rows, how a probe fails, and that none leaves a trace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/host.h"
#include "sandbox/namespaces.h"
#include "tests/support/test.h"

#define MEANING_LENGTH_MAX 49	/* beside name and state in 80 columns */
#define NAME_LENGTH_MAX 20

/* ---- the table ---- */

static void rows_are_complete(void **state)
{
	(void)state;
	assert_in_range(host_row_count, 15, 32);
	for (size_t i = 0; i < host_row_count; i++) {
		const struct host_row *row = &host_rows[i];

		test_row(row->probe && row->meaning[0] && row->fix[0], "%s: incomplete", row->name);
		test_row(row->absent != HOST_OK, "%s: a failed probe would be ok", row->name);
		test_row(strlen(row->meaning) <= MEANING_LENGTH_MAX, "%s: '%s' takes two lines",
			 row->name, row->meaning);
		test_row(strlen(row->name) <= NAME_LENGTH_MAX, "%s: too long", row->name);
		for (size_t j = 0; j < i; j++)
			test_row(strcmp(row->name, host_rows[j].name) != 0, "%s: twice", row->name);
	}
}

/* ---- why there is no user namespace ---- */

static const struct {
	const char *name, *file, *value;
	bool root;
	int error;
	const char *found, *fix;	/* parts of; "" means none */
} explanations[] = {
	{ "the limit of zero is named", "user/max_user_namespaces", "0\n", false, ENOSPC,
	  "max_user_namespaces is 0", "sysctl user.max_user_namespaces" },
	{ "it binds root, too", "user/max_user_namespaces", "0\n", true, ENOSPC,
	  "max_user_namespaces is 0", "sysctl user.max_user_namespaces" },
	{ "a limit that is not zero is not blamed", "user/max_user_namespaces", "0123\n", false,
	  EUSERS, "nested", "further out" },
	{ "a limit used up is told from one of zero", "user/max_user_namespaces", "5\n", false,
	  ENOSPC, "in use", "sysctl user.max_user_namespaces" },
	{ "Debian's switch is named", "kernel/unprivileged_userns_clone", "0\n", false, EPERM,
	  "unprivileged_userns_clone is 0", "unprivileged_userns_clone=1" },
	{ "Debian's switch does not bind root", "kernel/unprivileged_userns_clone", "0\n", true,
	  EPERM, "", "" },
	{ "Debian's switch on is not blamed", "kernel/unprivileged_userns_clone", "1\n", false,
	  EPERM, "", "" },
	{ "AppArmor's switch is named", "kernel/apparmor_restrict_unprivileged_userns", "1\n",
	  false, EACCES, "AppArmor", "apparmor_restrict_unprivileged_userns=0" },
	{ "AppArmor's switch off is not blamed", "kernel/apparmor_restrict_unprivileged_userns",
	  "0\n", false, EPERM, "", "" },
	{ "a kernel without them is told", "kernel/other", "0\n", false, EINVAL, "built without",
	  "CONFIG_USER_NS" },
	{ "a bare refusal is left to the container and the filter", "kernel/other", "0\n", false,
	  EPERM, "", "" },
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static bool holds(const char *text, const char *part)
{
	return part[0] ? strstr(text, part) != NULL : text[0] == '\0';
}

static void switches_are_told_apart(void **state)
{
	char top[] = "/tmp/test-host-XXXXXX", path[128];
	static const char *const folders[] = { "user", "kernel" };

	(void)state;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (size_t i = 0; i < COUNT(explanations); i++) {
		struct host_finding finding = { 0 };

		snprintf(path, sizeof(path), "%s/%s", top, explanations[i].file);
		write_file(path, explanations[i].value);
		host_explain_userns(top, explanations[i].root, explanations[i].error, &finding);
		unlink(path);
		test_row(holds(finding.found, explanations[i].found) &&
				 holds(finding.fix, explanations[i].fix),
			 "%s: found '%s', fix '%s'", explanations[i].name, finding.found,
			 finding.fix);
	}
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, folders[i]);
		rmdir(path);
	}
	rmdir(top);
}

/* ---- how one probe can end ---- */

static int succeeds(struct host_finding *ret, struct error *why)
{
	(void)ret;
	(void)why;
	return 0;
}

static int finds_less(struct host_finding *ret, struct error *why)
{
	(void)why;
	*ret = (struct host_finding){ HOST_WEAKER, "an old one", "take a new one" };
	return 0;
}

static int is_refused(struct host_finding *ret, struct error *why)
{
	(void)ret;
	return error_set(why, -EPERM, "not for you");
}

static int is_unknown(struct host_finding *ret, struct error *why)
{
	(void)ret;
	(void)why;
	return -ENOSYS;
}

static int knows_better(struct host_finding *ret, struct error *why)
{
	snprintf(ret->fix, sizeof(ret->fix), "turn it on");
	return error_set(why, -EPERM, "turned off");
}

static int is_killed(struct host_finding *ret, struct error *why)
{
	(void)ret;
	(void)why;
	signal(SIGSYS, SIG_DFL);
	return raise(SIGSYS);
}

static int hangs(struct host_finding *ret, struct error *why)
{
	(void)ret;
	(void)why;
	return pause();
}

#define LIFT "lift the system-call filter"

static const struct {
	const char *name;
	int (*probe)(struct host_finding *ret, struct error *why);
	const char *container;
	bool filtered;
	enum host_state want;
	const char *found, *fix;
} endings[] = {
	{ "what works is ok", succeeds, "", false, HOST_OK, "", "" },
	{ "what works with less is weaker", finds_less, "", false, HOST_WEAKER, "an old one", "take a new one" },
	{ "a refusal at home has the row's fix", is_refused, "", false, HOST_MISSING, "not for you", "at home" },
	{ "a refusal in a container has the container's", is_refused, "docker", false, HOST_MISSING, "not for you", "in a container" },
	{ "a refusal under a filter is the filter's", is_refused, "", true, HOST_MISSING, "not for you", LIFT },
	{ "a missing call under a filter is the filter's", is_unknown, "", true, HOST_MISSING, "not implemented", LIFT },
	{ "a missing call in a container is the kernel's", is_unknown, "docker", false, HOST_MISSING, "not implemented", "at home" },
	{ "a probe that knows the fix is believed", knows_better, "docker", true, HOST_MISSING, "turned off", "turn it on" },
	{ "a probe that is killed is a miss", is_killed, "", false, HOST_MISSING, "SIGSYS", "at home" },
	{ "a probe that hangs is a miss", hangs, "", false, HOST_MISSING, "did not end", "at home" },
};

static void probes_end_in_a_finding(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(endings); i++) {
		struct host_row row = { "row", 0, HOST_MISSING, false, endings[i].probe,
					"meaning", "at home", "in a container" };
		struct host host = { .filtered = endings[i].filtered };
		struct host_finding got;

		snprintf(host.container, sizeof(host.container), "%s", endings[i].container);
		host_probe(&row, &host, &got);
		test_row(got.state == endings[i].want && holds(got.found, endings[i].found) &&
				 holds(got.fix, endings[i].fix),
			 "%s: %s, found '%s', fix '%s'", endings[i].name,
			 host_state_name(got.state), got.found, got.fix);
	}
}

static int is_first_of_its_kind(struct host_finding *ret, struct error *why)
{
	(void)ret;
	return getpid() == 1 && getuid() == 1000 ? 0 : error_set(why, -EIO, "pid %d, uid %u",
								 getpid(), getuid());
}

static void probes_are_born_into_their_namespaces(void **state)
{
	struct host_row row = { "row", CLONE_NEWUSER | CLONE_NEWPID, HOST_MISSING, false,
				is_first_of_its_kind, "meaning", "at home", NULL };
	struct host_finding got;
	struct host host;

	(void)state;
	host_read(&host);
	host_probe(&row, &host, &got);
	if (strstr(got.found, "not tried"))
		test_skip("%s", got.found);
	test_row(got.state == HOST_OK, "%s", got.found);
}

/* ---- nothing is left behind ---- */

struct trace {
	uint64_t namespaces[NAMESPACE_COUNT];
	int descriptors, no_new_privs;
	char mounts[65536];
};

static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void read_trace(struct trace *ret)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "r");

	memset(ret, 0, sizeof(*ret));
	assert_non_null(mounts);
	assert_true(fread(ret->mounts, 1, sizeof(ret->mounts) - 1, mounts) > 0);
	fclose(mounts);
	namespaces_read(ret->namespaces);
	ret->descriptors = count_entries("/proc/self/fd");
	ret->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void probes_leave_nothing_behind(void **state)
{
	static struct trace before, after;
	struct host_finding finding;
	struct host host;

	(void)state;
	/* Other tests mount as well; an ordinary user cannot, and need not. */
	if (unshare(CLONE_NEWNS) == 0)
		assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	host_read(&host);
	read_trace(&before);
	for (size_t i = 0; i < host_row_count; i++) {
		host_probe(&host_rows[i], &host, &finding);
		test_row((finding.state == HOST_OK) == (finding.fix[0] == '\0') ||
				 strstr(finding.found, "not tried"),
			 "%s: %s with fix '%s'", host_rows[i].name,
			 host_state_name(finding.state), finding.fix);
		read_trace(&after);
		test_row(memcmp(&before, &after, sizeof(after)) == 0,
			 "%s: left a descriptor, a mount or a restriction", host_rows[i].name);
		test_row(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD,
			 "%s: left a child", host_rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_complete),
		cmocka_unit_test(switches_are_told_apart),
		cmocka_unit_test(probes_end_in_a_finding),
		cmocka_unit_test(probes_are_born_into_their_namespaces),
		cmocka_unit_test(probes_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
