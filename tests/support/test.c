#include "tests/support/test.h"

#include <inttypes.h>
#include <stdlib.h>

void test_random_init(struct random *random, const char *property)
{
	const char *text = getenv("CUPEL_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

	printf("# %s: CUPEL_SEED=%" PRIu64 "\n", property, seed);
	fflush(stdout);
	random_init(random, seed);
}
