#include "workers/improve/gain_core.h"

#include <math.h>

#define DIFFERENCE_MAX 50.0	/* stands for something against nothing */

double gain_difference(enum direction direction, double base, double candidate)
{
	double ratio;

	if (base <= 0 && candidate <= 0)
		return 0;
	ratio = log(base) - log(candidate);
	if (isnan(ratio))
		return ratio;
	ratio = fmax(-DIFFERENCE_MAX, fmin(ratio, DIFFERENCE_MAX));
	return direction == LOWER_IS_BETTER ? ratio : -ratio;
}

double difference_of_gain(enum direction direction, double gain)
{
	return direction == LOWER_IS_BETTER ? -log1p(-gain) : log1p(gain);
}

double gain_of_difference(enum direction direction, double difference)
{
	return direction == LOWER_IS_BETTER ? -expm1(-difference) :
					      expm1(difference);
}
