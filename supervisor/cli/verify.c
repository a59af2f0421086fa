/*
 * cupel verify: attacks a sandbox of its own and says what held.
 *
 * The program inside is cupel itself, shown read-only, with the hidden option
 * --probe: one attempt a run, so the verdict of the run says which layer
 * refused it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verify.h"

#define ARENA_BYTES_MAX (1U << 20)
#define PROGRAM_INSIDE "/cupel"
#define CONTROL_SECONDS 10
#define GONE_MS 5000	/* by then nothing of a killed launcher may be left */
#define STAYS_MS 100	/* long enough to see that an ordinary child stays */
#define EXIT_ALLOWED 1
#define ROWS_MAX 64

/* How an attempt ended: 0 it worked, an errno, or minus a signal. */
struct trial {
	int inside, outside;
	char layer[64];
};

struct verification {
	const char *policy;	/* NULL: the default */
	char bind[PATH_MAX + 32];
	struct verify_targets targets;
	int null;
	struct trial trials[ROWS_MAX];
	size_t count;
	char policy_name[POLICY_NAME_BYTES];	/* as resolved */
	enum tier tier;
	enum network_mode network;
	bool policy_refused, cancelled;
	struct error why;
};

static int outcome(int wait_status)
{
	return WIFSIGNALED(wait_status) ? -WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static void name_outcome(int outcome, char *ret, size_t size)
{
	if (outcome < 0)
		snprintf(ret, size, "SIG%s", sigabbrev_np(-outcome));
	else
		snprintf(ret, size, "%s", outcome ? strerrorname_np(outcome) : "it worked");
}

/* ---- inside ---- */

static int run_inside(struct verification *all, const struct attempt *attempt,
		      int output, struct run_result *ret)
{
	char program[] = PROGRAM_INSIDE, verb[] = "verify", option[] = "--probe";
	char name[64];
	char *const argv[] = { program, verb, option, name, NULL };
	struct plan_options options = {
		.policy = all->policy, .no_workspace = true, .argv = argv,
		.environment = environ, .binds = { all->bind },
		.limits = { attempt->limit },
	};
	struct arena arena;
	struct plan plan;

	snprintf(name, sizeof(name), "%s", attempt->name);
	for (size_t i = 0; i < VERIFY_VARIABLES; i++)
		options.set_env[i] = all->targets.variables[i];
	arena_init(&arena, ARENA_BYTES_MAX);
	int r = plan_resolve(&plan, &options, &arena, &all->why);

	all->policy_refused = plan.policy_refused;
	if (r == 0) {
		struct run_request request = { .plan = plan.sandbox };

		snprintf(all->policy_name, sizeof(all->policy_name), "%s", plan.policy.name);
		all->tier = plan.sandbox.tier;
		all->network = plan.policy.network;
		if (attempt->outlives)	/* its output has to be the pipe itself */
			plan.policy.limits.output_bytes = 0;
		memcpy(request.plan.stdio, (int[]){ all->null, output, all->null },
		       sizeof(request.plan.stdio));
		r = run_command(&request, ret, &all->why);
		plan_release(&plan);
	}
	arena_release(&arena);
	/* why says what failed */
	return r == 0 && ret->cause == RUN_SETUP_FAILED ? -ENOTSUP : r;
}

/* A refused call is in the verdict; the rest is known from what was tried. */
static const char *layer_of(const struct verification *all, const struct attempt *attempt,
			    const struct run_result *result)
{
	if (attempt->limit && result->layout != CGROUP_NONE)
		return "cgroup";
	if (strcmp(attempt->layer, NETWORK_LAYER) == 0 && all->network == NETWORK_HOST)
		return "landlock";
	return attempt->layer;
}

static void name_layer(const struct verification *all, const struct attempt *attempt,
		       const struct run_result *result, struct trial *trial)
{
	const char *call = result->denial_count ?
		syscall_name(result->denials[result->denial_count - 1].number) : NULL;

	snprintf(trial->layer, sizeof(trial->layer), call ? "seccomp, %s(2)" : "%s",
		 call ? call : layer_of(all, attempt, result));
}

static int try_inside(struct verification *all, const struct attempt *attempt,
		      struct trial *trial)
{
	struct run_result result = { 0 };
	int r = run_inside(all, attempt, all->null, &result);

	if (r < 0)
		return r;
	all->cancelled = result.cause == RUN_CANCELLED;
	trial->inside = result.signal ? -result.signal : result.exit_code;
	name_layer(all, attempt, &result, trial);
	return 0;
}

/* ---- outside: the control ---- */

static int try_outside(const struct attempt *attempt)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(CONTROL_SECONDS);
		_exit(attempt->run(attempt));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return errno;
	return outcome(status);
}

/* ---- what outlives a killed launcher: told by who still holds a pipe ---- */

static _Noreturn void launch_inside(struct verification *all,
				    const struct attempt *attempt, int output)
{
	struct run_result result;

	run_inside(all, attempt, output, &result);
	_exit(0);	/* without a byte written: could not be tried */
}

static _Noreturn void launch_outside(struct verification *all,
				     const struct attempt *attempt, int output)
{
	(void)all;
	if (fork() == 0) {
		alarm(CONTROL_SECONDS);	/* the end of a control that nobody ends */
		dup2(output, STDOUT_FILENO);
		_exit(attempt->run(attempt));
	}
	for (;;)
		pause();
}

/*
 * Starts a launcher, waits for its command's word, kills the launcher. Whoever
 * is left holds the pipe open. 0 if one is, ESRCH if none, or another errno.
 */
static int try_outliving(struct verification *all, const struct attempt *attempt,
			 void (*launch)(struct verification *, const struct attempt *, int),
			 int patience_ms)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	AUTO_CLOSE int ours = ends[0];
	AUTO_CLOSE int theirs = ends[1];
	pid_t launcher = fork();

	if (launcher == 0) {
		close(ours);
		launch(all, attempt, theirs);
	}
	close(fd_take(&theirs));
	if (launcher < 0)
		return errno;
	bool started = read(ours, &byte, 1) == 1;
	struct pollfd polled = { .fd = ours, .events = POLLIN };

	kill(launcher, SIGKILL);
	waitpid(launcher, NULL, 0);
	if (!started)
		return ENOTSUP;
	return poll(&polled, 1, patience_ms) == 1 ? ESRCH : 0;
}

/* ---- all of it ---- */

static int try_one(struct verification *all, const struct attempt *attempt,
		   struct trial *trial)
{
	if (!attempt->outlives) {
		trial->outside = try_outside(attempt);
		return try_inside(all, attempt, trial);
	}
	snprintf(trial->layer, sizeof(trial->layer), "%s", attempt->layer);
	trial->outside = try_outliving(all, attempt, launch_outside, STAYS_MS);
	trial->inside = try_outliving(all, attempt, launch_inside, GONE_MS);
	return 0;
}

static int show_program(struct verification *all)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return error_set(&all->why, -errno, "/proc/self/exe: %s", strerror(errno));
	path[length] = '\0';
	snprintf(all->bind, sizeof(all->bind), "%s:" PROGRAM_INSIDE ":ro", path);
	return 0;
}

static int try_all(struct verification *all)
{
	int r = verify_prepare(&all->targets, &all->why);

	if (r == 0)
		r = show_program(all);
	all->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (r == 0 && all->null < 0)
		r = error_set(&all->why, -errno, "/dev/null: %s", strerror(errno));
	for (size_t i = 0; r == 0 && i < attempt_count && !all->cancelled; i++) {
		r = try_one(all, &attempts[i], &all->trials[i]);
		all->count = i + (r == 0 && !all->cancelled);
	}
	if (all->null >= 0)
		close(all->null);
	verify_release(&all->targets);
	return r;
}

static size_t count_allowed(const struct verification *all)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += all->trials[i].inside == 0;
	return count;
}

/* ---- telling ---- */

static void print_trial(const struct table *table, const struct attempt *attempt,
			const struct trial *trial)
{
	char inside[32], text[160];
	bool allowed = trial->inside == 0, control = trial->outside == 0;

	name_outcome(trial->inside, inside, sizeof(inside));
	snprintf(text, sizeof(text), "%s%s%s%s", allowed ? "" : trial->layer,
		 allowed ? "" : ": ", inside, control ? "" : "; no control");
	table_row(table, attempt->name, allowed ? "ALLOWED" : "refused",
		  allowed ? TABLE_BAD : control ? TABLE_GOOD : TABLE_WARN, text);
}

static void print_table(const struct verification *all)
{
	size_t allowed = count_allowed(all), without_control = 0;
	struct table table;

	printf("In a sandbox of policy %s, tier %s:\n\n", all->policy_name,
	       tier_name(all->tier));
	table_init(&table, stdout, 29, 7);
	for (size_t i = 0; i < all->count; i++) {
		print_trial(&table, &attempts[i], &all->trials[i]);
		without_control += all->trials[i].outside != 0;
	}
	printf("\n%zu of %zu attempts were refused.\n", all->count - allowed, all->count);
	if (without_control)
		printf("%zu without control: they fail outside as well, for want of rights.\n",
		       without_control);
}

static json_t *as_json(const struct verification *all)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < all->count; i++) {
		const struct trial *trial = &all->trials[i];
		char inside[32], outside[32];
		bool allowed = trial->inside == 0, control = trial->outside == 0;

		name_outcome(trial->inside, inside, sizeof(inside));
		name_outcome(trial->outside, outside, sizeof(outside));
		json_array_append_new(rows, json_pack("{ss sb ss? ss? sb ss?}",
			"name", attempts[i].name, "refused", !allowed,
			"layer", allowed ? NULL : trial->layer,
			"error", allowed ? NULL : inside,
			"control", control, "control_error", control ? NULL : outside));
	}
	return json_pack("{ss ss ss sI so}", "schema", "cupel.verify/1",
			 "policy", all->policy_name, "tier", tier_name(all->tier),
			 "allowed", (json_int_t)count_allowed(all),
			 "attempts", rows);
}

/* ---- the verb ---- */

static int probe(const char *name)
{
	const struct attempt *attempt = attempt_find(name);
	int r = attempt ? attempt->run(attempt) : EXIT_USAGE;

	if (r == 0 && attempt->limit)
		sleep(1);	/* what we watch ourselves is not seen at once */
	_exit(r);
}

static int parse(struct verification *all, bool *ret_json, int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "probe", required_argument, NULL, 'x' },	/* hidden: the side inside */
		{ 0 },
	};
	int option;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1)
		switch (option) {
		case 'p': all->policy = optarg; break;
		case 'j': *ret_json = true; break;
		case 'x': probe(optarg); break;
		default:
			return error_set(&all->why, -EINVAL, option == ':' ? "%s wants a value" :
					 "there is no option %s", argv[optind - 1]);
		}
	if (optind < argc)
		return error_set(&all->why, -EINVAL, "what is '%s'?", argv[optind]);
	return 0;
}

int cli_verify(const struct verb *verb, int argc, char **argv)
{
	struct verification all = { .null = -1 };
	bool json = false;

	if (parse(&all, &json, argc, argv) < 0) {
		fprintf(stderr, "cupel verify: %s\n", all.why.text);
		return cli_refuse_usage(verb);
	}
	int r = try_all(&all);

	if (r < 0) {
		fprintf(stderr, "cupel verify: %s%s\n", all.why.text,
			all.policy_refused || r == -EINVAL ? "" : "; 'cupel doctor' says more");
		return all.policy_refused ? EXIT_CONFIG : r == -EINVAL ? EXIT_USAGE : EXIT_CUPEL;
	}
	if (all.cancelled)
		return 128 + SIGINT;
	if (json)
		r = cli_print_json(as_json(&all));
	else
		print_table(&all);
	return r ? r : count_allowed(&all) ? EXIT_ALLOWED : EXIT_OK;
}

void cli_verify_explain(FILE *out)
{
	fputs("\n  --policy P   preset, installed policy or file (tool)\n"
	      "  --json       the table as JSON\n"
	      "\nExit status: 0 every attempt was refused, 1 one was not, 78 a policy that\n"
	      "makes no sense, 125 the sandbox could not be built. See cupel-verify(1).\n", out);
}
