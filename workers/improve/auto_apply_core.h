/*
 * auto_apply_core.h - whether a proved change is applied without asking.
 *
 * All tests pass, the confidence is above its threshold, and so is the gain:
 * strictly, so that exactly 0.8 or exactly 20 % is not applied. The gain is
 * the lower bound of the decision, never its estimate. NaN applies nothing.
 *
 * Pure. That the mode is auto, the sandbox strong enough and the tree clean is
 * checked by those who know it.
 */
#ifndef CUPEL_WORKERS_IMPROVE_AUTO_APPLY_CORE_H
#define CUPEL_WORKERS_IMPROVE_AUTO_APPLY_CORE_H

#include <stdbool.h>

/* Settings; see auto_apply_limits_default. */
struct auto_apply_limits {
	double confidence;	/* to be exceeded; 0 to 1 */
	double gain;		/* to be exceeded; a share */
};

extern const struct auto_apply_limits auto_apply_limits_default;

enum auto_apply_answer {
	AUTO_APPLY_YES,
	AUTO_APPLY_TESTS_FAIL,
	AUTO_APPLY_NOT_CONFIDENT,
	AUTO_APPLY_GAIN_TOO_SMALL,
	AUTO_APPLY_COUNT
};

/* The first condition that fails, in the order above, or YES. */
enum auto_apply_answer auto_apply_judge(const struct auto_apply_limits *limits,
					bool tests_pass, double confidence,
					double gain_lower);

const char *auto_apply_name(enum auto_apply_answer answer);

#endif
