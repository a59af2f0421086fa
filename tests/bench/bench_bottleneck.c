/* What an analysis of a million metric rows costs, from rows to findings. */
#include "tests/support/bench.h"

#include <stdlib.h>

#include "common/core/random.h"
#include "workers/improve/bottleneck_core.h"

#define ROWS 1000000
#define METRICS 16

struct row {
	uint32_t metric;
	double value;
};

static struct row rows[ROWS];

static void analyse(void *context, uint64_t count)
{
	struct bottleneck_target target = bottleneck_target_default;

	(void)context;
	target.target = 1;
	for (uint64_t i = 0; i < count; i++) {
		struct bottleneck_series series[METRICS] = { 0 };

		for (size_t row = 0; row < ROWS; row++)
			bottleneck_add(&series[rows[row].metric],
				       rows[row].value);
		for (size_t metric = 0; metric < METRICS; metric++) {
			struct bottleneck found = bottleneck_judge(
				&series[metric], &target);

			bench_keep(&found);
		}
	}
}

int main(void)
{
	struct random random;

	random_init(&random, 1);
	for (size_t i = 0; i < ROWS; i++)
		rows[i] = (struct row){ (uint32_t)random_below(&random, METRICS),
					1 + random_unit(&random) };
	return bench_alone("bottlenecks: a million rows",
			   (struct bench_side){ "analysis", analyse, NULL },
			   20e6) ? EXIT_SUCCESS : EXIT_FAILURE;
}
