/*
 * gain_core.h - how much better one value is than another.
 *
 * Two measures, one for people and one for sums. A *gain* is a share: 0.061 is
 * 6.1 % less where lower is better, 6.1 % more where higher is. A *difference*
 * is the logarithm of the ratio of two values: gains multiply, differences add,
 * and exchanging the values only turns the sign. Both are positive for better.
 *
 * Pure.
 */
#ifndef CUPEL_WORKERS_IMPROVE_GAIN_CORE_H
#define CUPEL_WORKERS_IMPROVE_GAIN_CORE_H

enum direction {
	LOWER_IS_BETTER,
	HIGHER_IS_BETTER
};

/*
 * From base to candidate, neither of them negative. Zero against zero is no
 * difference, and against something a great one; only NaN gives NaN.
 */
double gain_difference(enum direction direction, double base, double candidate);

/* Losses are negative gains. A gain of all (1, lower is better) is INFINITY. */
double difference_of_gain(enum direction direction, double gain);
double gain_of_difference(enum direction direction, double difference);

#endif
