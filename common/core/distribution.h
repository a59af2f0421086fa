/*
 * distribution.h - the distributions that decisions are read from.
 *
 * Every function answers every argument: NaN or a parameter outside its range
 * gives NaN. Relative accuracy, measured against 50-digit arithmetic: normal
 * 1e-13 (quantiles from DBL_MIN up); beta, Student and binomial 1e-10 for
 * shapes up to 1e6 and 1e-8 up to 1e9.
 *
 * With a uniform prior, what is known of a probability after k successes of n
 * is the beta distribution of shapes k + 1 and n - k + 1.
 *
 * Pure; libm does the elementary functions. Sources: M. Abramowitz and
 * I. Stegun, Handbook of Mathematical Functions, 26.2.23 (a first guess),
 * 26.5 and 26.7; C. Loader, Fast and Accurate Computation of Binomial
 * Probabilities (2000); W. Lentz, Applied Optics 15 (1976).
 */
#ifndef CUPEL_COMMON_CORE_DISTRIBUTION_H
#define CUPEL_COMMON_CORE_DISTRIBUTION_H

#include <stdint.h>

/* P(Z <= z) of the standard normal distribution, and its inverse. */
double normal_cdf(double z);
double normal_quantile(double p);

/*
 * P(X <= x) of the beta distribution with positive shapes a and b, which is
 * the regularised incomplete beta function, and its inverse.
 */
double beta_cdf(double x, double a, double b);
double beta_quantile(double p, double a, double b);

/*
 * P(T <= t) of Student's distribution, and its inverse. freedom is positive,
 * not necessarily whole; infinite, it gives the normal distribution.
 */
double student_cdf(double t, double freedom);
double student_quantile(double p, double freedom);

/* P(X >= k) for n trials that succeed with probability p each. */
double binomial_tail(uint64_t k, uint64_t n, double p);

#endif
