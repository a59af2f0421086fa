#include "tests/support/test.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "workers/improve/campaign.h"
#include "workers/improve/command.h"

/* ---- a world in which a run can meet with anything ---- */

/* What happens while a command runs. */
struct event {
	int64_t sleeps_ns;	/* the machine, suspended */
	int64_t late_ns;	/* this program, which was to wake */
	bool stopped;		/* the command */
	int exit_code;
	const char *prints;	/* NULL: as it should */
};

static const struct event *coming[2];	/* base, candidate: by their copies */
static unsigned order[2], begun, ran;
static int held = 2;		/* at a time */

int commands_held(void)
{
	return held;
}

static int64_t asleep_ns;

/* The C library's: a suspension is where one clock goes on and the other does not. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	long r = syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_BOOTTIME) {
		int64_t ns = ret->tv_nsec + asleep_ns;

		ret->tv_sec += ns / NS_PER_S;
		ret->tv_nsec = ns % NS_PER_S;
	}
	return (int)r;
}

int command_begin(struct session *own, struct ask *ask, const struct command *command)
{
	(void)own;
	assert_true(command->held);
	*ask = (struct ask){ .call = 1 + command->workspace };
	begun++;
	return 0;
}

/* Each finds its sandbox made, and that of the second is not made beside the first. */
int command_end(struct session *session, struct ask *ask, struct command_outcome *ret,
		struct error *why)
{
	unsigned which = (unsigned)ask->call - 1;
	const struct event *event = coming[which];

	(void)why;
	assert_int_equal(begun, held == 2 ? 2 : ran + 1);
	order[ran++] = which;
	ask->done = true;
	asleep_ns += event->sleeps_ns;
	session->late_ns = event->late_ns > session->late_ns ? event->late_ns :
							       session->late_ns;
	*ret = (struct command_outcome){
		.cause = "exited", .detail = "", .exit_code = event->exit_code,
		.stopped = event->stopped, .wall_ns = NS_PER_S, .cpu_ns = NS_PER_S / 2,
		.output = span_of_text(event->prints ? event->prints : "cost 3\n"),
	};
	return 0;
}

struct span command_file(const struct command_outcome *outcome, const char *path)
{
	(void)outcome;
	(void)path;
	return (struct span){ 0 };
}

bool command_succeeded(const struct command_outcome *outcome)
{
	return outcome->exit_code == 0;
}

void command_describe(const struct command_outcome *outcome, char *ret, size_t size)
{
	snprintf(ret, size, "exit status %d", outcome->exit_code);
}

/* ---- what a pair is then ---- */

static const struct {
	const char *name;
	struct event base, candidate;
	bool valid, base_stopped, candidate_stopped, failed;
} rows[] = {
	{ "nothing happens", { 0 }, { 0 }, true, false, false, false },
	{ "the machine is suspended in the base's run", { .sleeps_ns = NS_PER_S }, { 0 },
	  false, false, false, false },
	{ "the machine is suspended in the candidate's", { 0 }, { .sleeps_ns = 2 * NS_PER_MS },
	  false, false, false, false },
	{ "before, it was", { 0 }, { 0 }, true, false, false, false },
	{ "its clocks are not read at once", { .sleeps_ns = 1000 }, { 0 },
	  true, false, false, false },
	{ "this program stands still", { .late_ns = NS_PER_S }, { 0 },
	  false, false, false, false },
	{ "this program is late, no more", { 0 }, { .late_ns = NS_PER_S - 1 },
	  true, false, false, false },
	{ "the base is stopped", { .stopped = true }, { 0 }, false, true, false, false },
	{ "the candidate is stopped", { 0 }, { .stopped = true }, false, false, true, false },
	{ "the candidate fails", { 0 }, { .exit_code = 3 }, true, false, false, true },
	{ "the candidate prints no number", { 0 }, { .prints = "done\n" },
	  true, false, false, true },
	{ "the candidate prints nothing", { 0 }, { .prints = "" }, true, false, false, true },
	{ "the candidate prints what is none", { 0 }, { .prints = "cost nan\n" },
	  true, false, false, true },
	{ "the candidate prints a negative", { 0 }, { .prints = "cost -3\n" },
	  true, false, false, true },
};

static struct session session = { .copies = { 0, 1 }, .copy_count = 2 };
static const struct workspace_metric metric = { .title = "time", .from = FROM_TIME };
static const struct workspace_metric cost = { .title = "cost", .from = FROM_STDOUT,
					      .pattern = "^cost (.*)$", .json = "" };
static const struct workspace_benchmark benchmark = { .title = "spin", .timeout_ns = NS_PER_S };
static struct error why;

static struct campaign campaign_of_one(void)
{
	return (struct campaign){
		.session = &session, .why = &why, .runs_left = INT64_MAX,
		.metrics = { { .benchmark = &benchmark, .metric = &metric },
			     { .benchmark = &benchmark, .metric = &cost } },
		.metric_count = 2,
	};
}

static void what_stands_still_sets_a_pair_aside(void **state)
{
	const struct arm base = { .copy = 0 }, candidate = { .copy = 1 };
	struct campaign campaign = campaign_of_one();

	(void)state;
	for (size_t i = 0; i < 4 * COUNT(rows); i++) {
		size_t row = i / 4;
		bool candidate_first = i % 2;
		struct pair pair;

		begun = ran = 0;
		held = i % 4 < 2 ? 1 : 2;
		coming[0] = &rows[row].base;
		coming[1] = &rows[row].candidate;
		assert_int_equal(pair_measure(&campaign, &base, &candidate, candidate_first,
					      &pair), 0);
		test_row(ran == 2 && order[0] == candidate_first,
			 "%s: not in the coin's order", rows[row].name);
		test_row(pair.valid == rows[row].valid, "%s: valid %d", rows[row].name,
			 pair.valid);
		test_row(pair.base_stopped == rows[row].base_stopped &&
			 pair.candidate_stopped == rows[row].candidate_stopped,
			 "%s: held against %d %d", rows[row].name, pair.base_stopped,
			 pair.candidate_stopped);
		test_row(pair.failed == rows[row].failed, "%s: failed %d", rows[row].name,
			 pair.failed);
	}
}

/* Then there is nothing to compare with, and it is the base's own words that say why. */
static void a_base_that_fails_is_an_error(void **state)
{
	static const struct {
		const char *name;
		struct event base, candidate;
		const char *words;
	} cases[] = {
		{ "it fails", { .exit_code = 3 }, { 0 }, "exit status 3" },
		{ "both fail", { .exit_code = 3 }, { .exit_code = 4 }, "exit status 3" },
		{ "it prints no number", { .prints = "done" }, { 0 }, "mend the pattern" },
		{ "it prints a negative", { .prints = "cost -3" }, { 0 }, "-3 is no measurement" },
	};
	const struct arm base = { .copy = 0 }, candidate = { .copy = 1 };
	struct campaign campaign = campaign_of_one();
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		size_t row = i / 2;

		begun = ran = 0;
		coming[0] = &cases[row].base;
		coming[1] = &cases[row].candidate;
		test_row(pair_measure(&campaign, &base, &candidate, i % 2, &pair) == -EINVAL,
			 "%s: it is not", cases[row].name);
		test_row(strstr(why.text, "the unchanged program: benchmark spin") &&
			 strstr(why.text, cases[row].words), "%s: %s", cases[row].name, why.text);
		test_row(why.code == ERROR_FAILED_PRECONDITION || cases[row].base.exit_code,
			 "%s: code %d", cases[row].name, why.code);
	}
}

/* So that whoever is told of it knows which. */
static void a_candidate_without_a_number_is_told_why(void **state)
{
	static const struct event mute = { .prints = "done" }, passes = { 0 };
	const struct arm base = { .copy = 0 }, candidate = { .copy = 1 };
	struct campaign campaign = campaign_of_one();
	struct pair pair;

	(void)state;
	for (int first = 0; first < 2; first++) {
		why = (struct error){ 0 };
		begun = ran = 0;
		coming[0] = &passes;
		coming[1] = &mute;
		assert_int_equal(pair_measure(&campaign, &base, &candidate, first, &pair), 0);
		assert_non_null(strstr(why.text, "benchmark spin: metric cost: '^cost (.*)$'"));
	}
}

/* Of a benchmark that was not run, as the one before it failed, there is no number. */
static void what_is_not_run_has_no_value(void **state)
{
	static const struct event fails = { .exit_code = 3 }, passes = { 0 };
	static const struct workspace_benchmark other = { .title = "other",
							  .timeout_ns = NS_PER_S };
	const struct arm base = { .copy = 0 }, candidate = { .copy = 1 };
	struct campaign campaign = campaign_of_one();
	struct pair pair;

	(void)state;
	campaign.metrics[2] = (struct watched_metric){ .benchmark = &other, .metric = &metric };
	campaign.metric_count = 3;
	begun = ran = 0;
	coming[0] = &passes;
	coming[1] = &fails;
	assert_int_equal(pair_measure(&campaign, &base, &candidate, false, &pair), 0);
	assert_true(pair.failed);
	assert_int_equal(ran, 2);
	assert_true(pair.values[0].base > 0 && isnan(pair.values[0].candidate));
	assert_true(isnan(pair.values[2].base) && isnan(pair.values[2].candidate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_still_sets_a_pair_aside),
		cmocka_unit_test(a_base_that_fails_is_an_error),
		cmocka_unit_test(a_candidate_without_a_number_is_told_why),
		cmocka_unit_test(what_is_not_run_has_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
