/*
 * cupel - the front door: a verb, its arguments.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/cli/cli.h"

static int help(const struct verb *verb, int argc, char **argv);

static const struct verb verbs[] = {
	{ "breaker", "breaker reset TOOL | isolate TOOL [DURATION]",
	  "let calls of a tool out again, or none", cli_breaker,
	  cli_breaker_explain },
	{ "call", "call [OPTION...] TOOL [JSON | -]",
	  "call a tool", cli_call, cli_call_explain },
	{ "config",
	  "config check FILE... | dump [--json] [FILE] | default | man",
	  "check and print settings", cli_config, cli_config_explain },
	{ "doctor", "doctor [--json]",
	  "say what this host offers for confinement", cli_doctor,
	  cli_doctor_explain },
	{ "drain", "drain", "let the supervisor take no new calls", cli_drain,
	  NULL },
	{ "health", "health [--json]", "say whether the supervisor is well, and why",
	  cli_health, cli_health_explain },
	{ "help", "help [VERB]", "say how cupel or one verb is used", help,
	  NULL },
	{ "log",
	  "log [--level L] [--component C] [--call N] [--since D] [-f] [--json]",
	  "show what happened", cli_log, cli_log_explain },
	{ "policy",
	  "policy list | show NAME | explain CALL-or-PATH NAME | lint NAME...",
	  "look at what policies allow", cli_policy, cli_policy_explain },
	{ "run", "run [OPTION...] -- COMMAND [ARGUMENT...]",
	  "run one command confined", cli_run_command, cli_run_command_explain },
	{ "shutdown", "shutdown", "let the supervisor finish and leave",
	  cli_shutdown, NULL },
	{ "status", "status [--json | --metrics]",
	  "show workers, pools, tools, breakers and caches", cli_status,
	  cli_status_explain },
	{ "tools",
	  "tools [list | describe TOOL | reload | disable TOOL | enable TOOL] "
	  "[--json | --markdown]",
	  "show what can be called", cli_tools, cli_tools_explain },
	{ "top", "top", "watch workers and tools at work", cli_top,
	  cli_top_explain },
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
	int code;

	/* The two options that every program is expected to know. */
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 ||
			 strcmp(argv[1], "--version") == 0))
		argv[1] += strlen("--");
	code = cli_run(&table, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "cupel: stdout: %s\n", strerror(errno));
		return EXIT_IO;
	}
	return code;
}
