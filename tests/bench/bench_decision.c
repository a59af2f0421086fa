/*
 * How good the decision is, beside the rules others use: false accepts where
 * nothing changed, power where something did, pairs spent, speed. All of it
 * from seeds and recorded runs, so a figure is the same on every machine.
 */
#include "tests/support/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/core/hash.h"
#include "common/core/distribution.h"
#include "common/core/statistics.h"
#include "tests/support/noise.h"
#include "workers/improve/decision_core.h"

#define NULL_TRIALS 4000
#define POWER_TRIALS 2000
#define RULE_TRIALS 1000
#define SPEED_TRIALS 10000
#define RECORDED_KINDS (2 * RECORDED_COUNT)
#define ARM_RUNS_MAX 10

/* A judge of one candidate whose times are 1 - gain of the base's. */
struct rule {
	const char *name;
	bool (*accepts)(struct noise *noise, double gain, uint64_t seed);
};

static struct decision decision;

static bool accepts_cupel(struct noise *noise, double gain, uint64_t seed)
{
	struct decision_plan plan = decision_plan_default;

	plan.seed = seed;
	decision_init(&decision, &plan);
	while (decision_look(&decision) == DECISION_CONTINUE) {
		struct decision_value value;
		bool swapped = decision.candidate_first;
		double first = noise_next(noise), second = noise_next(noise);

		value.base = swapped ? second : first;
		value.candidate = (swapped ? first : second) * (1 - gain);
		decision_add_pair(&decision, &value);
	}
	return decision.verdict == DECISION_ACCEPT;
}

/* All runs of the base, then all of the candidate, as most scripts do. */
static void run_blocks(struct noise *noise, double gain, size_t count,
		       double *base, double *candidate)
{
	for (size_t i = 0; i < count; i++)
		base[i] = noise_next(noise);
	for (size_t i = 0; i < count; i++)
		candidate[i] = noise_next(noise) * (1 - gain);
}

static bool accepts_welch(struct noise *noise, double gain, uint64_t seed)
{
	double base[ARM_RUNS_MAX], candidate[ARM_RUNS_MAX];
	struct moments a = { 0 }, b = { 0 };

	(void)seed;
	run_blocks(noise, gain, ARM_RUNS_MAX, base, candidate);
	for (size_t i = 0; i < ARM_RUNS_MAX; i++) {
		moments_add(&a, base[i]);
		moments_add(&b, candidate[i]);
	}
	double va = moments_variance(&a) / ARM_RUNS_MAX;
	double vb = moments_variance(&b) / ARM_RUNS_MAX;
	double freedom = (va + vb) * (va + vb) * (ARM_RUNS_MAX - 1) /
			 (va * va + vb * vb);

	return student_cdf((a.mean - b.mean) / sqrt(va + vb), freedom) > 0.975;
}

static bool accepts_mann_whitney(struct noise *noise, double gain, uint64_t seed)
{
	double base[ARM_RUNS_MAX], candidate[ARM_RUNS_MAX], wins = 0;
	double n = ARM_RUNS_MAX;

	(void)seed;
	run_blocks(noise, gain, ARM_RUNS_MAX, base, candidate);
	for (size_t i = 0; i < ARM_RUNS_MAX; i++)
		for (size_t j = 0; j < ARM_RUNS_MAX; j++)
			wins += base[i] > candidate[j] ? 1 :
				base[i] < candidate[j] ? 0 : 0.5;
	return (wins - n * n / 2 - 0.5) / sqrt(n * n * (2 * n + 1) / 12) >
	       normal_quantile(0.975);
}

static double least(const double *values, size_t count)
{
	double found = values[0];

	for (size_t i = 1; i < count; i++)
		found = fmin(found, values[i]);
	return found;
}

static bool accepts_min_of_5(struct noise *noise, double gain, uint64_t seed)
{
	double base[5], candidate[5];

	(void)seed;
	run_blocks(noise, gain, 5, base, candidate);
	return least(base, 5) / least(candidate, 5) > 1.05;
}

static bool accepts_one_shot(struct noise *noise, double gain, uint64_t seed)
{
	double base, candidate;

	(void)seed;
	run_blocks(noise, gain, 1, &base, &candidate);
	return 1 - candidate / base > 0.2;
}

static const struct rule rules[] = {
	{ "Cupel", accepts_cupel },
	{ "Welch, 10 + 10 in blocks", accepts_welch },
	{ "Mann-Whitney, 10 + 10 in blocks", accepts_mann_whitney },
	{ "least of 5 > 5 %", accepts_min_of_5 },
	{ "one run each > 20 %", accepts_one_shot },
};

struct tally {
	unsigned accepted;
	double pairs;		/* mean; of Cupel */
	uint64_t digest;	/* of every verdict's bits; likewise */
};

static uint64_t digest_decision(void)
{
	static const struct hash_key key;
	const struct decision_look *last = decision_latest(&decision);
	double bits[5] = { decision.verdict, decision.pairs };

	if (last)
		memcpy(&bits[2], (double[]){ last->tail, last->gain,
					     last->gain_lower },
		       3 * sizeof(double));
	return hash_bytes(&key, (struct span){ (const uint8_t *)bits,
					       sizeof(bits) });
}

static struct tally judge(const struct rule *rule, const struct noise_kind *kind,
			  double gain, unsigned trials)
{
	struct tally tally = { 0 };
	struct noise noise;

	for (unsigned trial = 0; trial < trials; trial++) {
		/* Unlike seeds for the noise and for the coins. */
		noise_init(&noise, kind, 2 * trial);
		tally.accepted += rule->accepts(&noise, gain, 2 * trial + 1);
		tally.pairs += (double)decision.pairs / trials;
		tally.digest = tally.digest * 31 + digest_decision();
	}
	return tally;
}

static double percent(unsigned part, unsigned whole)
{
	return 100.0 * part / whole;
}

/* Figures of one kind of noise: with no change at all. */
static bool false_accepts(const struct noise_kind *kind, double *ret_pairs)
{
	struct tally tally = judge(&rules[0], kind, 0, NULL_TRIALS);
	char figure[64];

	snprintf(figure, sizeof(figure), "false accepts: %s", kind->name);
	*ret_pairs = fmax(*ret_pairs, tally.pairs);
	printf("  %-42s %10.1f pairs\n", kind->name, tally.pairs);
	return bench_figure(figure, percent(tally.accepted, NULL_TRIALS), 1.37,
			    "%");
}

static bool missed_gains(const struct noise_kind *kind, double gain, double bar)
{
	struct tally tally = judge(&rules[0], kind, gain, POWER_TRIALS);
	char figure[64];

	snprintf(figure, sizeof(figure), "missed gains of %g %%: %s",
		 100 * gain, kind->name);
	return bench_figure(figure,
			    percent(POWER_TRIALS - tally.accepted, POWER_TRIALS),
			    bar, "%");
}

/* Over all recorded kinds, in percent. */
static double accepted(const struct rule *rule, double gain)
{
	unsigned sum = 0;

	for (size_t i = 0; i < RECORDED_KINDS; i++)
		sum += judge(rule, &noise_kinds[i], gain, RULE_TRIALS).accepted;
	return percent(sum, RECORDED_KINDS * RULE_TRIALS);
}

/* Of the rules that find most gains of 5 %, ours errs least. */
static bool compare_rules(void)
{
	double ours = 0, best = 100;
	bool able = false;

	printf("  %-34s %9s %9s %9s\n", "recorded runs; accepted at a gain of",
	       "0 %", "5 %", "10 %");
	for (size_t i = 0; i < COUNT(rules); i++) {
		double wrong = accepted(&rules[i], 0);
		double power = accepted(&rules[i], 0.05);

		printf("  %-34s %8.2f%% %8.1f%% %8.1f%%\n", rules[i].name, wrong,
		       power, accepted(&rules[i], 0.1));
		if (i == 0) {
			ours = wrong;
			able = power >= 60;
		} else if (power >= 60) {
			best = fmin(best, wrong);
		}
	}
	return bench_figure("false accepts, against rules as able", ours, best,
			    "%") && able;
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool speed(void)
{
	double start = cpu_seconds();
	struct tally once = judge(&rules[0], &noise_kinds[0], 0.02, SPEED_TRIALS);
	double seconds = cpu_seconds() - start;
	struct tally again = judge(&rules[0], &noise_kinds[0], 0.02, SPEED_TRIALS);
	bool met = bench_figure("10,000 decisions", seconds, 60, "s CPU");

	return bench_figure("bits that differ, run again from the seed",
			    once.digest != again.digest, 0, "") && met;
}

int main(void)
{
	double pairs = 0;
	bool met = true;

	for (size_t i = 0; i < NOISE_KIND_COUNT; i++)
		met &= false_accepts(&noise_kinds[i], &pairs);
	met &= bench_figure("mean pairs where nothing changed", pairs, 35, "");
	met &= missed_gains(&noise_kinds[1], 0.05, 20);
	met &= missed_gains(&noise_kinds[1], 0.1, 6);
	met &= compare_rules();
	met &= speed();
	return met ? EXIT_SUCCESS : EXIT_FAILURE;
}
