/*
 * cupel - the front door: a verb, its arguments.
 */
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/cli/cli.h"

static int help(const struct verb *verb, int argc, char **argv);

static const struct verb verbs[] = {
	{ "apply", "apply ID [--here] [--json]", "commit an approved improvement", cli_apply,
	  cli_apply_explain },
	{ "approve", "approve ID [--reason TEXT] [--json]", "approve an improvement",
	  cli_approve, cli_reason_explain },
	{ "bench", "bench [NAME...] [--runs N] [--json]",
	  "run a workspace's benchmarks, confined", cli_bench, cli_bench_explain },
	{ "bottlenecks", "bottlenecks [--all] [--json]", "list what misses its target",
	  cli_bottlenecks,
	  cli_scope_explain },
	{ "breaker", "breaker reset TOOL | isolate TOOL [DURATION]",
	  "let calls of a tool out again, or none", cli_breaker,
	  cli_breaker_explain },
	{ "call", "call [OPTION...] TOOL [JSON | -] | --attach ID",
	  "call a tool", cli_call, cli_call_explain },
	{ "config",
	  "config check FILE... | dump [--json] [FILE] | default | man",
	  "check and print settings", cli_config, cli_config_explain },
	{ "doctor", "doctor [--json]",
	  "say what this host offers for confinement", cli_doctor,
	  cli_doctor_explain },
	{ "drain", "drain [off]", "let the supervisor take no new calls", cli_drain,
	  NULL },
	{ "health", "health [--json]", "say whether the supervisor is well, and why",
	  cli_health, cli_health_explain },
	{ "help", "help [VERB]", "say how cupel or one verb is used", help,
	  NULL },
	{ "improve",
	  "improve [DIR] [--mode observe|propose|approve|auto] [--rounds N]\n"
	  "       [--budget time=5m,runs=200] [--metric BENCHMARK.METRIC] [--seed N]\n"
	  "       [--every D [--jitter D] [--load L]] [--json]\n"
	  "       cupel improve --scheduled [--json]",
	  "find, prove and keep what makes a repository better", cli_improve,
	  cli_improve_explain },
	{ "improvements", "improvements [--all] [--json]", "list what was proposed and proven",
	  cli_improvements, cli_improvements_explain },
	{ "init", "init [DIR]", "write a first cupel.conf", cli_init, cli_init_explain },
	{ "lessons", "lessons [--all] [--forget ID] [--json]",
	  "list what the loop has learnt, or take a lesson back", cli_lessons,
	  cli_lessons_explain },
	{ "log",
	  "log [--level L] [--component C] [--call N] [--since D] [-f]\n"
	  "       [--json]",
	  "show what happened", cli_log, cli_log_explain },
	{ "policy",
	  "policy list | show NAME | explain CALL-or-PATH NAME |\n"
	  "       lint NAME...",
	  "look at what policies allow", cli_policy, cli_policy_explain },
	{ "recover", "recover DIR",
	  "finish a commit to a workspace that was interrupted", cli_recover,
	  cli_recover_explain },
	{ "reject", "reject ID [--reason TEXT] [--json]", "reject an improvement", cli_reject,
	  cli_reason_explain },
	{ "rollback", "rollback ID [--reason TEXT] [--json]",
	  "take an applied improvement back", cli_rollback, cli_rollback_explain },
	{ "run", "run [OPTION...] -- COMMAND [ARGUMENT...]",
	  "run one command confined", cli_run_command, cli_run_command_explain },
	{ "show", "show ID [--inverse] [--json]", "show all that is known of an improvement", cli_show,
	  NULL },
	{ "shutdown", "shutdown", "let the supervisor finish and leave",
	  cli_shutdown, NULL },
	{ "stats", "stats [--all] [--json]", "count what the loop did", cli_stats,
	  cli_scope_explain },
	{ "status", "status [--json | --metrics]",
	  "show workers, pools, tools, breakers and caches", cli_status,
	  cli_status_explain },
	{ "test", "test [NAME...] [--tag T]... [--changed[=REV]] [--junit FILE] [--tap] [--json]",
	  "run a workspace's tests, confined", cli_test, cli_test_explain },
	{ "tools",
	  "tools [list | describe TOOL | reload | disable TOOL | enable TOOL]\n"
	  "       [--json | --markdown]",
	  "show what can be called", cli_tools, cli_tools_explain },
	{ "top", "top", "watch workers and tools at work", cli_top,
	  cli_top_explain },
	{ "trend", "trend BENCHMARK.METRIC [--json]", "show a metric over time", cli_trend,
	  cli_trend_explain },
	{ "verify", "verify [--policy P] [--json]",
	  "attack a sandbox of its own and say what held", cli_verify,
	  cli_verify_explain },
	{ "version", "version [--json]", "print the version", cli_version,
	  NULL },
};

static const struct verb_table table = { "cupel", verbs, COUNT(verbs) };

static int help(const struct verb *verb, int argc, char **argv)
{
	const struct verb *other;

	if (argc > 2)
		return cli_refuse_usage(verb);
	if (argc < 2) {
		printf("usage: cupel VERB [ARGUMENT...]\n\n");
		cli_print_verbs(stdout, &table);
		printf("\n'cupel help VERB' says more; so does cupel(1).\n");
		return EXIT_OK;
	}
	other = cli_find(&table, argv[1]);
	if (!other)
		return EXIT_USAGE;
	cli_print_help(stdout, other);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	int code, flushed;

	/* The two options that every program is expected to know. */
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 ||
			 strcmp(argv[1], "--version") == 0))
		argv[1] += strlen("--");
	code = cli_run(&table, argc, argv);
	flushed = cli_flush();
	return flushed != EXIT_OK ? flushed : code;
}
