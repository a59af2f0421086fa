#include "workers/improve/auto_apply_core.h"

#include <assert.h>

const struct auto_apply_limits auto_apply_limits_default = {
	.confidence = 0.8,
	.gain = 0.2,
};

enum auto_apply_answer auto_apply_judge(const struct auto_apply_limits *limits,
					bool tests_pass, double confidence,
					double gain_lower)
{
	if (!tests_pass)
		return AUTO_APPLY_TESTS_FAIL;
	if (!(confidence > limits->confidence))
		return AUTO_APPLY_NOT_CONFIDENT;
	if (!(gain_lower > limits->gain))
		return AUTO_APPLY_GAIN_TOO_SMALL;
	return AUTO_APPLY_YES;
}

const char *auto_apply_name(enum auto_apply_answer answer)
{
	static const char *const names[AUTO_APPLY_COUNT] = {
		[AUTO_APPLY_YES] = "yes",
		[AUTO_APPLY_TESTS_FAIL] = "tests-fail",
		[AUTO_APPLY_NOT_CONFIDENT] = "not-confident",
		[AUTO_APPLY_GAIN_TOO_SMALL] = "gain-too-small",
	};

	assert((unsigned)answer < AUTO_APPLY_COUNT);
	return names[answer];
}
