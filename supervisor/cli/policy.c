/*
 * cupel policy: what policies allow, from every side.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/exposure.h"
#include "sandbox/policy.h"
#include "sandbox/seccomp.h"
#include "sandbox/seccomp_checks.h"
#include "sandbox/view.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/grid.h"

#define ARENA_BYTES_MAX (16U << 20)
#define POLICIES_MAX 256
#define TENTHS_MAX 100

struct options {
	bool json, bpf;
	unsigned max_tenths;
};

/* "3" or "3.5" out of ten, in tenths; -1 if it is neither. */
static int parse_tenths(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (!isdigit((unsigned char)text[0]) || *end || value > 10)
		return -1;
	return (int)(value * 10 + 0.5);
}

/* Options of the given letters, and as many arguments; their index, or -1. */
static int take_options(const struct verb *verb, int argc, char **argv,
			const char *letters, struct options *ret)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "bpf", no_argument, NULL, 'b' },
		{ "max", required_argument, NULL, 'm' },
		{ 0 },
	};
	int option, tenths = TENTHS_MAX;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, options, letters)) > 0) {
		if (option == 'm')
			tenths = parse_tenths(optarg);
		if (tenths < 0) {
			fprintf(stderr, "cupel policy: --max %s: a number from 0 to 10, "
				"such as 2.5\n", optarg);
			return -1;
		}
		ret->json = ret->json || option == 'j';
		ret->bpf = ret->bpf || option == 'b';
	}
	if (option == 0)
		return -1;
	ret->max_tenths = (unsigned)tenths;
	return optind;
}

static int load(struct policy *policy, const char *name, struct arena *arena)
{
	struct error why;

	if (policy_load(policy, name, arena, &why) == 0)
		return EXIT_OK;
	fprintf(stderr, "cupel policy: %s\n", why.text);
	return EXIT_CONFIG;
}

/* ---- list ---- */

static void print_found(struct grid *grid, const struct policy_found *found,
			struct arena *arena)
{
	struct policy policy;
	struct error why;
	bool loads = policy_load(&policy, found->name, arena, &why) == 0;

	grid_cell(grid, loads ? TABLE_PLAIN : TABLE_BAD, "%s", found->name);
	grid_cell(grid, TABLE_PLAIN, "%s", loads ? policy.description : why.text);
	if (!found->path)
		return;
	grid_cell(grid, TABLE_PLAIN, "%s", "");
	grid_cell(grid, TABLE_PLAIN, "%s", found->path);
}

static json_t *found_json(const struct policy_found *found, struct arena *arena)
{
	struct policy policy;
	struct error why;
	bool loads = policy_load(&policy, found->name, arena, &why) == 0;

	return json_pack("{s:s, s:s?, s:s?, s:s?}", "name", found->name, "file",
			 found->path, "description",
			 loads ? policy.description : NULL, "error",
			 loads ? NULL : why.text);
}

static int list_policies(const struct policy_found *found, int count, bool json,
			 struct arena *arena)
{
	static const struct grid_column columns[] = {
		{ "POLICY", false, false }, { "WHAT FOR", false, true },
	};
	json_t *array = json ? json_array() : NULL;
	struct table look;
	struct grid grid;

	table_init(&look, stdout, 0, 0);
	grid_init(&grid, columns, COUNT(columns));
	for (int i = 0; i < count; i++) {
		if (json)
			json_array_append_new(array, found_json(&found[i], arena));
		else
			print_found(&grid, &found[i], arena);
	}
	grid_print(&grid, &look);
	return json ? cli_print_json(json_pack("{s:i, s:o}", "schema_version", 1,
					       "policies", array)) : EXIT_OK;
}

static int list(const struct verb *verb, int argc, char **argv)
{
	struct policy_found found[POLICIES_MAX];
	struct options options = { 0 };
	int first = take_options(verb, argc, argv, "j", &options);
	struct arena arena;

	if (first < 0)
		return EXIT_USAGE;
	if (first < argc)
		return cli_refuse_usage(verb);
	arena_init(&arena, ARENA_BYTES_MAX);
	int count = policy_list(found, POLICIES_MAX, &arena);
	int code = list_policies(found, count, options.json, &arena);

	arena_release(&arena);
	return code;
}

/* ---- show ---- */

static json_t *texts_json(const char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(texts[i]));
	return array;
}

static json_t *binds_json(const struct policy *policy)
{
	json_t *array = json_array();

	for (size_t i = 0; i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:b}",
			"source", bind->source, "target", bind->target,
			"writable", bind->access == BIND_WRITE,
			"optional", bind->optional));
	}
	return array;
}

static json_t *syscalls_json(const struct policy *policy)
{
	json_t *array = json_array();

	for (int i = 0; i < SYSCALL_NUMBERS; i++)
		if (syscall_set_has(&policy->syscalls, i))
			json_array_append_new(array, json_string(syscall_name(i)));
	return array;
}

static json_t *limits_json(const struct limits *limits)
{
	json_t *object = json_object();

	for (size_t i = 0; limits_name(i); i++) {
		char value[LIMIT_TEXT_BYTES];

		limits_text(limits, i, value);
		json_object_set_new(object, limits_name(i), json_string(value));
	}
	return object;
}

static json_t *policy_json(const struct policy *policy)
{
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:s, s:b, s:o}",
		"schema_version", 1,
		"name", policy->name,
		"description", policy->description,
		"workspace", workspace_mode_names[policy->workspace],
		"repository", policy->repository_readonly ? "readonly" : "writable",
		"binds", binds_json(policy),
		"hidden", texts_json(policy->hidden, policy->hidden_count),
		"proc", policy->proc_full ? "full" : "pids",
		"syscalls", syscalls_json(policy),
		"write_execute", policy->write_execute,
		"environment_passed", texts_json(policy->pass_env, policy->pass_env_count),
		"environment_set", texts_json(policy->set_env, policy->set_env_count),
		"network", network_mode_names[policy->network],
		"interfaces", policy->interfaces,
		"limits", limits_json(&policy->limits));
}

static int show_filter(const struct policy *policy, struct arena *arena)
{
	struct seccomp_program program;
	struct error why;

	if (seccomp_program(&program, policy, arena, &why) < 0) {
		fprintf(stderr, "cupel policy: %s\n", why.text);
		return EXIT_INTERNAL;
	}
	seccomp_print(&program, stdout);
	return EXIT_OK;
}

static int show_policy(const struct policy *policy, const struct options *options,
		       struct arena *arena)
{
	if (options->bpf)
		return show_filter(policy, arena);
	if (options->json)
		return cli_print_json(policy_json(policy));
	policy_print(policy, stdout);
	return EXIT_OK;
}

static int show(const struct verb *verb, int argc, char **argv)
{
	struct options options = { 0 };
	int first = take_options(verb, argc, argv, "jb", &options);
	struct policy policy;
	struct arena arena;

	if (first < 0)
		return EXIT_USAGE;
	if (first + 1 != argc || (options.json && options.bpf))
		return cli_refuse_usage(verb);
	arena_init(&arena, ARENA_BYTES_MAX);
	int code = load(&policy, argv[first], &arena);

	if (code == EXIT_OK)
		code = show_policy(&policy, &options, &arena);
	arena_release(&arena);
	return code;
}

/* ---- explain ---- */

static void explain_call(const struct policy *policy, int number)
{
	const char *name = syscall_name(number), *group = syscall_group_of(number);
	const struct checked_call *checked = seccomp_checked_call(number);

	if (syscall_is_opaque(number)) {
		printf("%s: does not exist in a sandbox (ENOSYS): "
		       "no filter sees what it is asked to do\n", name);
		return;
	}
	if (!syscall_set_has(&policy->syscalls, number)) {
		printf("%s: refused by %s (EPERM)\n", name, policy->name);
		printf("  risk   %s\n", syscall_risk(number));
		printf("  allow  syscalls { allow = { \"%s\" } }\n", name);
	} else {
		printf("%s: allowed by %s\n", name, policy->name);
		if (checked)
			printf("  only   %s\n", checked->permitted);
	}
	if (group)
		printf("  group  %s\n", group);
}

static void explain_path(const struct policy *policy, const char *path)
{
	struct view view = view_of(policy, NULL, WORKSPACE_NONE, path);

	if (view.kind == VIEW_HIDDEN)
		printf("%s: covered by nothing (hide = %s)\n", path, view.what);
	else if (view.kind == VIEW_MADE)
		printf("%s: %s\n", path, view.what);
	else if (view.bind)
		printf("%s: the host's %s%s, %s%s\n", path, view.bind->source,
		       path + strlen(view.bind->target),
		       view.kind == VIEW_WRITE ? "writable" : "read-only",
		       view.bind->optional ? ", if it is there" : "");
	else
		printf("%s: not there, unless the workspace brings it\n"
		       "  risk   %s\n"
		       "  allow  files { read = { \"%s\" } }\n", path,
		       view_risk(path, false), path);
}

/* By name or number; -1 for what is neither. */
static int call_of(const char *word)
{
	char *end;
	long number = strtol(word, &end, 10);

	if (!isdigit((unsigned char)word[0]))
		return syscall_number(word);
	return *end || number > INT_MAX ? -1 : (int)number;
}

static int explain_word(const struct policy *policy, const char *word)
{
	int number = call_of(word);

	if (word[0] == '/') {
		explain_path(policy, word);
	} else if (number < 0) {
		fprintf(stderr, "cupel policy: '%s' is neither a system call "
			"nor an absolute path\n", word);
		return EXIT_USAGE;
	} else if (syscall_name(number)) {
		explain_call(policy, number);
	} else {
		printf("%s: does not exist in a sandbox (ENOSYS): "
		       "no call that cupel knows\n", word);
	}
	return EXIT_OK;
}

static int explain(const struct verb *verb, int argc, char **argv)
{
	struct options options = { 0 };
	int first = take_options(verb, argc, argv, "", &options);
	struct policy policy;
	struct arena arena;

	if (first < 0)
		return EXIT_USAGE;
	if (first + 2 != argc)
		return cli_refuse_usage(verb);
	arena_init(&arena, ARENA_BYTES_MAX);
	int code = load(&policy, argv[first + 1], &arena);

	if (code == EXIT_OK)
		code = explain_word(&policy, argv[first]);
	arena_release(&arena);
	return code;
}

/* ---- lint ---- */

static json_t *lint_json(const struct policy *policy, const struct exposure *exposures,
			 size_t count, unsigned tenths)
{
	json_t *open = json_array();

	for (size_t i = 0; i < count; i++)
		if (exposures[i].open)
			json_array_append_new(open, json_pack("{s:s, s:s, s:f}",
				"name", exposures[i].name,
				"reason", exposures[i].reason,
				"points", exposures[i].points));
	return json_pack("{s:s, s:f, s:o}", "policy", policy->name, "exposure",
			 tenths / 10.0, "open", open);
}

static void print_lint(const struct policy *policy, const struct exposure *exposures,
		       size_t count, unsigned tenths)
{
	printf("%s: %u.%u of 10 is open\n", policy->name, tenths / 10, tenths % 10);
	for (size_t i = 0; i < count; i++)
		if (exposures[i].open)
			printf("  %5.2f  %-20s %s\n", exposures[i].points,
			       exposures[i].name, exposures[i].reason);
}

static int lint_one(const char *name, const struct options *options, json_t *ret)
{
	struct exposure exposures[EXPOSURES_MAX];
	struct policy policy;
	struct arena arena;
	unsigned tenths = 0;

	arena_init(&arena, ARENA_BYTES_MAX);
	int code = load(&policy, name, &arena);

	if (code == EXIT_OK) {
		size_t count = exposure_judge(&policy, exposures, &tenths);

		if (options->json)
			json_array_append_new(ret, lint_json(&policy, exposures,
							     count, tenths));
		else
			print_lint(&policy, exposures, count, tenths);
		if (tenths > options->max_tenths)
			code = 1;
	}
	arena_release(&arena);
	return code;
}

/* All are judged, also behind a bad one; the worst code is that of all. */
static int lint(const struct verb *verb, int argc, char **argv)
{
	struct options options = { 0 };
	int first = take_options(verb, argc, argv, "jm", &options);
	int worst = EXIT_OK;

	if (first < 0)
		return EXIT_USAGE;
	if (first == argc)
		return cli_refuse_usage(verb);
	json_t *array = options.json ? json_array() : NULL;

	for (int i = first; i < argc; i++) {
		int code = lint_one(argv[i], &options, array);

		worst = code > worst ? code : worst;
	}
	if (options.json)
		cli_print_json(json_pack("{s:i, s:o}", "schema_version", 1,
					 "policies", array));
	return worst;
}

static void explain_forms(FILE *out)
{
	fputs("\n  --json  the same as JSON\n"
	      "  --bpf   its system-call filter, an instruction a line\n", out);
}

static void explain_score(FILE *out)
{
	fputs("\n  --max SCORE  exit with 1 if a policy has more than that, from 0 to 10\n"
	      "  --json       the same as JSON\n", out);
}

static const struct verb verbs[] = {
	{ "explain", "policy explain CALL-or-PATH NAME",
	  "say what becomes of a system call or a path", explain, NULL },
	{ "lint", "policy lint [--json] [--max SCORE] NAME...",
	  "score how much is open, with reasons", lint, explain_score },
	{ "list", "policy list [--json]",
	  "the presets, and the policies of this user and this host", list, NULL },
	{ "show", "policy show [--json | --bpf] NAME",
	  "print a policy as a file, or its system-call filter", show, explain_forms },
};

static const struct verb_table table = { "cupel policy", verbs, COUNT(verbs) };

int cli_policy(const struct verb *verb, int argc, char **argv)
{
	(void)verb;
	return cli_run(&table, argc, argv);
}

void cli_policy_explain(FILE *out)
{
	fputc('\n', out);
	cli_print_verbs(out, &table);
	fputs("\nNAME is a preset, a policy of this user or host, or a file (with a '/').\n",
	      out);
}
