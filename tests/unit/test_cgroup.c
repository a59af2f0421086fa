/*
 * Groups on hosts that are only described: a temporary directory imitates the
 * mounts, and the few calls below imitate the kernel behind them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_core.h"
#include "sandbox/cgroup_host.h"
#include "tests/support/test.h"

#define MIB (UINT64_C(1) << 20)

/* ---- a kernel ---- */

/* A call on a path that ends so fails; the part NULL ends the list. */
struct refusal {
	const char *call, *path_end;
	int error;
};

static const struct refusal *refusals;

static bool refused(const char *call, int directory, const char *name)
{
	char link[32], path[PATH_MAX + 64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	ssize_t length = readlink(link, path, PATH_MAX);

	if (length < 0)
		return false;
	snprintf(path + length, 64, "%s%s", *name ? "/" : "", name);
	for (const struct refusal *r = refusals; r && r->call; r++) {
		size_t end = strlen(r->path_end), all = strlen(path);

		if (strcmp(r->call, call) == 0 && all >= end &&
		    strcmp(path + all - end, r->path_end) == 0) {
			errno = r->error;
			return true;
		}
	}
	return false;
}

static void make_file(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_write, fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A new group has the files its parent lists in ".files". */
int mkdirat(int parent, const char *name, mode_t mode)
{
	char files[512] = "", *rest = files;

	if (refused("mkdir", parent, "") ||
	    syscall(SYS_mkdirat, parent, name, mode) < 0)
		return -1;
	int list = openat(parent, ".files", O_RDONLY | O_CLOEXEC);

	if (list >= 0 && read(list, files, sizeof(files) - 1) < 0)
		fail();
	close(list);
	int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (char *file; (file = strsep(&rest, " "));)
		if (*file)
			make_file(directory, file, "");
	close(directory);
	return 0;
}

int unlinkat(int parent, const char *name, int flags)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_type == DT_REG)
			syscall(SYS_unlinkat, fd, entry->d_name, 0);
	if (directory)
		closedir(directory);
	return (int)syscall(SYS_unlinkat, parent, name, flags);
}

/* "+NAME" to cgroup.subtree_control adds a name; other files take the text. */
ssize_t write(int fd, const void *text, size_t size)
{
	char link[32], path[PATH_MAX] = "";

	if (refused("write", fd, ""))
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0 &&
	    strstr(path, "/cgroup.subtree_control")) {
		lseek(fd, 0, SEEK_END);
		syscall(SYS_write, fd, " ", 1);
		assert_int_equal(syscall(SYS_write, fd, (const char *)text + 1, size - 1),
				 size - 1);
		return (ssize_t)size;
	}
	return syscall(SYS_write, fd, text, size);
}

int faccessat(int directory, const char *path, int mode, int flags)
{
	(void)flags;
	if (refused("access", directory, path))
		return -1;
	return (int)syscall(SYS_faccessat, directory, path, mode);
}

/* ---- hosts ---- */

#define V2_FILES                                                              \
	"cgroup.procs cgroup.kill cgroup.freeze memory.max memory.swap.max "  \
	"memory.oom.group pids.max cpu.idle"
#define HYBRID_FILES "cgroup.procs cgroup.kill cgroup.freeze cpu.stat"
#define V1_FILES                                                              \
	"tasks cgroup.procs memory.limit_in_bytes memory.memsw.limit_in_bytes " \
	"pids.max freezer.state cpuacct.usage cpu.idle"

/* A directory to be, and what is in it. */
struct directory {
	const char *path, *files;
	const char *given;	/* to the children, v2; NULL: of v1 */
	const char *processes;
	const char *type;	/* NULL: the root of all groups has none */
};

#define V1(path) { path, V1_FILES, NULL, NULL, NULL }
#define V2(path, given, processes) { path, V2_FILES, given, processes, "domain\n" }
#define V2_ROOT(files, given, processes) { "", files, given, processes, NULL }

static const struct directory v2_session[] = {
	V2_ROOT(V2_FILES, " memory pids", "1\n"),
	V2("user.slice", " memory pids", ""),
	V2("user.slice/user-0.slice", " memory pids cpu", ""),
	V2("user.slice/user-0.slice/session-1.scope", "", "7\n"),
	{ 0 },
};
static const struct directory v2_moved[] = {
	V2_ROOT(V2_FILES, " memory pids", ""),
	V2("unit", "", ""),
	V2("unit/leaf", "", "7\n"),
	{ 0 },
};
static const struct directory v2_root[] = {
	V2_ROOT(V2_FILES, " cpu", "1\n7\n"),
	{ 0 },
};
static const struct directory v2_container[] = {
	V2("", "", "1\n7\n"),
	{ 0 },
};
static const struct directory v2_no_swap[] = {
	V2_ROOT("cgroup.procs memory.max memory.oom.group pids.max", "", "1\n"),
	{ 0 },
};
static const struct directory hybrid[] = {
	{ "unified", HYBRID_FILES, "", "1\n", NULL },
	V1("memory"), V1("memory/box"), V1("pids"), V1("freezer"), V1("cpuacct"),
	{ 0 },
};
static const struct directory v1[] = {
	V1("memory"), V1("pids"), V1("freezer"), V1("cpuacct"), { 0 },
};
static const struct directory hybrid_cpu[] = {
	{ "unified", HYBRID_FILES, "", "1\n", NULL },
	V1("memory"), V1("pids"), V1("cpu"), { 0 },
};
/* One tree of two controllers has two names. */
static const struct directory v1_shared[] = {
	V1("pids"), V1("freezer"), V1("cpuacct"), { "cpu", NULL, NULL, NULL, NULL }, { 0 },
};

#define V2_SESSION "0::/user.slice/user-0.slice/session-1.scope\n"
#define V1_LINES "4:freezer:/\n3:pids:/\n2:cpu,cpuacct:/\n1:name=systemd:/x\n"

static char mounts[] = "/tmp/cupel-test-cgroup-XXXXXX";

static int remove_entry(const char *path, const struct stat *status, int kind,
			struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void make_host(struct cgroup_host *host, const struct directory *directories,
		      const char *own)
{
	nftw(mounts, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(mounts, 0755), 0);
	for (const struct directory *d = directories; d->path; d++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", mounts, d->path);
		if (!d->files) {
			assert_int_equal(symlink("cpuacct", path), 0);
			continue;
		}
		if (*d->path)
			assert_int_equal(mkdir(path, 0755), 0);
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		make_file(fd, ".files", d->files);
		if (d->given) {
			make_file(fd, "cgroup.procs", d->processes);
			if (d->type)
				make_file(fd, "cgroup.type", d->type);
			make_file(fd, "cgroup.subtree_control", d->given);
		}
		close(fd);
	}
	host->mounts = mounts;
	snprintf(host->own, sizeof(host->own), "%s", own);
}

static int groups_found;

static int count_group(const char *path, const struct stat *status, int kind,
		       struct FTW *walk)
{
	(void)status;
	groups_found += kind == FTW_D && strncmp(path + walk->base, "cupel-", 6) == 0 &&
			walk->level > 0;
	return 0;
}

static int count_groups(void)
{
	groups_found = 0;
	nftw(mounts, count_group, 16, FTW_PHYS);
	return groups_found;
}

/* The text of a file of the group, which is below mounts/where. */
static const char *text_of(const struct cgroup *cgroup, const char *where,
			   const char *file)
{
	static char text[256];
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s/%s", mounts, where, cgroup->name, file);
	if (cgroup_read_text(-1, path, text, sizeof(text), NULL) < 0)
		return "no such file";
	return text;
}

/* ---- discovery ---- */

static const struct success {
	const char *name;
	const struct directory *directories;
	const char *own;
	struct limits limits;
	struct refusal refusals[5];
	enum cgroup_layout layout;
	int groups;		/* directories made */
	struct {
		const char *where, *file, *text;
	} files[5];
} successes[] = {
	{ "v2: beside the session, whose group has processes",
	  v2_session, V2_SESSION, { .memory_bytes = MIB, .pids = 7 }, { { 0 } },
	  CGROUP_V2, 1,
	  { { "user.slice/user-0.slice", "memory.max", "1048576" },
	    { "user.slice/user-0.slice", "memory.swap.max", "0" },
	    { "user.slice/user-0.slice", "memory.oom.group", "1" },
	    { "user.slice/user-0.slice", "pids.max", "7" },
	    { "user.slice/user-0.slice", "../cgroup.subtree_control", " memory pids cpu" } } },
	{ "v2: a group with processes is not asked, not even for pids",
	  v2_session, V2_SESSION, { .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "user.slice/user-0.slice", "pids.max", "7" },
	    { "user.slice/user-0.slice", "../session-1.scope/cgroup.subtree_control", "" } } },
	{ "v2: a group above that has none can be divided",
	  v2_moved, "0::/unit/leaf\n", { .memory_bytes = MIB, .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "unit", "pids.max", "7" },
	    { "unit", "../cgroup.subtree_control", " memory pids" } } },
	{ "v2: without limits our own group will do",
	  v2_session, V2_SESSION, { 0 }, { { 0 } }, CGROUP_V2, 1,
	  { { "user.slice/user-0.slice/session-1.scope", "memory.max", "" } } },
	{ "v2: only what is limited is asked for",
	  v2_root, "0::/\n", { .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "", "../cgroup.subtree_control", " cpu pids" }, { "", "memory.max", "" } } },
	{ "v2: a kernel without swap accounting",
	  v2_no_swap, "0::/\n", { .memory_bytes = MIB }, { { 0 } }, CGROUP_V2, 1,
	  { { "", "memory.max", "1048576" }, { "", "memory.oom.group", "1" } } },
	{ "v2: a v1 tree of other controllers mounted elsewhere",
	  v2_root, "1:net_cls:/\n0::/\n", { .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "", "pids.max", "7" } } },
	{ "hybrid: limits in v1 trees, the rest in the v2 tree",
	  hybrid, V1_LINES "5:memory:/box\n0::/\n", { .memory_bytes = MIB, .pids = 7 }, { { 0 } },
	  CGROUP_HYBRID, 3,
	  { { "memory/box", "memory.limit_in_bytes", "1048576" },
	    { "memory/box", "memory.memsw.limit_in_bytes", "1048576" },
	    { "pids", "pids.max", "7" },
	    { "unified", "cpu.stat", "" } } },
	{ "hybrid: a v2 tree that cannot be written makes it v1",
	  hybrid, V1_LINES "5:memory:/\n0::/\n", { .pids = 7 },
	  { { "mkdir", "unified", EACCES } }, CGROUP_V1, 4,
	  { { "freezer", "freezer.state", "" }, { "cpuacct", "cpuacct.usage", "" } } },
	{ "v1: no v2 tree at all",
	  v1, V1_LINES "5:memory:/\n", { .memory_bytes = MIB }, { { 0 } }, CGROUP_V1, 4,
	  { { "memory", "memory.limit_in_bytes", "1048576" }, { "pids", "pids.max", "" } } },
	{ "v1: a container whose own group is the root it sees",
	  v1, "3:pids:/docker/9f\n", { .pids = 7 }, { { 0 } }, CGROUP_V1, 1,
	  { { "pids", "pids.max", "7" } } },
	{ "v2: not in the background", v2_root, "0::/\n", { .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "", "cpu.idle", "" } } },
}, in_background[] = {
	{ "v2: in the background", v2_root, "0::/\n", { .pids = 7 }, { { 0 } }, CGROUP_V2, 1,
	  { { "", "cpu.idle", "1" }, { "", "../cgroup.subtree_control", " cpu pids" } } },
	{ "v2: no background without the processor's controller",
	  v2_moved, "0::/unit/leaf\n", { .pids = 7 },
	  { { "write", "cpu.idle", ENOENT }, { "write", "cgroup.subtree_control", ENOENT } },
	  CGROUP_V2, 1, { { "", "pids.max", "7" } } },
	{ "hybrid: in the background, by a tree of its own",
	  hybrid_cpu, "3:pids:/\n2:cpu:/\n0::/\n", { .pids = 7 }, { { 0 } }, CGROUP_HYBRID, 3,
	  { { "cpu", "cpu.idle", "1" }, { "pids", "pids.max", "7" } } },
	{ "hybrid: a tree that may not be written is no failure",
	  hybrid_cpu, "3:pids:/\n2:cpu:/\n0::/\n", { .pids = 7 }, { { "mkdir", "cpu", EACCES } },
	  CGROUP_HYBRID, 2, { { "pids", "pids.max", "7" } } },
	{ "v1: in the background, by the tree of the accounts",
	  v1_shared, V1_LINES, { .pids = 7 }, { { 0 } }, CGROUP_V1, 3,
	  { { "cpuacct", "cpu.idle", "1" } } },
};

static void make_and_remove(const struct success *row, bool background)
{
	struct cgroup_host host;
	struct cgroup cgroup;
	struct error why = { 0 };

	make_host(&host, row->directories, row->own);
	refusals = row->refusals;
	int r = cgroup_create_on(&host, &cgroup, &row->limits, background, &why);

	test_row(r == 0, "%s: %d, %s", row->name, r, why.text);
	cgroup_background(&cgroup, true);
	test_row(cgroup.layout == row->layout, "%s: layout %s", row->name,
		 cgroup_layout_name(cgroup.layout));
	test_row(count_groups() == row->groups, "%s: %d groups", row->name,
		 groups_found);
	for (size_t n = 0; n < COUNT(row->files) && row->files[n].file; n++) {
		const char *text = text_of(&cgroup, row->files[n].where,
					   row->files[n].file);

		test_row(strcmp(text, row->files[n].text) == 0,
			 "%s: %s is '%s', want '%s'", row->name,
			 row->files[n].file, text, row->files[n].text);
	}
	uint32_t limits = cgroup.limited & (1U << CGROUP_MEMORY | 1U << CGROUP_PIDS);

	test_row((limits == 0) == !(row->limits.memory_bytes || row->limits.pids),
		 "%s: limited %x", row->name, cgroup.limited);
	test_row(cgroup_remove(&cgroup, &why) == 0, "%s: %s", row->name, why.text);
	test_row(count_groups() == 0, "%s: a group is left", row->name);
}

static void groups_are_made_where_the_host_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(successes); i++)
		make_and_remove(&successes[i], false);
}

static void the_background_is_had_where_the_host_can(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(in_background); i++)
		make_and_remove(&in_background[i], true);
}

static const struct failure {
	const char *name;
	const struct directory *directories;
	const char *own;
	struct refusal refusals[5];
	int result;
	const char *reason, *way_out;
} failures[] = {
	{ "v2: an ordinary user's session",
	  v2_session, V2_SESSION, { { "access", "cgroup.procs", EACCES } }, -EOPNOTSUPP,
	  "session-1.scope: write cgroup.procs: Permission denied", "systemd-run --user" },
	{ "v2: a directory of ours in a tree of others is not enough",
	  v2_root, "0::/\n", { { "access", "cgroup.procs", EPERM } }, -EOPNOTSUPP,
	  "Operation not permitted", "systemd-run --user" },
	{ "v2: read-only in a container",
	  v2_root, "0::/\n", { { "access", "cgroup.procs", EROFS } }, -EOPNOTSUPP,
	  "Read-only file system", "mounted writable" },
	{ "v2: processes in the root of a container",
	  v2_container, "0::/\n", { { 0 } }, -EOPNOTSUPP,
	  "the group has processes", "move the processes" },
	{ "v2: a controller that was not delegated",
	  v2_root, "0::/\n", { { "write", "cgroup.subtree_control", ENOENT } }, -EOPNOTSUPP,
	  "cgroup.subtree_control", "delegated" },
	{ "v2: the first refusal is the one that is told",
	  v2_session, V2_SESSION,
	  { { "access", "user-0.slice/cgroup.procs", EACCES },
	    { "access", "user.slice/cgroup.procs", EACCES },
	    { "write", "pids.max", EIO } }, -EOPNOTSUPP,
	  "session-1.scope: the group has processes", "move the processes" },
	{ "v2: our group is above the root of the namespace",
	  v2_root, "0::/../other\n", { { 0 } }, -EOPNOTSUPP, "v2 tree", "namespace" },
	{ "v2: a limit the kernel does not take is no lack of groups",
	  v2_root, "0::/\n", { { "write", "memory.max", EINVAL } }, -EINVAL,
	  "write memory.max: Invalid argument", "" },
	{ "v1: an ordinary user",
	  v1, V1_LINES "5:memory:/\n", { { "mkdir", "memory", EACCES } }, -EOPNOTSUPP,
	  "memory/: Permission denied", "run as root" },
	{ "v1: what was made before the refusal goes again",
	  v1, V1_LINES "5:memory:/\n", { { "mkdir", "cpuacct", EROFS } }, -EOPNOTSUPP,
	  "Read-only file system", "mounted writable" },
	{ "v1: a group that is not to be seen is no reason if its root has a better one",
	  v1, "5:memory:/docker/9f\n3:pids:/docker/9f\n", { { "mkdir", "memory", EROFS } },
	  -EOPNOTSUPP, "Read-only file system", "mounted writable" },
	{ "v1: a kernel without the memory controller",
	  v1, "3:pids:/\n", { { 0 } }, -EOPNOTSUPP, "no group of ours", "mounted" },
	{ "no groups at all",
	  v1, "", { { 0 } }, -EOPNOTSUPP, "no group of ours", "delegated" },
};

static void refusals_name_the_reason_and_the_way_out(void **state)
{
	const struct limits limits = { .memory_bytes = MIB, .pids = 7 };
	struct cgroup_host host;
	struct cgroup cgroup;

	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		const struct failure *row = &failures[i];
		struct error why = { 0 };

		make_host(&host, row->directories, row->own);
		refusals = row->refusals;
		int r = cgroup_create_on(&host, &cgroup, &limits, false, &why);

		test_row(r == row->result, "%s: %d, %s", row->name, r, why.text);
		test_row(strstr(why.text, row->reason) && strstr(why.text, row->way_out),
			 "%s: %s", row->name, why.text);
		test_row(cgroup.layout == CGROUP_NONE, "%s: a layout", row->name);
		test_row(count_groups() == 0, "%s: a group is left", row->name);
		test_row(cgroup_remove(&cgroup, &why) == 0, "%s: remove", row->name);
	}
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void no_descriptor_outlives_a_group(void **state)
{
	int before = descriptors();

	groups_are_made_where_the_host_allows(state);
	the_background_is_had_where_the_host_can(state);
	refusals_name_the_reason_and_the_way_out(state);
	assert_int_equal(descriptors(), before);
}

static void an_empty_group_is_valid_everywhere(void **state)
{
	struct cgroup cgroup = { .layout = CGROUP_NONE };	/* its descriptors read 0 */
	struct cgroup_usage usage;

	(void)state;
	assert_int_equal(cgroup_join(&cgroup, NULL), 0);
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(cgroup_freeze(&cgroup, true), 0);
	cgroup_usage(&cgroup, &usage);
	assert_int_equal(usage.cpu_ns, -1);
	assert_int_equal(usage.oom_kills, -1);
	assert_int_equal(cgroup_remove(&cgroup, NULL), 0);
}

static void a_name_in_use_is_passed_over(void **state)
{
	struct cgroup_host host;
	struct cgroup cgroup;
	char path[PATH_MAX];
	unsigned count;

	(void)state;
	refusals = NULL;
	make_host(&host, v2_root, "0::/\n");
	assert_int_equal(cgroup_create_on(&host, &cgroup, &(struct limits){ 0 }, false, NULL), 0);
	char *last = strrchr(cgroup.name, '-');

	count = (unsigned)strtoul(last + 1, NULL, 10);
	snprintf(path, sizeof(path), "%s/%.*s-%u", mounts, (int)(last - cgroup.name),
		 cgroup.name, count + 1);
	assert_int_equal(cgroup_remove(&cgroup, NULL), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(cgroup_create_on(&host, &cgroup, &(struct limits){ 0 }, false, NULL), 0);
	assert_int_equal(strtoul(strrchr(cgroup.name, '-') + 1, NULL, 10), count + 2);
	assert_int_equal(cgroup_remove(&cgroup, NULL), 0);
}

/* ---- figures ---- */

static void a_figure_is_read_by_its_key(void **state)
{
	static const char events[] = "low 0\nhigh 0\nmax 3\noom 2\noom_kill 5\noom_group_kill 1\n";
	static const char io[] = "8:0 rbytes=4096 wbytes=512 rios=1\n"
				 "253:1 rbytes=100 wbytes=0 rios=2\n";
	static const struct {
		const char *name, *text, *key;
		int64_t want;
	} cases[] = {
		{ "the whole file is a number", "12345\n", "", 12345 },
		{ "no newline at its end", "7", "", 7 },
		{ "'max' is not a number", "max\n", "", -1 },
		{ "an empty file", "", "", -1 },
		{ "an empty file has no key", "", "oom ", -1 },
		{ "a key that begins another", events, "oom ", 2 },
		{ "a key that another begins", events, "oom_kill ", 5 },
		{ "the first line", events, "low ", 0 },
		{ "the last line", events, "oom_group_kill ", 1 },
		{ "a key inside a word does not count", "xmax 3\n", "max ", -1 },
		{ "a nested key is summed over devices", io, "rbytes=", 4196 },
		{ "the same for writes", io, "wbytes=", 512 },
		{ "blanks before the number", "RssAnon:\t     124 kB\n", "RssAnon:", 124 },
		{ "a key without a number", "max \n", "max ", -1 },
		{ "what does not fit is the most", "9223372036854775808\n", "", INT64_MAX },
		{ "nor does more than 64 bits", "99999999999999999999999\n", "", INT64_MAX },
		{ "nor a sum", "a=9223372036854775807 a=1\n", "a=", INT64_MAX },
		{ "a leading blank", " 5\n", "", 5 },
		{ "a key after a leading newline", "\nmax 4\n", "max ", 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t got = cgroup_figure(cases[i].text, cases[i].key);

		test_row(got == cases[i].want, "%s: got %" PRId64 ", want %" PRId64,
			 cases[i].name, got, cases[i].want);
	}
}

struct file {
	const char *name, *text;
};

/* As a kernel of that layout writes them. */
static const struct {
	const char *name;
	const struct directory *directories;
	const char *own;
	struct {
		int tree;
		struct file file;
	} files[8];
	struct cgroup_usage want;
} layouts[] = {
	{ "v2", v2_root, "0::/\n",
	  { { CGROUP_UNIFIED, { "cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\n" } },
	    { CGROUP_UNIFIED, { "memory.peak", "8192\n" } },
	    { CGROUP_UNIFIED, { "memory.events", "low 0\nmax 9\noom 1\noom_kill 2\n" } },
	    { CGROUP_UNIFIED, { "pids.peak", "5\n" } },
	    { CGROUP_UNIFIED, { "pids.events", "max 6\n" } },
	    { CGROUP_UNIFIED, { "io.stat", "8:0 rbytes=4 wbytes=8 rios=1\n" } } },
	  { 8192, 30000, 20000, 10000, 4, 8, 5, 2, 6 } },
	{ "v2 of an older kernel", v2_root, "0::/\n",
	  { { CGROUP_UNIFIED, { "cpu.stat", "usage_usec 30\n" } } },
	  { -1, 30000, -1, -1, -1, -1, -1, -1, -1 } },
	{ "hybrid", hybrid, V1_LINES "5:memory:/\n0::/\n",
	  { { CGROUP_UNIFIED, { "cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\n" } },
	    { CGROUP_MEMORY, { "memory.max_usage_in_bytes", "8192\n" } },
	    { CGROUP_MEMORY, { "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n" } },
	    { CGROUP_PIDS, { "pids.events", "max 6\n" } } },
	  { 8192, 30000, 20000, 10000, -1, -1, -1, 2, 6 } },
	{ "v1", v1, V1_LINES "5:memory:/\n",
	  { { CGROUP_CPUACCT, { "cpuacct.usage", "31\n" } },
	    { CGROUP_CPUACCT, { "cpuacct.usage_user", "20\n" } },
	    { CGROUP_CPUACCT, { "cpuacct.usage_sys", "11\n" } },
	    { CGROUP_MEMORY, { "memory.max_usage_in_bytes", "8192\n" } } },
	  { 8192, 31, 20, 11, -1, -1, -1, -1, -1 } },
};

static void usage_comes_from_the_files_of_the_layout(void **state)
{
	struct cgroup_host host;
	struct cgroup_usage usage;
	struct cgroup cgroup;

	(void)state;
	refusals = NULL;
	for (size_t i = 0; i < COUNT(layouts); i++) {
		make_host(&host, layouts[i].directories, layouts[i].own);
		assert_int_equal(cgroup_create_on(&host, &cgroup, &(struct limits){ 0 },
						  false, NULL), 0);
		for (size_t n = 0; n < COUNT(layouts[i].files) &&
				   layouts[i].files[n].file.name; n++) {
			int tree = layouts[i].files[n].tree;

			make_file(tree == CGROUP_UNIFIED ? cgroup.v2 : cgroup.v1[tree],
				  layouts[i].files[n].file.name, layouts[i].files[n].file.text);
		}
		cgroup_usage(&cgroup, &usage);
		const int64_t *got = (const int64_t *)&usage;
		const int64_t *want = (const int64_t *)&layouts[i].want;

		for (size_t n = 0; n < sizeof(usage) / sizeof(int64_t); n++)
			test_row(got[n] == want[n], "%s: figure %zu is %" PRId64
				 ", want %" PRId64, layouts[i].name, n, got[n], want[n]);
		assert_int_equal(cgroup_remove(&cgroup, NULL), 0);
	}
}

/* ---- names and places ---- */

static void own_group_is_found_in_each_tree(void **state)
{
	static const char text[] = "12:pids:/a\n4:cpu,cpuacct:/b/c\n1:name=systemd:/s\n0::/u:x\n";
	static const struct {
		const char *name, *text, *controller;
		size_t size;
		int want;
		const char *path;
	} cases[] = {
		{ "alone in its tree", text, "pids", 64, 0, "/a" },
		{ "first of two in a tree", text, "cpu", 64, 0, "/b/c" },
		{ "second of two", text, "cpuacct", 64, 0, "/b/c" },
		{ "v2, and a colon in a path", text, "", 64, 0, "/u:x" },
		{ "the name of a tree without controllers", text, "systemd", 64, -ENOENT, NULL },
		{ "a part of a name", text, "pid", 64, -ENOENT, NULL },
		{ "no such tree", text, "memory", 64, -ENOENT, NULL },
		{ "nothing at all", "", "", 64, -ENOENT, NULL },
		{ "no newline at the end", "0::/z", "", 64, 0, "/z" },
		{ "nonsense", "0:\n:\n::\n", "", 64, -ENOENT, NULL },
		{ "it just fits", "0::/abc\n", "", 5, 0, "/abc" },
		{ "it does not fit", "0::/abc\n", "", 4, -ENAMETOOLONG, NULL },
		{ "above the namespace", "0::/..\n", "", 64, -EXDEV, NULL },
		{ "beside the namespace", "0::/../a\n", "", 64, -EXDEV, NULL },
		{ "a name that begins with dots", "0::/..a\n", "", 64, 0, "/..a" },
	};
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int r = cgroup_own_path(cases[i].text, cases[i].controller, path,
					cases[i].size);

		test_row(r == cases[i].want && (r < 0 || strcmp(path, cases[i].path) == 0),
			 "%s: %d %s", cases[i].name, r, path);
	}
}

static void a_place_leads_up_to_its_tree(void **state)
{
	struct cgroup_place place = { "/sys/fs/cgroup/unified/a/b", 22 };

	(void)state;
	assert_true(cgroup_place_up(&place));
	assert_string_equal(place.path, "/sys/fs/cgroup/unified/a");
	assert_true(cgroup_place_up(&place));
	assert_string_equal(place.path, "/sys/fs/cgroup/unified/");
	assert_false(cgroup_place_up(&place));
}

static void only_our_own_names_are_read(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} cases[] = {
		{ "cupel-4026531836-12-345-1", true },
		{ "cupel-1-1-1-0", true },
		{ "cupel-1-2147483648-1-0", false },	/* no pid is that large */
		{ "cupel-1-0-1-0", false },
		{ "cupel-1-1-1", false },
		{ "cupel-1-1-1-1-1", false },
		{ "cupel-1-1-1-1x", false },
		{ "cupel-1--1-1-1", false },
		{ "cupel-", false },
		{ "cupel", false },
		{ "cupel.slice", false },
		{ "Xcupel-1-1-1-1", false },
		{ "", false },
	};
	struct cgroup_launcher launcher;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		test_row(cgroup_name_parse(cases[i].name, &launcher) == cases[i].want,
			 "'%s'", cases[i].name);
	assert_true(cgroup_name_parse(cases[0].name, &launcher));
	assert_int_equal(launcher.pid_namespace, UINT64_C(4026531836));
	assert_int_equal(launcher.pid, 12);
	assert_int_equal(launcher.start_ticks, 345);
}

/* ---- the sweep ---- */

static pid_t a_pid_that_is_gone(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void the_sweep_takes_the_dead_launchers_and_nothing_else(void **state)
{
	struct cgroup_launcher self;
	struct cgroup_host host;
	char names[8][64];
	struct stat status;

	(void)state;
	refusals = NULL;
	make_host(&host, hybrid, V1_LINES "5:memory:/box\n0::/\n");
	assert_int_equal(cgroup_launcher_self(&self, NULL), 0);
	const struct {
		const char *name, *where;
		uint64_t namespace, pid, start;
		bool stays;
	} cases[] = {
		{ "dead, v2", "unified", self.pid_namespace, (uint64_t)a_pid_that_is_gone(), 1, false },
		{ "dead, v1", "pids", self.pid_namespace, (uint64_t)a_pid_that_is_gone(), 1, false },
		{ "dead, above our own group", "memory", self.pid_namespace,
		  (uint64_t)a_pid_that_is_gone(), 1, false },
		{ "its pid is another's now", "unified", self.pid_namespace, self.pid,
		  self.start_ticks - 1, false },
		{ "alive", "unified", self.pid_namespace, self.pid, self.start_ticks, true },
		{ "of another pid namespace", "unified", self.pid_namespace + 1,
		  (uint64_t)a_pid_that_is_gone(), 1, true },
		{ "in a tree that is not ours", "cpu", self.pid_namespace,
		  (uint64_t)a_pid_that_is_gone(), 1, true },
		{ "no name of ours", "unified", 0, 0, 0, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char directory[PATH_MAX];

		snprintf(names[i], sizeof(names[i]), "cupel-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-1",
			 cases[i].namespace, cases[i].pid, cases[i].start);
		snprintf(directory, sizeof(directory), "%s/%s", mounts, cases[i].where);
		mkdir(directory, 0755);
		int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(mkdirat(fd, names[i], 0755), 0);
		close(fd);
	}
	cgroup_sweep_on(&host);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s/%s", mounts, cases[i].where, names[i]);
		test_row((stat(path, &status) == 0) == cases[i].stays, "%s", cases[i].name);
	}
}

static int make_mounts(void **state)
{
	(void)state;
	return mkdtemp(mounts) ? 0 : -1;
}

static int remove_mounts(void **state)
{
	(void)state;
	return nftw(mounts, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_figure_is_read_by_its_key),
		cmocka_unit_test(own_group_is_found_in_each_tree),
		cmocka_unit_test(a_place_leads_up_to_its_tree),
		cmocka_unit_test(only_our_own_names_are_read),
		cmocka_unit_test(groups_are_made_where_the_host_allows),
		cmocka_unit_test(the_background_is_had_where_the_host_can),
		cmocka_unit_test(refusals_name_the_reason_and_the_way_out),
		cmocka_unit_test(no_descriptor_outlives_a_group),
		cmocka_unit_test(an_empty_group_is_valid_everywhere),
		cmocka_unit_test(a_name_in_use_is_passed_over),
		cmocka_unit_test(usage_comes_from_the_files_of_the_layout),
		cmocka_unit_test(the_sweep_takes_the_dead_launchers_and_nothing_else),
	};

	return cmocka_run_group_tests_name("cgroup", tests, make_mounts, remove_mounts);
}
