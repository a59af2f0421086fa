/*
 * cupel doctor: what this host offers for confinement, and what to do about
 * what it does not.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/host.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/table.h"

#define ROWS_MAX 32
#define ARENA_BYTES_MAX (1U << 20)
#define EXIT_WEAKER 1
#define EXIT_NOTHING 2

struct row {
	const struct host_row *about;
	struct host_finding finding;
};

/* A tier, tried by a whole run. */
struct tier_trial {
	enum tier tier;
	bool works;
	struct error why;
};

struct examination {
	struct host host;
	struct row rows[ROWS_MAX];
	size_t row_count;
	struct tier_trial trial;	/* the one that a run of this user chooses */
	struct tier_trial last_resort;	/* tier landlock; not for root */
};

/* ---- looking ---- */

static void judge(struct tier_trial *trial, const struct run_result *result, int r)
{
	trial->works = r == 0 && result->cause == RUN_EXITED && result->exit_code == 0;
	if (!trial->works && !trial->why.text[0])
		error_set(&trial->why, -EIO, "/bin/true ended with exit code %d, cause %s",
			  result->exit_code, run_cause_name(result->cause));
}

static void try_tier(struct tier_trial *trial)
{
	char command[] = "/bin/true", *const argv[] = { command, NULL };
	struct plan_options options = {
		.tier = trial->tier, .tier_given = true, .no_workspace = true,
		.argv = argv, .environment = environ,
	};
	struct run_result result = { 0 };
	struct arena arena;
	struct plan plan;

	arena_init(&arena, ARENA_BYTES_MAX);
	if (plan_resolve(&plan, &options, &arena, &trial->why) == 0) {
		struct run_request request = { .plan = plan.sandbox };

		judge(trial, &result, run_command(&request, &result, &trial->why));
		plan_release(&plan);
	}
	arena_release(&arena);
}

static void examine(struct examination *ret)
{
	*ret = (struct examination){ 0 };
	host_read(&ret->host);
	bool root = ret->host.uid == 0;

	for (size_t i = 0; i < host_row_count && ret->row_count < ROWS_MAX; i++) {
		struct row *row = &ret->rows[ret->row_count];

		if (host_rows[i].full_only && !root)
			continue;
		row->about = &host_rows[i];
		host_probe(row->about, &ret->host, &row->finding);
		ret->row_count++;
	}
	ret->trial.tier = root ? TIER_FULL : TIER_USERNS;
	try_tier(&ret->trial);
	ret->last_resort.tier = TIER_LANDLOCK;
	if (!root)
		try_tier(&ret->last_resort);
}

static size_t count_rows(const struct examination *seen, enum host_state least)
{
	size_t count = 0;

	for (size_t i = 0; i < seen->row_count; i++)
		count += seen->rows[i].finding.state >= least;
	return count;
}

static int exit_code_of(const struct examination *seen)
{
	if (!seen->trial.works)
		return EXIT_NOTHING;
	return count_rows(seen, HOST_WEAKER) ? EXIT_WEAKER : EXIT_OK;
}

/* ---- telling ---- */

static void print_row(const struct table *table, const struct row *row)
{
	static const enum table_tone tones[] = { TABLE_GOOD, TABLE_WARN, TABLE_BAD };
	const struct host_finding *finding = &row->finding;
	char text[HOST_TEXT_BYTES + 4];
	bool version = finding->state == HOST_OK && finding->found[0];

	snprintf(text, sizeof(text), "%s%s%s", row->about->meaning, version ? "; " : "",
		 version ? finding->found : "");
	table_row(table, row->about->name, host_state_name(finding->state),
		  tones[finding->state], text);
	if (finding->state == HOST_OK)
		return;
	table_note(table, "found", finding->found);
	if (finding->fix[0])
		table_note(table, "fix", finding->fix);
}

static void print_tier(const struct table *table, const struct tier_trial *trial,
		       const char *tried)
{
	char name[24];

	snprintf(name, sizeof(name), "tier %s", tier_name(trial->tier));
	if (trial->works)
		table_row(table, name, "works", TABLE_GOOD, tried);
	else
		table_row(table, name, "fails", TABLE_BAD, trial->why.text);
}

static void print_tiers(const struct table *table, const struct examination *seen)
{
	static const struct {
		enum tier tier;
		const char *other;	/* said to those it is not for */
	} tiers[] = {
		{ TIER_FULL, "needs root: every run has a host user of its own" },
		{ TIER_USERNS, "for ordinary users: root must not stand behind it" },
	};

	fputc('\n', table->out);
	for (size_t i = 0; i < COUNT(tiers); i++) {
		char name[24];

		snprintf(name, sizeof(name), "tier %s", tier_name(tiers[i].tier));
		if (tiers[i].tier == seen->trial.tier)
			print_tier(table, &seen->trial, "tried: cupel run -- /bin/true");
		else
			table_row(table, name, "-", TABLE_PLAIN, tiers[i].other);
	}
	if (seen->host.uid == 0)
		table_row(table, "tier landlock", "-", TABLE_PLAIN,
			  "for ordinary users, when asked for: it would leave root root");
	else
		print_tier(table, &seen->last_resort,
			   "when asked for: cupel run --tier landlock");
}

static void print_table(const struct examination *seen)
{
	const struct host *host = &seen->host;
	size_t wanting = count_rows(seen, HOST_WEAKER);
	struct table table;

	table_init(&table, stdout, 20, 7);
	printf("Linux %s, %s, as %s (uid %u)\n", host->kernel, host->machine,
	       host->uid == 0 ? "root" : "an ordinary user", host->uid);
	if (host->container[0])
		printf("in a container: %s\n", host->container);
	if (host->filtered)
		printf("under a system-call filter\n");
	putchar('\n');
	for (size_t i = 0; i < seen->row_count; i++)
		print_row(&table, &seen->rows[i]);
	print_tiers(&table, seen);
	if (!seen->trial.works)
		printf("\n%s can run confined here%s.\n",
		       seen->last_resort.works ? "Nothing but --tier landlock" : "Nothing",
		       count_rows(seen, HOST_MISSING) ?
			       "; begin with the first fix above" : "");
	else if (wanting)
		printf("\nCommands run confined, with less than there could be: %zu %s above.\n",
		       wanting, wanting == 1 ? "fix" : "fixes");
	else
		printf("\nCommands run confined, with every layer.\n");
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static json_t *tier_json(const struct tier_trial *trial)
{
	return json_pack("{ss sb ss?}", "name", tier_name(trial->tier),
			 "works", trial->works,
			 "reason", text_or_null(trial->why.text));
}

static json_t *as_json(const struct examination *seen)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < seen->row_count; i++) {
		const struct row *row = &seen->rows[i];

		json_array_append_new(rows, json_pack("{ss ss ss ss? ss?}",
			"name", row->about->name,
			"state", host_state_name(row->finding.state),
			"meaning", row->about->meaning,
			"found", text_or_null(row->finding.found),
			"fix", text_or_null(row->finding.fix)));
	}
	return json_pack("{ss ss ss si ss? sb so so so}",
		"schema", "cupel.doctor/1",
		"kernel", seen->host.kernel, "machine", seen->host.machine,
		"uid", (int)seen->host.uid,
		"container", text_or_null(seen->host.container),
		"filtered", seen->host.filtered,
		"rows", rows,
		"tier", tier_json(&seen->trial),
		"last_resort", seen->host.uid == 0 ? json_null() :
						     tier_json(&seen->last_resort));
}

int cli_doctor(const struct verb *verb, int argc, char **argv)
{
	struct examination seen;
	bool json = false;
	int first;

	if (!cli_take_json(verb, argc, argv, &json, &first))
		return EXIT_USAGE;
	if (first < argc)
		return cli_refuse_usage(verb);
	examine(&seen);
	if (!json) {
		print_table(&seen);
		return exit_code_of(&seen);
	}
	int code = cli_print_json(as_json(&seen));

	return code != EXIT_OK ? code : exit_code_of(&seen);
}

void cli_doctor_explain(FILE *out)
{
	fputs("\nExit status: 0 every layer is there, 1 something is weaker, 2 nothing can\n"
	      "run confined. See cupel-doctor(1).\n", out);
}
