#include "tests/support/noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS 0.04
#define SIGMA 0.02		/* of a run, in the drawn kinds */
#define TURN 6.28318530717958647693

static struct recorded recorded[RECORDED_COUNT] = {
	{ .name = "cpu" },
	{ .name = "mem" },
	{ .name = "sqlite" },
	{ .name = "cpu-noisy-neighbour" },
};

/* A line: index order wall_A wall_B cpu_A cpu_B; order 1: B ran first. */
static void read_recorded(struct recorded *series)
{
	char path[64];
	int index, order;
	double wall[2], cpu[2];

	snprintf(path, sizeof(path), "tests/data/aa/%s.txt", series->name);
	FILE *file = fopen(path, "re");

	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	while (series->runs + 2 <= NOISE_RUNS_MAX &&
	       fscanf(file, "%d %d %lf %lf %lf %lf", &index, &order, &wall[0],
		      &wall[1], &cpu[0], &cpu[1]) == 6) {
		for (int run = 0; run < 2; run++) {
			series->wall[series->runs] = wall[run ^ order];
			series->cpu[series->runs++] = cpu[run ^ order];
		}
	}
	fclose(file);
}

const struct recorded *recorded_all(void)
{
	for (size_t i = 0; i < RECORDED_COUNT; i++)
		if (recorded[i].runs == 0)
			read_recorded(&recorded[i]);
	return recorded;
}

/* G. Box and M. Muller, Ann. Math. Stat. 29 (1958). */
double noise_normal(struct random *random)
{
	double size = sqrt(-2 * log(1 - random_unit(random)));

	return size * cos(TURN * random_unit(random));
}

static double next_wall(struct noise *noise)
{
	const struct recorded *from = &recorded_all()[noise->kind->recorded];

	return from->wall[noise->at++ % from->runs];
}

static double next_cpu(struct noise *noise)
{
	const struct recorded *from = &recorded_all()[noise->kind->recorded];

	return from->cpu[noise->at++ % from->runs];
}

static double next_normal(struct noise *noise)
{
	return SECONDS * exp(SIGMA * noise_normal(&noise->random));
}

/* Student's with two degrees of freedom: no variance. */
static double next_heavy(struct noise *noise)
{
	double wide = sqrt(-log(1 - random_unit(&noise->random)));

	return SECONDS * exp(SIGMA * noise_normal(&noise->random) / wide);
}

/* First order autoregressive: 0.8 of the level stays. */
static double next_autoregressive(struct noise *noise)
{
	noise->level = 0.8 * noise->level +
		       SIGMA * noise_normal(&noise->random);
	return SECONDS * exp(noise->level);
}

/* The same with a neighbour that takes a third or more, for 10 runs or so. */
static double next_bursty(struct noise *noise)
{
	if (random_unit(&noise->random) < (noise->in_burst ? 0.1 : 0.03))
		noise->in_burst = !noise->in_burst;
	double quiet = next_autoregressive(noise);

	return noise->in_burst ?
	       quiet * (1.5 + random_unit(&noise->random)) : quiet;
}

/* The second run of a pair finds the machine 5 % slower. */
static double next_second_slower(struct noise *noise)
{
	return next_normal(noise) * (noise->at++ % 2 ? 1.05 : 1);
}

/* Every run is slower than the one before, by 0.5 %. */
static double next_trending(struct noise *noise)
{
	return next_normal(noise) * exp(0.005 * (double)noise->at++);
}

const struct noise_kind noise_kinds[NOISE_KIND_COUNT] = {
	{ "cpu, wall", next_wall, 0 },
	{ "cpu, CPU time", next_cpu, 0 },
	{ "mem, wall", next_wall, 1 },
	{ "mem, CPU time", next_cpu, 1 },
	{ "sqlite, wall", next_wall, 2 },
	{ "sqlite, CPU time", next_cpu, 2 },
	{ "noisy neighbour, wall", next_wall, 3 },
	{ "noisy neighbour, CPU time", next_cpu, 3 },
	{ "independent normal", next_normal, 0 },
	{ "heavy tails", next_heavy, 0 },
	{ "autoregressive", next_autoregressive, 0 },
	{ "bursts", next_bursty, 0 },
	{ "second run slower", next_second_slower, 0 },
	{ "trend", next_trending, 0 },
};

void noise_init(struct noise *noise, const struct noise_kind *kind,
		uint64_t seed)
{
	*noise = (struct noise){ .kind = kind };
	random_init(&noise->random, seed);
	noise->at = 2 * random_below(&noise->random, NOISE_RUNS_MAX / 2);
}

double noise_next(struct noise *noise)
{
	return noise->kind->next(noise);
}
