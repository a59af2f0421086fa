#include "sandbox/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/bare.h"
#include "sandbox/landlock.h"
#include "sandbox/namespaces.h"
#include "sandbox/path.h"
#include "sandbox/service.h"

#define DEFAULT_POLICY "tool"
#define DEFAULT_CWD "/tmp"

/* Never a workspace: the machine's own, or made anew inside. */
static const char *const not_workspaces[] = {
	"/", "/usr", "/etc", "/proc", "/sys", "/dev", "/run", "/bin", "/sbin",
	"/lib", "/lib32", "/lib64", "/boot", "/var", "/tmp", "/var/tmp",
};

static void __attribute__((format(printf, 2, 3)))
add_note(struct plan *plan, const char *format, ...)
{
	size_t length = strlen(plan->note);
	va_list arguments;

	if (length && length + 2 < sizeof(plan->note))
		length += (size_t)sprintf(plan->note + length, "; ");
	va_start(arguments, format);
	vsnprintf(plan->note + length, sizeof(plan->note) - length, format, arguments);
	va_end(arguments);
}

/* ---- the policy with this run's options ---- */

static int add_bind(struct plan *plan, const char *text, struct arena *arena,
		    struct error *why)
{
	struct policy *policy = &plan->policy;
	const char *colon = strchr(text, ':');
	const char *mode = colon ? strchr(colon + 1, ':') : NULL;
	struct bind bind = { .access = BIND_READ };

	if (!colon || text[0] != '/' || colon[1] != '/')
		return error_set(why, -EINVAL,
				 "--bind %s: write SRC:DST[:ro|rw] with absolute paths", text);
	if (mode && strcmp(mode, ":rw") == 0)
		bind.access = BIND_WRITE;
	else if (mode && strcmp(mode, ":ro") != 0)
		return error_set(why, -EINVAL, "--bind %s: the mode is ro or rw", text);
	if (strstr(colon, "/../") || (mode ? mode - colon : 99) < 2)
		return error_set(why, -EINVAL, "--bind %s: no '..' in a target", text);
	if (policy->bind_count == POLICY_ROWS_MAX)
		return error_set(why, -E2BIG, "more than %d binds", POLICY_ROWS_MAX);
	bind.source = arena_text(arena, "%.*s", (int)(colon - text), text);
	bind.target = mode ? arena_text(arena, "%.*s", (int)(mode - colon - 1), colon + 1) :
			     arena_text(arena, "%s", colon + 1);
	if (!bind.source || !bind.target)
		return error_set(why, -ENOMEM, "out of memory");
	policy->binds[policy->bind_count++] = bind;
	return 0;
}

static int apply_options(struct plan *plan, const struct plan_options *options,
			 struct arena *arena, struct error *why)
{
	const char *name = options->policy ? options->policy : DEFAULT_POLICY;
	int r = policy_load(&plan->policy, name, arena, why);

	plan->policy_refused = r < 0;
	for (size_t i = 0; r == 0 && i < PLAN_OPTIONS_MAX && options->limits[i]; i++)
		r = limits_set(&plan->policy.limits, options->limits[i], why);
	for (size_t i = 0; r == 0 && i < PLAN_OPTIONS_MAX && options->binds[i]; i++)
		r = add_bind(plan, options->binds[i], arena, why);
	if (options->network_given)
		plan->policy.network = options->network;
	return r;
}

/* ---- the environment: nothing but what is named ---- */

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

/* Later settings of a name win. */
static int set_entry(struct plan *plan, size_t *count, const char *entry,
		     struct error *why)
{
	size_t length = name_length(entry);

	for (size_t i = 0; i < *count; i++)
		if (name_length(plan->environment[i]) == length &&
		    strncmp(plan->environment[i], entry, length) == 0) {
			plan->environment[i] = (char *)(uintptr_t)entry;
			return 0;
		}
	if (*count == PLAN_ENVIRONMENT_MAX - 1)
		return error_set(why, -E2BIG, "more than %d environment variables",
				 PLAN_ENVIRONMENT_MAX - 1);
	plan->environment[(*count)++] = (char *)(uintptr_t)entry;
	return 0;
}

static int pass_entry(struct plan *plan, size_t *count, const char *name,
		      char *const *environment, struct error *why)
{
	size_t length = strlen(name);

	for (char *const *e = environment; *e; e++)
		if (name_length(*e) == length && strncmp(*e, name, length) == 0)
			return set_entry(plan, count, *e, why);
	return 0;
}

static int build_environment(struct plan *plan, const struct plan_options *options,
			     struct error *why)
{
	const struct policy *policy = &plan->policy;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->set_env_count; i++)
		r = set_entry(plan, &count, policy->set_env[i], why);
	for (size_t i = 0; r == 0 && i < policy->pass_env_count; i++)
		r = pass_entry(plan, &count, policy->pass_env[i],
			       options->environment, why);
	for (size_t i = 0; r == 0 && i < PLAN_OPTIONS_MAX && options->pass_env[i]; i++)
		r = pass_entry(plan, &count, options->pass_env[i],
			       options->environment, why);
	for (size_t i = 0; r == 0 && i < PLAN_OPTIONS_MAX && options->set_env[i]; i++) {
		const char *entry = options->set_env[i];

		if (entry[0] == '=' || !strchr(entry, '='))
			return error_set(why, -EINVAL, "--env %s: write NAME=VALUE", entry);
		r = set_entry(plan, &count, entry, why);
	}
	plan->environment[count] = NULL;
	plan->sandbox.envp = plan->environment;
	return r;
}

/* ---- who it is ---- */

static int choose_tier(struct plan *plan, const struct plan_options *options,
		       struct error *why)
{
	bool root = geteuid() == 0;
	struct sandbox_plan *sandbox = &plan->sandbox;

	sandbox->tier = options->tier_given ? options->tier :
			root ? TIER_FULL : TIER_USERNS;
	if (sandbox->tier == TIER_FULL && !root)
		return error_set(why, -EPERM,
				 "--tier full needs root; as an ordinary user take --tier userns");
	if (sandbox->tier == TIER_USERNS && root)
		return error_set(why, -EPERM,
				 "--tier userns would put host root behind the command; as root take --tier full");
	if (sandbox->tier == TIER_FULL) {
		sandbox->host_uid = SERVICE_UID_BASE + (uid_t)getpid();
		sandbox->host_gid = SERVICE_UID_BASE + (gid_t)getpid();
	} else {
		sandbox->host_uid = geteuid();
		sandbox->host_gid = getegid();
	}
	return 0;
}

/* ---- the workspace and the working directory ---- */

/* The kernel's own name for what a descriptor refers to. */
static int real_path(int fd, char ret[PATH_MAX], struct error *why)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, ret, PATH_MAX - 1);

	if (length < 0)
		return error_set(why, -errno, "readlink %s: %s", link, strerror(errno));
	ret[length] = '\0';
	if (ret[0] != '/' || strstr(ret, " (deleted)"))
		return error_set(why, -ENOENT, "the directory has been deleted");
	return 0;
}

static bool may_be_workspace(const char *path)
{
	const char *home = getenv("HOME");

	for (size_t i = 0; i < COUNT(not_workspaces); i++)
		if (strcmp(path, not_workspaces[i]) == 0)
			return false;
	/* A whole home, or what contains it, must be asked for by name. */
	return !home || !text_is_below(home, path);
}

/*
 * Where its owner's id cannot be mapped to the run's own, the run gets that id
 * in place of one of its own, unless it is root's: files keep their owner.
 */
static int take_workspace(struct plan *plan, int fd, const char *path, struct error *why)
{
	struct sandbox_plan *sandbox = &plan->sandbox;
	bool full = sandbox->tier == TIER_FULL;
	AUTO_CLOSE int again = full ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	struct stat owner;
	int r = tree_take(&sandbox->workspace_tree, fd, path,
			  full ? sandbox->host_uid : (uid_t)-1, sandbox->host_gid, why);

	if ((r != -EOPNOTSUPP && r != -ENOSYS) || fstat(again, &owner) < 0 ||
	    owner.st_uid == 0 || owner.st_gid == 0)
		return r;
	sandbox->host_uid = owner.st_uid;
	sandbox->host_gid = owner.st_gid;
	add_note(plan, "ids of %.150s cannot be mapped: the command runs as its owner, %u",
		 path, owner.st_uid);
	return tree_take(&sandbox->workspace_tree, fd_take(&again), path, owner.st_uid,
			 owner.st_gid, why);
}

static int open_workspace(struct plan *plan, const struct plan_options *options,
			  struct arena *arena, struct error *why)
{
	const char *asked = options->workspace ? options->workspace : ".";
	char path[PATH_MAX];
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, asked, O_PATH | O_DIRECTORY, 0,
				      PATH_HOST, why);
	int r = fd < 0 ? fd : real_path(fd, path, why);

	if (r < 0)
		return error_prefix(why, r, "workspace %s", asked);
	if (!options->workspace && !may_be_workspace(path)) {
		add_note(plan, "%.180s is not taken as the workspace; name one with --workspace",
			 path);
		return 0;
	}
	if (strcmp(path, "/") == 0)
		return error_set(why, -EINVAL,
				 "workspace /: the whole machine cannot be a workspace; name a directory");
	/* Opened once: the name was read from the very descriptor that is used. */
	r = take_workspace(plan, fd_take(&fd), path, why);
	if (r < 0)
		return error_prefix(why, r, "workspace %s", asked);
	plan->sandbox.workspace = arena_text(arena, "%s", path);
	return plan->sandbox.workspace ? 0 : error_set(why, -ENOMEM, "out of memory");
}

static int choose_workspace(struct plan *plan, const struct plan_options *options,
			    struct arena *arena, struct error *why)
{
	struct sandbox_plan *sandbox = &plan->sandbox;

	sandbox->workspace_mode = options->mode_given ? options->mode :
						       plan->policy.workspace;
	if (options->no_workspace ||
	    (sandbox->workspace_mode == WORKSPACE_NONE && !options->workspace)) {
		sandbox->workspace_mode = WORKSPACE_NONE;
		return 0;
	}
	if (sandbox->workspace_mode == WORKSPACE_NONE)
		sandbox->workspace_mode = WORKSPACE_READONLY;
	int r = open_workspace(plan, options, arena, why);

	if (r == 0 && !sandbox->workspace)
		sandbox->workspace_mode = WORKSPACE_NONE;
	return r;
}

static int choose_cwd(struct plan *plan, const struct plan_options *options,
		      struct arena *arena, struct error *why)
{
	struct sandbox_plan *sandbox = &plan->sandbox;
	const char *base = sandbox->workspace ? sandbox->workspace :
			   sandbox->tier == TIER_LANDLOCK ? "/" : DEFAULT_CWD;
	char here[PATH_MAX];

	if (options->cwd) {
		if (strstr(options->cwd, "..") || text_is_below(options->cwd, "/proc"))
			return error_set(why, -EINVAL,
					 "--cwd %s: '..' and /proc are not taken", options->cwd);
		sandbox->cwd = options->cwd[0] == '/' ?
				       arena_text(arena, "%s", options->cwd) :
				       arena_text(arena, "%s/%s", base, options->cwd);
	} else if (sandbox->workspace && getcwd(here, sizeof(here)) &&
		   text_is_below(here, sandbox->workspace)) {
		sandbox->cwd = arena_text(arena, "%s", here);
	} else {
		sandbox->cwd = base;
	}
	return sandbox->cwd ? 0 : error_set(why, -ENOMEM, "out of memory");
}

/* In the full tier the command's id can reach only what is mapped for it. */
static int open_binds(struct plan *plan, size_t first, struct error *why)
{
	for (size_t i = first; i < plan->policy.bind_count; i++) {
		const struct bind *bind = &plan->policy.binds[i];
		int fd = path_open(PATH_ABSOLUTE, bind->source, O_PATH, 0, PATH_HOST, why);
		int r = fd < 0 ? fd :
			tree_take(&plan->sandbox.bind_trees[i], fd, bind->source,
				  plan->sandbox.tier == TIER_FULL ?
					  plan->sandbox.host_uid : (uid_t)-1,
				  plan->sandbox.host_gid, why);

		if (r < 0 && !(r == -ENOENT && bind->optional))
			return error_prefix(why, r, "--bind %s", bind->source);
	}
	return 0;
}

/*
 * Abstract sockets belong to a network. In the host's, Landlock keeps those of
 * others away, such as a session bus that would run anything for its user; a
 * kernel whose Landlock cannot has no Unix sockets inside but stream pairs.
 */
static void guard_host_network(struct plan *plan)
{
	int abi = landlock_abi();

	if (plan->policy.network != NETWORK_HOST || abi >= LANDLOCK_ABI_SCOPES)
		return;
	plan->policy.unscoped = true;
	add_note(plan, "with the host's network Unix sockets are refused: this kernel's"
		 " Landlock, ABI %d, cannot keep those of others apart, which takes %d"
		 " (Linux 6.12)", abi, LANDLOCK_ABI_SCOPES);
}

/* The command itself is started by execveat(2), which nobody waits to observe. */
static int observe_all(struct policy *policy, struct error *why)
{
	if (!syscall_set_has(&policy->syscalls, SYS_execveat))
		return error_set(why, -EOPNOTSUPP,
				 "--explain needs a policy that allows execveat");
	policy->observed = true;
	return 0;
}

int plan_resolve(struct plan *ret, const struct plan_options *options,
		 struct arena *arena, struct error *why)
{
	const struct tree no_tree = { .directory = -1, .mount = -1 };
	size_t own_binds = 0;

	*ret = (struct plan){
		.sandbox = { .workspace_tree = no_tree, .stdio = { 0, 1, 2 },
			     .program = -1, .network = -1, .home_network = -1,
			     .argv = options->argv, .policy = &ret->policy },
	};
	for (size_t i = 0; i < POLICY_ROWS_MAX; i++)
		ret->sandbox.bind_trees[i] = no_tree;
	while (own_binds < PLAN_OPTIONS_MAX && options->binds[own_binds])
		own_binds++;
	namespaces_read(ret->sandbox.outside);
	int r = apply_options(ret, options, arena, why);

	if (r == 0)
		r = build_environment(ret, options, why);
	if (r == 0)
		r = choose_tier(ret, options, why);
	if (r == 0)
		r = choose_workspace(ret, options, arena, why);
	if (r == 0)
		r = choose_cwd(ret, options, arena, why);
	if (r == 0)
		r = open_binds(ret, ret->policy.bind_count - own_binds, why);
	if (r == 0 && ret->sandbox.tier == TIER_LANDLOCK)
		r = bare_restrict(&ret->policy, &ret->sandbox, why);
	if (r == 0)
		guard_host_network(ret);
	if (r == 0 && options->explain)
		r = observe_all(&ret->policy, why);
	if (r == 0)
		r = seccomp_program(&ret->sandbox.filter, &ret->policy, arena, why);
	if (r < 0)
		plan_release(ret);
	return r;
}

void plan_release(struct plan *plan)
{
	tree_close(&plan->sandbox.workspace_tree);
	for (size_t i = 0; i < POLICY_ROWS_MAX; i++)
		tree_close(&plan->sandbox.bind_trees[i]);
}
