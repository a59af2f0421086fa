/*
 * cli.h - what the verbs of cupel share.
 *
 * A verb is a function in a file of its own and a row in main.c. Data goes to
 * stdout, everything else to stderr; main() sees to it that data which could
 * not be written is an error, and so does a verb that stays, each time.
 */
#ifndef CUPEL_SUPERVISOR_CLI_CLI_H
#define CUPEL_SUPERVISOR_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/json.h"

/* Source: sysexits(3); timeout(1) and sh(1) for those of a command run. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* the tool, or the command, says so itself */
	EXIT_USAGE = 64,
	EXIT_DATA = 65,
	EXIT_NO_INPUT = 66,
	EXIT_UNAVAILABLE = 69, /* the supervisor is not there */
	EXIT_INTERNAL = 70,
	EXIT_IO = 74,
	EXIT_BUSY = 75, /* for now: try again */
	EXIT_PERMISSION = 77,
	EXIT_CONFIG = 78,

	EXIT_TIMEOUT = 124,
	EXIT_CUPEL = 125, /* cupel failed, not the command */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_CANCELLED = 130 /* as the shell says it of Ctrl-C */
};

struct verb {
	const char *name;
	const char *usage; /* what follows "cupel " */
	const char *help;  /* one line */
	int (*run)(const struct verb *verb, int argc, char **argv);
	void (*explain)(FILE *out); /* more help, or NULL */
};

struct verb_table {
	const char *name; /* the words before the verb: "cupel config" */
	const struct verb *verbs;
	size_t count;
};

/* Runs the verb that argv[1] names, with argv[1] as its argv[0]. */
int cli_run(const struct verb_table *table, int argc, char **argv);

/* A line for each verb. */
void cli_print_verbs(FILE *out, const struct verb_table *table);

/* The verb of that name, or NULL once stderr has been told, with a hint. */
const struct verb *cli_find(const struct verb_table *table, const char *name);

/* Usage, help and explanation of one verb. */
void cli_print_help(FILE *out, const struct verb *verb);

/* Tells stderr how the verb is used; returns EXIT_USAGE. */
int cli_refuse_usage(const struct verb *verb);

/*
 * A verb's options: begin, then the next until it is negative; optind is then
 * the first argument. 0: stderr has been told of one that is none, or that is
 * not among the letters (NULL: all) the verb takes. See getopt_long(3).
 */
void cli_begin_options(void);
int cli_next_option(const struct verb *verb, int argc, char **argv,
		    const struct option *options, const char *letters);

/*
 * Takes the option --json, which is all that a verb without others knows, and
 * leaves in *ret_first the index of its first argument. False if there are
 * other options; stderr has been told.
 */
bool cli_take_json(const struct verb *verb, int argc, char **argv,
		   bool *ret_json, int *ret_first);

/*
 * Sees to it that what was printed to stdout is out. EXIT_IO if some of it was
 * lost, once; stderr has been told.
 */
int cli_flush(void);

/* Prints and frees what json_pack() made, NULL if it failed; exit code. */
int cli_print_json(json_t *json);

/* cupel run, in run.c */
int cli_run_command(const struct verb *verb, int argc, char **argv);
void cli_run_command_explain(FILE *out);

int cli_doctor(const struct verb *verb, int argc, char **argv);
void cli_doctor_explain(FILE *out);
int cli_verify(const struct verb *verb, int argc, char **argv);
void cli_verify_explain(FILE *out);
int cli_recover(const struct verb *verb, int argc, char **argv);
void cli_recover_explain(FILE *out);
int cli_version(const struct verb *verb, int argc, char **argv);
int cli_policy(const struct verb *verb, int argc, char **argv);
void cli_policy_explain(FILE *out);
int cli_config(const struct verb *verb, int argc, char **argv);
void cli_config_explain(FILE *out);

/* of the supervisor */
int cli_call(const struct verb *verb, int argc, char **argv);
void cli_call_explain(FILE *out);
int cli_status(const struct verb *verb, int argc, char **argv);
void cli_status_explain(FILE *out);
int cli_health(const struct verb *verb, int argc, char **argv);
void cli_health_explain(FILE *out);
int cli_top(const struct verb *verb, int argc, char **argv);
void cli_top_explain(FILE *out);
int cli_log(const struct verb *verb, int argc, char **argv);
void cli_log_explain(FILE *out);
int cli_tools(const struct verb *verb, int argc, char **argv);
void cli_tools_explain(FILE *out);
int cli_breaker(const struct verb *verb, int argc, char **argv);
void cli_breaker_explain(FILE *out);
int cli_drain(const struct verb *verb, int argc, char **argv);
int cli_shutdown(const struct verb *verb, int argc, char **argv);

/* of the improvement loop */
int cli_improve(const struct verb *verb, int argc, char **argv);
void cli_improve_explain(FILE *out);
int cli_improvements(const struct verb *verb, int argc, char **argv);
void cli_improvements_explain(FILE *out);
int cli_show(const struct verb *verb, int argc, char **argv);
int cli_approve(const struct verb *verb, int argc, char **argv);
int cli_reject(const struct verb *verb, int argc, char **argv);
int cli_apply(const struct verb *verb, int argc, char **argv);
void cli_apply_explain(FILE *out);
int cli_rollback(const struct verb *verb, int argc, char **argv);
void cli_rollback_explain(FILE *out);
void cli_reason_explain(FILE *out);
void cli_scope_explain(FILE *out);
void cli_trend_explain(FILE *out);
int cli_bottlenecks(const struct verb *verb, int argc, char **argv);
int cli_trend(const struct verb *verb, int argc, char **argv);
int cli_lessons(const struct verb *verb, int argc, char **argv);
void cli_lessons_explain(FILE *out);
int cli_stats(const struct verb *verb, int argc, char **argv);
int cli_test(const struct verb *verb, int argc, char **argv);
void cli_test_explain(FILE *out);
int cli_bench(const struct verb *verb, int argc, char **argv);
void cli_bench_explain(FILE *out);
int cli_init(const struct verb *verb, int argc, char **argv);
void cli_init_explain(FILE *out);

#endif
