/*
 * cupel run: one command, confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/error.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/on_exit.h"
#include "supervisor/cli/recover.h"
#include "supervisor/cli/verdict.h"

#define ARENA_BYTES_MAX (64U << 20)	/* the changes of a large overlay */

struct options {
	struct plan_options plan;
	const char *json_path;
	enum on_exit on_exit;
	bool on_exit_given, quiet, dry_run, tty, require_limits;
	size_t limit_count, set_count, pass_count, bind_count;
	struct error why;
};

/* ---- options: a row each; the help and the parser read the same rows ---- */

static int set_text(const char **place, const char *value)
{
	*place = value;
	return 0;
}

static int append(struct options *o, const char **list, size_t *count, const char *value)
{
	if (*count == PLAN_OPTIONS_MAX)
		return error_set(&o->why, -E2BIG, "more than %d of one option", PLAN_OPTIONS_MAX);
	list[(*count)++] = value;
	return 0;
}

static int choose(struct options *o, const char *option, const char *value,
		  const char *const *names, const char *permitted)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	return error_set(&o->why, -EINVAL, "%s %s: it is %s", option, value, permitted);
}

static int take_policy(struct options *o, const char *value)
{
	return set_text(&o->plan.policy, value);
}

static int take_workspace(struct options *o, const char *value)
{
	static const char *const modes[] = { "none", "direct", "readonly", "overlay", NULL };
	char *colon = strrchr(value, ':');

	if (strcmp(value, "none") == 0) {
		o->plan.no_workspace = true;
		return 0;
	}
	if (colon) {
		int mode = choose(o, "--workspace", colon + 1, modes,
				  "DIR[:direct|readonly|overlay]");

		if (mode < 0)
			return mode;
		*colon = '\0';
		o->plan.mode = (enum workspace_mode)mode;
		o->plan.mode_given = true;
	}
	return set_text(&o->plan.workspace, value);
}

static int take_limit(struct options *o, const char *value)
{
	return append(o, o->plan.limits, &o->limit_count, value);
}

static int take_env(struct options *o, const char *value)
{
	return append(o, o->plan.set_env, &o->set_count, value);
}

static int take_pass_env(struct options *o, const char *value)
{
	return append(o, o->plan.pass_env, &o->pass_count, value);
}

static int take_cwd(struct options *o, const char *value)
{
	return set_text(&o->plan.cwd, value);
}

static int take_bind(struct options *o, const char *value)
{
	return append(o, o->plan.binds, &o->bind_count, value);
}

static int take_net(struct options *o, const char *value)
{
	static const char *const modes[] = { "none", "host", NULL };
	int mode = choose(o, "--net", value, modes, "none or host");

	o->plan.network = mode == 1 ? NETWORK_HOST : NETWORK_NONE;
	o->plan.network_given = true;
	return mode < 0 ? mode : 0;
}

static int take_tier(struct options *o, const char *value)
{
	static const char *const tiers[] = { "landlock", "userns", "full", NULL };
	int tier = choose(o, "--tier", value, tiers, "full, userns or landlock");

	if (tier >= 0)
		o->plan.tier = (enum tier)tier;
	o->plan.tier_given = true;
	return tier < 0 ? tier : 0;
}

static int take_require(struct options *o, const char *value)
{
	static const char *const what[] = { "limits", NULL };
	int r = choose(o, "--require", value, what, "limits");

	o->require_limits = true;
	return r;
}

static int take_on_exit(struct options *o, const char *value)
{
	static const char *const actions[] = { "discard", "diff", "keep", "commit", NULL };
	int action = choose(o, "--on-exit", value, actions, "discard, diff, keep or commit");

	if (action >= 0)
		o->on_exit = (enum on_exit)action;
	o->on_exit_given = true;
	return action < 0 ? action : 0;
}

static int take_json(struct options *o, const char *value)
{
	return set_text(&o->json_path, value);
}

static int take_tty(struct options *o, const char *value)
{
	(void)value;
	o->tty = true;
	return 0;
}

static int take_quiet(struct options *o, const char *value)
{
	(void)value;
	o->quiet = true;
	return 0;
}

static int take_explain(struct options *o, const char *value)
{
	(void)value;
	o->plan.explain = true;
	return 0;
}

static int take_dry_run(struct options *o, const char *value)
{
	(void)value;
	o->dry_run = true;
	return 0;
}

static const struct row {
	const char *name, *argument, *help;
	int (*take)(struct options *o, const char *value);
} rows[] = {
	{ "policy", "P", "preset, installed policy or file (tool)", take_policy },
	{ "workspace", "DIR[:MODE]", "direct, readonly or overlay; 'none' for none", take_workspace },
	{ "on-exit", "ACTION", "of an overlay: discard, diff, keep or commit", take_on_exit },
	{ "limit", "K=V", "wall=10s, memory=512M, ...; may be given again", take_limit },
	{ "env", "K=V", "set a variable", take_env },
	{ "pass-env", "NAME", "pass a variable of the caller", take_pass_env },
	{ "cwd", "DIR", "working directory inside", take_cwd },
	{ "bind", "SRC:DST[:ro|rw]", "show a path of the host", take_bind },
	{ "net", "none|host", "network (none)", take_net },
	{ "tty", NULL, "give the command a terminal of its own", take_tty },
	{ "tier", "T", "full (root), userns, or, if asked for, landlock", take_tier },
	{ "require", "limits", "refuse to run without cgroup limits", take_require },
	{ "json", "FILE", "write the verdict there; '-' is stderr", take_json },
	{ "explain", NULL, "also tell which paths were missed; slower", take_explain },
	{ "quiet", NULL, "say nothing about the run on stderr", take_quiet },
	{ "dry-run", NULL, "print the resolved sandbox and stop", take_dry_run },
};

void cli_run_command_explain(FILE *out)
{
	fputc('\n', out);
	for (size_t i = 0; i < COUNT(rows); i++)
		fprintf(out, "  --%s %-*s %s\n", rows[i].name,
			(int)(26 - strlen(rows[i].name)),
			rows[i].argument ? rows[i].argument : "", rows[i].help);
	fputs("\nLimits, and how they are written: wall=10s cpu=5s cpus=2 memory=512M pids=100\n"
	      "output=1M disk=100M inodes=10k files=256; NAME=none lifts one.\n"
	      "\nThe command's exit status is passed through; 124 time limit, 125 cupel\n"
	      "itself, 126 not executable, 127 not found, 128+n signal n. See cupel-run(1).\n",
	      out);
}

/* Options end at the first word that is none: it starts the command. */
static int parse(struct options *o, int argc, char **argv)
{
	struct option long_options[COUNT(rows) + 1] = { 0 };
	int index, c;

	for (size_t i = 0; i < COUNT(rows); i++)
		long_options[i] = (struct option){
			rows[i].name, rows[i].argument ? required_argument : no_argument,
			NULL, 0,
		};
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, "+:", long_options, &index)) != -1) {
		if (c == ':')
			return error_set(&o->why, -EINVAL, "%s wants a value", argv[optind - 1]);
		if (c != 0)
			return error_set(&o->why, -EINVAL, "there is no option %s", argv[optind - 1]);
		int r = rows[index].take(o, optarg);

		if (r < 0)
			return r;
	}
	if (optind == argc)
		return error_set(&o->why, -EINVAL, "no command; write: cupel run [OPTION...] -- COMMAND");
	o->plan.argv = argv + optind;
	return 0;
}

/* ---- running ---- */

/* The verdict's file is opened before the run: a bad path costs nothing then. */
static int open_verdict(const struct options *o, struct error *why)
{
	if (!o->json_path)
		return -1;
	if (strcmp(o->json_path, "-") == 0)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open(o->json_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set(why, -errno, "--json %s: %s", o->json_path, strerror(errno));
	return fd;
}

static int write_verdict(int fd, json_t *verdict)
{
	int r = !verdict || json_dumpfd(verdict, fd, JSON_INDENT(2)) < 0 ||
		write(fd, "\n", 1) != 1;

	json_decref(verdict);
	return r;
}

/* What was so before the run. */
struct start {
	int64_t ns;		/* by the wall clock */
	struct direct_look look;	/* if looks_through() */
};

/* Whether anybody would hear what a run left in the workspace itself. */
static bool looks_through(const struct options *o, const struct plan *plan)
{
	return plan->sandbox.workspace_mode == WORKSPACE_DIRECT &&
	       (!o->quiet || o->json_path);
}

/* The workspace's part of the verdict, or NULL where there is none. */
static json_t *settle_changes(struct options *o, const struct plan *plan,
			      const struct run_result *result, const struct start *start,
			      struct arena *arena, int *ret_failed)
{
	struct on_exit_result settled;

	if (result->upper >= 0)
		*ret_failed = on_exit_do(o->on_exit, plan, result, start->ns, o->quiet,
					 arena, &settled, &o->why);
	else if (looks_through(o, plan))
		*ret_failed = on_exit_direct(&start->look, plan, o->quiet, arena, &settled,
					     &o->why);
	else
		return NULL;
	if (*ret_failed < 0)
		fprintf(stderr, "cupel: %s\n", o->why.text);
	return on_exit_json(&settled);
}

static int finish(struct options *o, const struct plan *plan,
		  const struct run_result *result, int verdict_fd,
		  const struct start *start, struct arena *arena)
{
	char sentence[700];
	int failed = 0;

	if (!o->quiet &&
	    verdict_sentence(result, &plan->policy, &o->why, sentence, sizeof(sentence)))
		fprintf(stderr, "cupel: %s\n", sentence);
	json_t *changes = settle_changes(o, plan, result, start, arena, &failed);

	if (verdict_fd < 0)
		json_decref(changes);
	else if (write_verdict(verdict_fd, verdict_json(plan, result, changes, &o->why)))
		failed = error_set(&o->why, -EIO, "cupel: the verdict could not be written");
	return failed < 0 ? EXIT_CUPEL : run_exit_status(result);
}

static int run_planned(struct options *o, struct plan *plan, struct arena *arena)
{
	struct run_request request = { .plan = plan->sandbox,
				       .require_limits = o->require_limits,
				       .wants_usage = o->json_path };
	AUTO_CLOSE int verdict_fd = open_verdict(o, &o->why);
	struct run_result result;
	struct start start = { .ns = 0 };

	request.plan.tty = o->tty;
	if (verdict_fd < -1) {
		fprintf(stderr, "cupel: %s\n", o->why.text);
		return EXIT_CUPEL;
	}
	if (plan->note[0] && !o->quiet)
		fprintf(stderr, "cupel: %s\n", plan->note);
	int r = 0;

	/* What a killed commit left half done is finished before more is built on it. */
	if (o->on_exit == ON_EXIT_COMMIT && plan->sandbox.workspace)
		r = recover_workspace(&plan->sandbox.workspace_tree,
				      plan->sandbox.workspace, o->quiet, arena, &o->why);
	if (r >= 0 && looks_through(o, plan))
		r = direct_look(&plan->sandbox.workspace_tree, arena, &start.look, &o->why);
	const char *way_out = "";

	start.ns = clock_wall_ns();

	if (r >= 0) {
		r = run_command(&request, &result, &o->why);
		way_out = verdict_way_out(-r);
	}
	if (r < 0) {
		fprintf(stderr, "cupel: %s%s\n", o->why.text, way_out);
		return EXIT_CUPEL;
	}
	AUTO_CLOSE int upper = result.upper;

	return finish(o, plan, &result, verdict_fd, &start, arena);
}

static int exit_of_plan(const struct plan *plan, int r)
{
	if (plan->policy_refused)
		return EXIT_CONFIG;
	return r == -EINVAL || r == -E2BIG || r == -ERANGE ? EXIT_USAGE : EXIT_CUPEL;
}

int cli_run_command(const struct verb *verb, int argc, char **argv)
{
	struct options o = { .plan.environment = environ };
	struct arena arena;
	struct plan plan;

	if (parse(&o, argc, argv) < 0) {
		fprintf(stderr, "cupel run: %s\n", o.why.text);
		return cli_refuse_usage(verb);
	}
	arena_init(&arena, ARENA_BYTES_MAX);
	int r = plan_resolve(&plan, &o.plan, &arena, &o.why);
	int code;

	if (r == 0 && o.on_exit_given && plan.sandbox.workspace_mode != WORKSPACE_OVERLAY)
		r = error_set(&o.why, -EINVAL,
			      "--on-exit is for an overlay: --workspace DIR:overlay");
	if (r < 0) {
		fprintf(stderr, "cupel run: %s%s\n", o.why.text,
			r == -ENOSYS ? verdict_way_out(ENOSYS) : "");
		code = exit_of_plan(&plan, r);
	} else {
		code = o.dry_run ? cli_print_json(verdict_plan_json(&plan)) :
				   run_planned(&o, &plan, &arena);
	}
	plan_release(&plan);
	arena_release(&arena);
	return code;
}
