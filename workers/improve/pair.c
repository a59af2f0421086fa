/*
 * pair.c - one pair of runs, base and candidate, in the order of a coin.
 *
 * A pair in which something stood still says nothing: the machine, which shows
 * in its clocks; this program, which is to wake every tenth of a second; or one
 * of the two runs, which is held against that side. What a run took is never a
 * reason.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "workers/improve/campaign.h"
#include "workers/improve/metric.h"

#define JUMP_NS (NS_PER_MS)
#define LATE_NS NS_PER_S

/* How far the clock that counts suspension is ahead of the one that does not. */
static int64_t suspended_ns(void)
{
	struct timespec boot, monotonic;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (boot.tv_sec - monotonic.tv_sec) * NS_PER_S + boot.tv_nsec -
	       monotonic.tv_nsec;
}

/* What one arm's runs gave, by metric: base, then candidate. */
struct side {
	bool failed, stopped;
	struct error why;		/* of the failure */
	double values[CAMPAIGN_METRICS_MAX];
	double times[METRIC_REPORTED];
	int64_t rss_bytes;
};

static int read_metrics(struct campaign *campaign,
			const struct workspace_benchmark *benchmark,
			const struct command_outcome *outcome, struct side *ret)
{
	for (size_t i = 0; i < campaign->metric_count; i++) {
		const struct watched_metric *watched = &campaign->metrics[i];
		int r = 0;

		if (watched->benchmark != benchmark)
			continue;
		if (watched->cpu)
			ret->values[i] = (double)outcome->cpu_ns * 1e-9;
		else
			r = metric_read(watched->metric, outcome, &ret->values[i],
					campaign->why);
		if (r == -ENODATA && watched->observed)
			ret->values[i] = NAN;
		else if (r < 0)
			return error_prefix(campaign->why, r, "benchmark %s", benchmark->title);
	}
	if (benchmark == campaign->metrics[0].benchmark) {
		ret->times[METRIC_WALL] = (double)outcome->wall_ns * 1e-9;
		ret->times[METRIC_CPU] = (double)outcome->cpu_ns * 1e-9;
		ret->rss_bytes = outcome->rss_bytes;
	}
	return 0;
}

/* Of a benchmark that nothing is judged by; false if something is. */
static bool leave_out(const struct campaign *campaign,
		      const struct workspace_benchmark *benchmark, struct side *side)
{
	bool is = true;

	for (size_t i = 0; i < campaign->metric_count; i++) {
		if (campaign->metrics[i].benchmark != benchmark)
			continue;
		is &= campaign->metrics[i].observed;
		side->values[i] = NAN;
	}
	return is;
}

static int begin(struct campaign *campaign, const struct arm *arm,
		 const struct workspace_benchmark *benchmark, struct ask *ret)
{
	return benchmark_begin(campaign->session, benchmark,
			       campaign->session->copies[arm->copy], arm->run_environment, ret,
			       campaign->why);
}

/* A run without its numbers has failed, whatever its exit status says. */
static int finish(struct campaign *campaign, const struct workspace_benchmark *benchmark,
		  struct ask *ask, struct side *ret)
{
	struct command_outcome outcome;
	char reason[ERROR_TEXT_BYTES];
	int r = command_end(campaign->session, ask, &outcome, campaign->why);

	if (r < 0)
		return error_prefix(campaign->why, r, "benchmark %s", benchmark->title);
	campaign->runs_left -= campaign->runs_left != INT64_MAX;
	ret->stopped |= outcome.stopped;
	if (command_succeeded(&outcome)) {
		r = read_metrics(campaign, benchmark, &outcome, ret);
		ret->failed = r == -ENODATA;
	} else {
		command_describe(&outcome, reason, sizeof(reason));
		error_set(campaign->why, -EINVAL, "benchmark %s: %.400s", benchmark->title,
			  reason);
		ret->failed = !leave_out(campaign, benchmark, ret);
	}
	if (ret->failed)
		ret->why = *campaign->why;
	session_drop(campaign->session, ask);
	return ret->failed ? 0 : r;
}

/* Both sides' runs of a benchmark, in that order: whatever comes of the first. */
static int run_both(struct campaign *campaign, const struct workspace_benchmark *benchmark,
		    const struct arm *const arms[2], struct side *const sides[2])
{
	struct ask asks[2] = { 0 };
	int r = 0, begun = 0;

	for (int n = 0; r == 0 && n < 2; n++) {
		for (; r == 0 && begun < 2 && begun < n + commands_held(); begun++)
			r = begin(campaign, arms[begun], benchmark, &asks[begun]);
		if (r == 0)
			r = finish(campaign, benchmark, &asks[n], sides[n]);
	}
	session_give_up(campaign->session, asks, 2);
	return r;
}

/* All benchmarks that some watched metric is of, each once, until a side has failed. */
static int run_all(struct campaign *campaign, const struct arm *const arms[2],
		   struct side *const sides[2])
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < campaign->metric_count; i++) {
		bool done = sides[0]->failed || sides[1]->failed;

		for (size_t j = 0; j < i; j++)
			done |= campaign->metrics[j].benchmark == campaign->metrics[i].benchmark;
		if (!done)
			r = run_both(campaign, campaign->metrics[i].benchmark, arms, sides);
	}
	return r;
}

int pair_measure(struct campaign *campaign, const struct arm *base,
		 const struct arm *candidate, bool candidate_first, struct pair *ret)
{
	struct side sides[2] = { { .rss_bytes = -1 }, { .rss_bytes = -1 } };
	const struct arm *const arms[2] = { candidate_first ? candidate : base,
					    candidate_first ? base : candidate };
	struct side *const order[2] = { &sides[candidate_first], &sides[!candidate_first] };
	int64_t suspended = suspended_ns();

	for (size_t i = 0; i < campaign->metric_count; i++)	/* what is not run is none */
		sides[0].values[i] = sides[1].values[i] = NAN;
	campaign->session->late_ns = 0;
	int r = run_all(campaign, arms, order);

	if (r < 0)
		return r;
	if (sides[0].failed || sides[1].failed)
		*campaign->why = sides[sides[0].failed ? 0 : 1].why;
	if (sides[0].failed)
		return error_prefix(campaign->why, -EINVAL, "the unchanged program");
	*ret = (struct pair){
		.candidate_first = candidate_first, .failed = sides[1].failed,
		.base_stopped = sides[0].stopped, .candidate_stopped = sides[1].stopped,
		.valid = suspended_ns() - suspended < JUMP_NS &&
			 campaign->session->late_ns < LATE_NS &&
			 !sides[0].stopped && !sides[1].stopped,
		.rss_bytes = sides[0].rss_bytes > sides[1].rss_bytes ? sides[0].rss_bytes :
								       sides[1].rss_bytes,
	};
	for (size_t i = 0; i < campaign->metric_count; i++)
		ret->values[i] = (struct decision_value){ sides[0].values[i],
							  sides[1].values[i] };
	for (size_t i = 0; i < METRIC_REPORTED; i++)
		ret->times[i] = (struct decision_value){ sides[0].times[i],
							 sides[1].times[i] };
	return 0;
}

void pair_record(const struct pair *pair, unsigned number, json_t *samples)
{
	for (int candidate = 0; candidate < 2; candidate++) {
		const struct decision_value *wall = &pair->times[METRIC_WALL];
		const struct decision_value *cpu = &pair->times[METRIC_CPU];

		json_array_append_new(samples, json_pack(
			"{s:i, s:s, s:b, s:I, s:I, s:f, s:b}", "pair", (int)number, "arm",
			candidate ? "candidate" : "base", "first",
			pair->candidate_first == (candidate == 1), "wall_ns",
			(json_int_t)((candidate ? wall->candidate : wall->base) * 1e9),
			"cpu_ns", (json_int_t)((candidate ? cpu->candidate : cpu->base) * 1e9),
			"value", candidate ? pair->values[0].candidate : pair->values[0].base,
			"valid", pair->valid));
	}
}
