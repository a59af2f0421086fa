/*
 * How many evaluations the tuner needs to come within 5 % of the optimum, next
 * to random search and, in the same run, Optuna's TPE; whether what its race
 * chooses under 5 % noise is that good; and what a proposal costs.
 *
 *	bench_tuner			all figures
 *	bench_tuner compare SEED KIND...	one line per kind, no bars, for the
 *					seeds from this one on: for trying out
 *	bench_tuner serve KIND SEED	costs for a peer: describes the space, then
 *					answers a line of levels with its cost
 */
#include "tests/support/bench.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/core/random.h"
#include "common/core/statistics.h"
#include "tests/support/landscape.h"
#include "workers/improve/race_core.h"
#include "workers/improve/tuner_core.h"

#define SEEDS 30
#define SEEDS_MAX 300
#define BUDGET 150
#define SEARCHED_UNDER_NOISE 110
#define NOISE 0.05
#define FINALISTS 6

static struct tuner tuner;
static struct tuner_trial trials[4 * BUDGET];
static struct landscape landscape;

static void start(enum tuner_method method, uint64_t seed, size_t evaluations)
{
	struct tuner_settings settings = { method, evaluations, 0 };

	tuner_init(&tuner, &landscape.space, seed, &settings, trials,
		   sizeof(trials) / sizeof(*trials));
}

static void report(struct tuner_trial *trial, double cost)
{
	trial->cost = cost;
	if (tuner_report(&tuner, trial) < 0)
		abort();
}

/* Evaluations until solved, or infinity. */
static double solve(enum tuner_method method, uint64_t seed)
{
	struct tuner_trial trial;

	start(method, seed, BUDGET);
	for (int n = 1; tuner_next(&tuner, &trial) == TUNER_GO_ON; n++) {
		report(&trial, landscape_cost(&landscape, &trial.config));
		if (landscape_is_solved(&landscape, trial.cost))
			return n;
	}
	return INFINITY;
}

static double gauss(struct random *random)
{
	return sqrt(-2 * log(1 - random_unit(random))) *
	       cos(2 * M_PI * random_unit(random));
}

static double noisy(const struct space_config *config, struct random *random)
{
	double cost = landscape_cost(&landscape, config);

	return cost + NOISE * fabs(cost) * gauss(random);
}

/* ---- searching ---- */

static const struct {
	enum tuner_method method;
	const char *name;
} compared[] = {
	{ TUNER_ENSEMBLE, "ensemble" },
	{ TUNER_RANDOM_ONLY, "random" },
	{ TUNER_FACTORS_ONLY, "one factor" },
};

#define COMPARED (sizeof(compared) / sizeof(compared[0]))

struct outcome {
	double median;
	double solved;		/* share of the seeds */
};

static struct outcome summarise(double *evaluations, size_t count)
{
	size_t solved = 0;

	for (size_t i = 0; i < count; i++)
		solved += isfinite(evaluations[i]);
	return (struct outcome){ statistics_median(evaluations, count),
				 (double)solved / (double)count };
}

/* In thirties, as one of them says little where each seed is another landscape. */
static void print_thirties(double *evaluations, size_t count)
{
	printf("  %-12s  by thirty seeds  ", "");
	for (size_t i = 0; i + SEEDS <= count; i += SEEDS)
		printf(" %.0f", summarise(evaluations + i, SEEDS).median);
	printf("\n");
}

static void search(enum landscape_kind kind, uint64_t first, size_t seeds,
		   struct outcome ret[TUNER_METHOD_COUNT])
{
	static double evaluations[TUNER_METHOD_COUNT][SEEDS_MAX];

	for (uint64_t seed = 0; seed < seeds; seed++) {
		landscape_init(&landscape, kind, first + seed, SPACE_UNSAFE);
		for (size_t i = 0; i < COMPARED; i++)
			evaluations[compared[i].method][seed] =
				solve(compared[i].method, first + seed);
	}
	if (seeds > SEEDS)
		print_thirties(evaluations[TUNER_ENSEMBLE], seeds);
	for (size_t i = 0; i < COMPARED; i++)
		ret[compared[i].method] =
			summarise(evaluations[compared[i].method], seeds);
}

/* ---- noise ---- */

/* Whether the winner of the race is truly within 5 %, and the lowest seen. */
static void race_once(uint64_t seed, bool *ret_raced, bool *ret_lowest)
{
	size_t finalists[FINALISTS], entrant;
	struct tuner_trial trial;
	struct random random;
	struct race race;

	random_init(&random, seed + 1000);
	start(TUNER_ENSEMBLE, seed, SEARCHED_UNDER_NOISE);
	while (tuner_next(&tuner, &trial) == TUNER_GO_ON)
		report(&trial, noisy(&trial.config, &random));
	size_t count = tuner_finalists(&tuner, finalists, FINALISTS);

	race_init(&race, count, seed);
	while (race_next(&race, &entrant))
		race_report(&race, entrant,
			    noisy(&trials[finalists[entrant]].config, &random));
	if (!race_winner(&race, &entrant))
		abort();
	*ret_raced = landscape_is_solved(&landscape, landscape_cost(&landscape,
		&trials[finalists[entrant]].config));
	*ret_lowest = landscape_is_solved(&landscape, landscape_cost(&landscape,
		&trials[tuner_best(&tuner)].config));
}

static double search_under_noise(enum landscape_kind kind)
{
	double raced = 0, lowest = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		bool is_raced, is_lowest;

		landscape_init(&landscape, kind, seed, SPACE_UNSAFE);
		race_once(seed, &is_raced, &is_lowest);
		raced += is_raced;
		lowest += is_lowest;
	}
	printf("  %-12s under 5 %% noise within 5 %%: winner of the race %.0f %%, "
	       "lowest cost seen %.0f %%\n", landscape_name(kind),
	       100 * raced / SEEDS, 100 * lowest / SEEDS);
	return raced / SEEDS;
}

/* ---- a proposal's cost ---- */

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* By the model, with BUDGET trials behind it, in 20 dimensions. */
static double proposal_ms(void)
{
	double costs[21];
	struct tuner_trial trial;

	landscape_init(&landscape, LANDSCAPE_NK5, 1, SPACE_UNSAFE);
	start(TUNER_ENSEMBLE, 1, BUDGET + 200);
	for (size_t n = 0; n < sizeof(costs) / sizeof(*costs);) {
		double from = cpu_ms();

		if (tuner_next(&tuner, &trial) != TUNER_GO_ON)
			abort();
		if (tuner.count >= BUDGET && trial.why == TUNER_MODEL)
			costs[n++] = cpu_ms() - from;
		report(&trial, landscape_cost(&landscape, &trial.config));
	}
	return statistics_median(costs, sizeof(costs) / sizeof(*costs));
}

/* ---- the peer ---- */

static enum landscape_kind kind_of(const char *name)
{
	for (enum landscape_kind kind = 0; kind < LANDSCAPE_KIND_COUNT; kind++)
		if (strcmp(name, landscape_name(kind)) == 0)
			return kind;
	fprintf(stderr, "no landscape '%s'\n", name);
	exit(EXIT_FAILURE);
}

static int serve(const char *kind, const char *seed)
{
	struct space_config config = { 0 };
	size_t count;

	landscape_init(&landscape, kind_of(kind), strtoull(seed, NULL, 10),
		       SPACE_UNSAFE);
	count = landscape.space.count;
	assert(count > 0);
	for (size_t i = 0; i < count; i++)
		printf("%s %u %u\n", landscape.parameters[i].kind ==
		       SPACE_CATEGORY ? "category" : "ordered",
		       landscape.parameters[i].count,
		       landscape.parameters[i].current);
	printf("\n");
	fflush(stdout);
	for (size_t i = 0; scanf("%hu", &config.levels[i]) == 1;
	     i = (i + 1) % count) {
		double cost;

		if (i + 1 < count)
			continue;
		cost = landscape_cost(&landscape, &config);
		printf("%.17g %d\n", cost, landscape_is_solved(&landscape, cost));
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}

#define PEER_SEEDS_MAX SEEDS

struct peer {
	double evaluations[LANDSCAPE_KIND_COUNT][PEER_SEEDS_MAX];
	size_t count[LANDSCAPE_KIND_COUNT];
};

/* Lines of "KIND EVALUATIONS", inf where it was not solved. */
static void run_peer(const char *self, struct peer *ret)
{
	char command[512], name[32];
	double evaluations;
	FILE *lines;

	snprintf(command, sizeof(command),
		 "/usr/bin/python3 tests/bench/tuner_optuna.py %s %d", self, BUDGET);
	lines = popen(command, "re");
	if (!lines)
		abort();
	while (fscanf(lines, "%31s %lf", name, &evaluations) == 2) {
		enum landscape_kind kind = kind_of(name);

		if (ret->count[kind] < PEER_SEEDS_MAX)
			ret->evaluations[kind][ret->count[kind]++] = evaluations;
	}
	if (pclose(lines) != 0)
		fputs("  Optuna did not run: no peer\n", stdout);
}

/* ---- figures ---- */

static void print_outcome(const char *name, struct outcome outcome)
{
	printf("  %s %5.0f (%3.0f %%)", name, outcome.median, 100 * outcome.solved);
}

static struct outcome compare(enum landscape_kind kind, uint64_t first, size_t seeds)
{
	struct outcome outcomes[TUNER_METHOD_COUNT];

	search(kind, first, seeds, outcomes);
	printf("  %-12s", landscape_name(kind));
	for (size_t i = 0; i < COMPARED; i++)
		print_outcome(compared[i].name, outcomes[compared[i].method]);
	return outcomes[TUNER_ENSEMBLE];
}

static const struct {
	enum landscape_kind kind;
	double median_max;	/* 0: a fresh problem, printed without a bar */
	size_t seeds;		/* more where each is a landscape of its own */
	bool noise;
} rows[] = {
	{ LANDSCAPE_BRANIN, 60, SEEDS, false },
	{ LANDSCAPE_HARTMANN, 60, SEEDS, false },
	{ LANDSCAPE_NK3, 60, SEEDS_MAX, false },
	{ LANDSCAPE_GCC, 15, SEEDS, true },
	{ LANDSCAPE_SQLITE, 28, SEEDS, true },
	{ LANDSCAPE_NK5, 0, SEEDS, false },
	{ LANDSCAPE_ACKLEY, 0, SEEDS, false },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool judge(size_t row, struct outcome ours)
{
	const char *name = landscape_name(rows[row].kind);
	char figure[64];
	bool met;

	if (rows[row].median_max == 0)
		return true;
	snprintf(figure, sizeof(figure), "tuner: median evaluations, %s", name);
	met = bench_figure(figure, ours.median, rows[row].median_max, "runs");
	snprintf(figure, sizeof(figure), "tuner: not solved in %d, %s", BUDGET,
		 name);
	return bench_figure(figure, 100 * (1 - ours.solved), 10, "%") && met;
}

static bool judge_noise(enum landscape_kind kind)
{
	double good = search_under_noise(kind);
	char figure[64];

	snprintf(figure, sizeof(figure), "tuner: wrong after the race, %s",
		 landscape_name(kind));
	return bench_figure(figure, 100 * (1 - good), 20, "%");
}

static int all_figures(const char *self)
{
	static struct peer peer;
	struct outcome ours[ROWS];
	bool met = true;

	printf("  median evaluations to within 5 %% of the optimum "
	       "(solved in %d)\n", BUDGET);
	run_peer(self, &peer);
	for (size_t i = 0; i < ROWS; i++) {
		enum landscape_kind kind = rows[i].kind;

		ours[i] = compare(kind, 0, rows[i].seeds);
		if (peer.count[kind] > 0)
			print_outcome("Optuna TPE", summarise(
				peer.evaluations[kind], peer.count[kind]));
		printf("%s\n", rows[i].median_max == 0 ? "  fresh" : "");
	}
	for (size_t i = 0; i < ROWS; i++)
		met &= judge(i, ours[i]);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].noise)
			met &= judge_noise(rows[i].kind);
	met &= bench_figure("tuner: a proposal at 150 trials, 20 dimensions",
			    proposal_ms(), 50, "ms");
	return met ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	if (argc < 4 || strcmp(argv[1], "compare") != 0)
		return all_figures(argv[0]);
	for (int i = 3; i < argc; i++) {
		compare(kind_of(argv[i]), strtoull(argv[2], NULL, 10), SEEDS);
		printf("  %.1f s\n", cpu_ms() / 1e3);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
