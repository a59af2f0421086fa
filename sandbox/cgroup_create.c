/* cgroup_create(): where a group can be made, how its limits are written. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_core.h"
#include "sandbox/cgroup_host.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/path.h"

#define BIT(controller) (1U << (controller))

/* How a limit is written, in the order the files want it. */
static const struct setting {
	int tree;
	enum cgroup_controller limit;	/* written when that is limited */
	const char *file;
	const char *text;		/* NULL: the limit's own number */
	bool optional;			/* kernels without swap do not have it */
} settings[] = {
	{ CGROUP_UNIFIED, CGROUP_MEMORY, "memory.max",                  NULL, false },
	{ CGROUP_UNIFIED, CGROUP_MEMORY, "memory.swap.max",             "0",  true },
	{ CGROUP_UNIFIED, CGROUP_MEMORY, "memory.oom.group",            "1",  false },
	{ CGROUP_UNIFIED, CGROUP_PIDS,   "pids.max",                    NULL, false },
	{ CGROUP_MEMORY,  CGROUP_MEMORY, "memory.limit_in_bytes",       NULL, false },
	{ CGROUP_MEMORY,  CGROUP_MEMORY, "memory.memsw.limit_in_bytes", NULL, true },
	{ CGROUP_PIDS,    CGROUP_PIDS,   "pids.max",                    NULL, false },
};

/* What to do about a refusal; for the last sentence of the reason. */
static const struct advice {
	int error;
	bool v1;
	const char *text;
} advices[] = {
	{ -EACCES, false, "start it by 'systemd-run --user --scope', or as root" },
	{ -EACCES, true,  "run as root, or have root make and chown a group for you in each v1 tree" },
	{ -EPERM,  false, "start it by 'systemd-run --user --scope', or as root" },
	{ -EPERM,  true,  "run as root" },
	{ -EROFS,  false, "have the container's cgroup tree mounted writable" },
	{ -EROFS,  true,  "have the container's cgroup trees mounted writable" },
	{ -EBUSY,  false, "move the processes of this group into one below it, or start in another" },
	{ -ENOENT, false, "have the memory and pids controllers delegated to this group" },
	{ -ENOENT, true,  "have the memory and pids controllers mounted below /sys/fs/cgroup" },
	{ -EXDEV,  false, "start it inside its cgroup namespace" },
	{ -EXDEV,  true,  "start it inside its cgroup namespace" },
};

static uint64_t amount(const struct limits *limits, enum cgroup_controller limit)
{
	return limit == CGROUP_MEMORY ? limits->memory_bytes : limits->pids;
}

static int write_limits(const struct cgroup *cgroup, int tree, uint32_t wanted,
			const struct limits *limits, struct error *why)
{
	for (size_t i = 0; i < COUNT(settings); i++) {
		const struct setting *row = &settings[i];
		char number[24];

		if (row->tree != tree || !(wanted & BIT(row->limit)))
			continue;
		snprintf(number, sizeof(number), "%" PRIu64, amount(limits, row->limit));
		int r = path_write(cgroup_tree_fd(cgroup, tree), row->file,
				   row->text ? row->text : number, why);

		if (r < 0 && !(r == -ENOENT && row->optional))
			return r;
	}
	return 0;
}

/* Only the root of all groups may have both; it alone has no cgroup.type. */
static bool has_processes(int group)
{
	char text[16];

	return faccessat(group, "cgroup.type", F_OK, 0) == 0 &&
	       cgroup_read_text(group, "cgroup.procs", text, sizeof(text), NULL) == 0 &&
	       text[0];
}

/*
 * Lets the children of a v2 group have the controllers they need. A group with
 * processes is not tried: the kernel refuses it the memory controller, but the
 * pids controller would make it a thread group that no process can be born in.
 */
static int give_controllers(int parent, uint32_t wanted, struct error *why)
{
	static const char file[] = "cgroup.subtree_control";
	char given[256], text[16];
	int r = 0;

	if (wanted)
		r = cgroup_read_text(parent, file, given, sizeof(given), why);
	for (int tree = 0; r == 0 && tree < CGROUP_CONTROLLER_COUNT; tree++) {
		const char *name = cgroup_tree_controller(tree);

		if (!(wanted & BIT(tree)) || cgroup_list_has(given, name))
			continue;
		if (has_processes(parent))
			return error_set(why, -EBUSY, "the group has processes");
		snprintf(text, sizeof(text), "+%s", name);
		r = path_write(parent, file, text, why);
	}
	return r;
}

/* What v2 wants before a process may be born in a group below parent. */
static int enter_v2(int parent, uint32_t wanted, struct error *why)
{
	if (faccessat(parent, "cgroup.procs", W_OK, AT_EACCESS) < 0)
		return error_set(why, -errno, "write cgroup.procs: %s", strerror(errno));
	return give_controllers(parent, wanted, why);
}

static int make_below(struct cgroup *cgroup, int tree, const char *path,
		      uint32_t wanted, const struct limits *limits,
		      struct error *why)
{
	AUTO_CLOSE int parent = path_open(-1, path, O_PATH | O_DIRECTORY, 0,
					  PATH_HOST, why);
	int r = 0;

	if (parent < 0)
		return parent;
	if (tree == CGROUP_UNIFIED)
		r = enter_v2(parent, wanted, why);
	if (r < 0)
		return error_prefix(why, r, "%s", path);
	if (mkdirat(parent, cgroup->name, 0755) < 0)
		return error_set(why, -errno, "mkdir in %s: %s", path, strerror(errno));
	cgroup->parents[tree] = parent;
	r = cgroup_tree_open(cgroup, tree, why);
	if (r == 0)
		r = write_limits(cgroup, tree, wanted, limits, why);
	if (r < 0) {
		unlinkat(parent, cgroup->name, AT_REMOVEDIR);
		cgroup->parents[tree] = -1;
		cgroup_tree_close(cgroup, tree);
		return error_prefix(why, r, "%s", path);
	}
	fd_take(&parent);
	cgroup->limited |= wanted;
	return 0;
}

/* In the caller's own group or the nearest above it that allows it. */
static int make_tree(const struct cgroup_host *host, struct cgroup *cgroup,
		     int tree, uint32_t wanted, const struct limits *limits,
		     struct error *why)
{
	struct cgroup_place place;
	int r = cgroup_host_own(host, tree, &place);
	int reason = 0;

	if (r < 0)
		return error_set(why, r, "no group of ours in the %s tree",
				 tree == CGROUP_UNIFIED ? "v2" : cgroup_tree_controller(tree));
	do {
		bool tell = !reason || reason == -ENOENT;

		r = make_below(cgroup, tree, place.path, wanted, limits,
			       tell ? why : NULL);
		if (r == 0 || r == -EEXIST)
			return r;
		if (tell)
			reason = r;
	} while (cgroup_place_up(&place));
	return reason;
}

/*
 * The v2 tree comes first: what is born there can be killed, frozen and timed
 * as a whole even if its limits are set in v1 trees. Only without it do the v1
 * freezer and processor accounts have to be joined as well.
 */
static int make_trees(const struct cgroup_host *host, struct cgroup *cgroup,
		      const struct limits *limits, bool *ret_v1, struct error *why)
{
	uint32_t wanted = (limits->memory_bytes ? BIT(CGROUP_MEMORY) : 0) |
			  (limits->pids ? BIT(CGROUP_PIDS) : 0);
	uint32_t present = 0;

	for (int tree = 0; tree < CGROUP_CONTROLLER_COUNT; tree++)
		if (tree != CGROUP_CPU && cgroup_host_has_v1(host, tree))
			present |= BIT(tree);
	*ret_v1 = present & (BIT(CGROUP_MEMORY) | BIT(CGROUP_PIDS));
	int r = make_tree(host, cgroup, CGROUP_UNIFIED, wanted & ~present, limits, why);

	if (r == -EEXIST || (r < 0 && (wanted & ~present || !present)))
		return r;
	if (r == 0) {
		cgroup->layout = CGROUP_V2;
		present &= BIT(CGROUP_MEMORY) | BIT(CGROUP_PIDS);
	}
	for (int tree = 0; tree < CGROUP_CONTROLLER_COUNT; tree++) {
		if (!(present & BIT(tree)))
			continue;
		r = make_tree(host, cgroup, tree, wanted & BIT(tree), limits, why);
		if (r < 0)
			return r;
		cgroup->layout = cgroup->v2 < 0 ? CGROUP_V1 : CGROUP_HYBRID;
	}
	return 0;
}

/* As far as this host can; on v1, one tree may be that of cpu and of cpuacct. */
static void make_meek(const struct cgroup_host *host, struct cgroup *cgroup)
{
	int r = -EOPNOTSUPP;

	if (cgroup_host_has_v1(host, CGROUP_CPU))
		r = make_tree(host, cgroup, CGROUP_CPU, 0, NULL, NULL);
	else if (cgroup->v2 >= 0)
		r = give_controllers(cgroup->parents[CGROUP_UNIFIED], BIT(CGROUP_CPU), NULL);
	if (r == 0 || r == -EEXIST)
		cgroup->limited |= BIT(CGROUP_CPU);
}

/* Turns a refusal of the host into a reason with the way out of it. */
static int explain(int r, bool v1, const struct error *reason, struct error *why)
{
	for (size_t i = 0; i < COUNT(advices); i++)
		if (advices[i].error == r && advices[i].v1 == v1)
			return error_set(why, -EOPNOTSUPP, "no cgroup: %s; %s",
					 reason->text, advices[i].text);
	return error_set(why, r, "cgroup: %s", reason->text);
}

static int name_group(struct cgroup *cgroup, struct error *why)
{
	static unsigned made;
	struct cgroup_launcher self;
	int r = cgroup_launcher_self(&self, why);

	if (r == 0)
		snprintf(cgroup->name, sizeof(cgroup->name),
			 "cupel-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-%u",
			 self.pid_namespace, self.pid, self.start_ticks, ++made);
	return r;
}

int cgroup_create_on(const struct cgroup_host *host, struct cgroup *ret,
		     const struct limits *limits, bool meek,
		     struct error *why)
{
	struct error reason = { 0 };
	bool v1 = false;
	int r;

	do {	/* an earlier program of this very process may have left a name */
		cgroup_tree_clear(ret);
		ret->memory_bytes = limits->memory_bytes;
		ret->pids = limits->pids;
		ret->meek = meek;
		r = name_group(ret, &reason);
		if (r == 0)
			r = make_trees(host, ret, limits, &v1, &reason);
		if (r < 0)
			cgroup_remove(ret, NULL);
	} while (r == -EEXIST);
	if (r == 0 && meek)
		make_meek(host, ret);
	return r < 0 ? explain(r, v1, &reason, why) : 0;
}

bool cgroup_needs_override(void)
{
	struct cgroup_host host;
	struct cgroup_place place;
	struct stat status;

	if (cgroup_host_read(&host, NULL) < 0)
		return false;
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++)
		if (cgroup_host_own(&host, tree, &place) == 0 &&
		    stat(place.path, &status) == 0 && !(status.st_mode & S_IWUSR))
			return true;
	return false;
}

int cgroup_create(struct cgroup *ret, const struct limits *limits,
		  bool meek, struct error *why)
{
	struct cgroup_host host;
	int r = cgroup_host_read(&host, why);

	cgroup_tree_clear(ret);
	return r < 0 ? r : cgroup_create_on(&host, ret, limits, meek, why);
}

