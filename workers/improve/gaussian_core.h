/*
 * gaussian_core.h - Gaussian process regression: what is expected, and how
 * surely, where nothing was measured yet.
 *
 * Points have up to GAUSSIAN_AXES_MAX features, distances 0 .. 1 along each: of
 * a plain axis |a - b|; of a category 0 if equal and 1 if not. NAN as a feature
 * says that the axis does not apply: 0 from another NAN, 1 from a number. With
 * r^2 the sum of (distance / scale)^2 over the plain axes and c that over the
 * categories the covariance is Matern's with nu = 5/2 times the exponential:
 *
 *	k(r, c) = variance (1 + sqrt(5) r + 5/3 r^2) exp(-sqrt(5) r) exp(-c)
 *
 * and every value has independent noise of variance * noise. Along a category
 * there is nothing to be smooth in: the exponential gives to each interaction
 * of j categories a share that falls with the j-th power. The mean is the
 * values' own. gaussian_tune() seeks the scales and the noise of greatest
 * posterior density: marginal likelihood, the variance profiled out, times a
 * log-normal prior; by Rprop on the exact gradient, always from the same
 * start, so that the same points give the same answer.
 *
 * Pure. About 600 kB, the caller's. Sources: C. Rasmussen and C. Williams,
 * Gaussian Processes for Machine Learning, chapters 2, 4.2 and 5.4; C. Hvarfner
 * et al., Vanilla Bayesian Optimization Performs Great in High Dimensions
 * (2024) for the prior; M. Riedmiller and H. Braun (1993) for Rprop.
 */
#ifndef CUPEL_WORKERS_IMPROVE_GAUSSIAN_CORE_H
#define CUPEL_WORKERS_IMPROVE_GAUSSIAN_CORE_H

#include <stdbool.h>
#include <stddef.h>

#define GAUSSIAN_AXES_MAX 32
#define GAUSSIAN_POINTS_MAX 192
#define GAUSSIAN_TUNED_MAX 64	/* points that scales are sought on */
#define GAUSSIAN_PAIRS_MAX (GAUSSIAN_TUNED_MAX * (GAUSSIAN_TUNED_MAX - 1) / 2)

struct gaussian {
	size_t axes, count;
	bool is_category[GAUSSIAN_AXES_MAX];
	double features[GAUSSIAN_POINTS_MAX][GAUSSIAN_AXES_MAX];
	double values[GAUSSIAN_POINTS_MAX];

	double scales[GAUSSIAN_AXES_MAX];
	double noise;		/* as a share of the variance */
	double mean, variance;
	double factor[GAUSSIAN_POINTS_MAX * GAUSSIAN_POINTS_MAX]; /* lower */
	double weights[GAUSSIAN_POINTS_MAX];
	float squares[GAUSSIAN_AXES_MAX][GAUSSIAN_PAIRS_MAX]; /* distances */
};

/* Empties it: no points, every scale and the noise at their prior. */
void gaussian_init(struct gaussian *gaussian, size_t axes,
		   const bool *is_category);

/* There must be room. features has as many as there are axes. */
void gaussian_add(struct gaussian *gaussian, const double *features,
		  double value);

/* Seeks scales and noise on the first GAUSSIAN_TUNED_MAX points. */
void gaussian_tune(struct gaussian *gaussian);

/*
 * Learns the values, given scales and noise; false if the points are too
 * nearly the same for the noise, or there are none: then do not ask it.
 */
bool gaussian_fit(struct gaussian *gaussian);

/* k(r, c) / variance between two points. */
double gaussian_correlation(const struct gaussian *gaussian, const double *a,
			    const double *b);

/* Of the value without its noise. */
struct gaussian_belief {
	double mean, deviation;
};

struct gaussian_belief gaussian_ask(const struct gaussian *gaussian,
				    const double *features);

/* By how much it is expected to be below best, nothing counting as 0. */
double gaussian_improvement(struct gaussian_belief belief, double best);

#endif
