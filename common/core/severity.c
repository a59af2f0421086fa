#include "common/core/severity.h"

#include <assert.h>

enum repetition {
	RARE,
	REPEATED,
	PERSISTENT,
	REPETITION_COUNT
};

/* Occurrences in a minute from which a failure is repeated, persistent. */
#define REPEATED_FROM 5
#define PERSISTENT_FROM 20

#define AT_LEAST(optional, ordinary, critical)                                \
	{ SEVERITY_##optional, SEVERITY_##ordinary, SEVERITY_##critical }

/* The least severity; the code's own row may be worse. */
static const enum error_severity
	least[ERROR_CLASS_COUNT][REPETITION_COUNT][RANK_COUNT] = {
	[ERROR_CLASS_NONE] = {
		[RARE]       = AT_LEAST(INFO, INFO, INFO),
		[REPEATED]   = AT_LEAST(INFO, INFO, INFO),
		[PERSISTENT] = AT_LEAST(INFO, INFO, INFO),
	},
	[ERROR_CLASS_TRANSIENT] = {
		[RARE]       = AT_LEAST(INFO, INFO, WARNING),
		[REPEATED]   = AT_LEAST(WARNING, ERROR, ERROR),
		[PERSISTENT] = AT_LEAST(ERROR, CRITICAL, CRITICAL),
	},
	[ERROR_CLASS_PERMANENT] = {
		[RARE]       = AT_LEAST(ERROR, ERROR, ERROR),
		[REPEATED]   = AT_LEAST(ERROR, ERROR, CRITICAL),
		[PERSISTENT] = AT_LEAST(ERROR, CRITICAL, FATAL),
	},
	[ERROR_CLASS_CALLER] = {
		[RARE]       = AT_LEAST(INFO, INFO, INFO),
		[REPEATED]   = AT_LEAST(INFO, INFO, INFO),
		[PERSISTENT] = AT_LEAST(WARNING, WARNING, WARNING),
	},
	[ERROR_CLASS_POLICY] = {
		[RARE]       = AT_LEAST(WARNING, WARNING, WARNING),
		[REPEATED]   = AT_LEAST(WARNING, ERROR, ERROR),
		[PERSISTENT] = AT_LEAST(ERROR, ERROR, CRITICAL),
	},
	[ERROR_CLASS_OVERLOAD] = {
		[RARE]       = AT_LEAST(WARNING, WARNING, WARNING),
		[REPEATED]   = AT_LEAST(WARNING, WARNING, ERROR),
		[PERSISTENT] = AT_LEAST(WARNING, ERROR, ERROR),
	},
};

static enum repetition repetition_of(unsigned per_minute)
{
	if (per_minute >= PERSISTENT_FROM)
		return PERSISTENT;
	return per_minute >= REPEATED_FROM ? REPEATED : RARE;
}

enum error_severity severity_of(int code, unsigned per_minute,
				enum severity_rank rank)
{
	assert((unsigned)rank < RANK_COUNT);
	const struct error_row *row = error_row(code);
	enum error_severity here =
		least[row->class][repetition_of(per_minute)][rank];

	return here > row->severity ? here : row->severity;
}

unsigned severity_effects(enum error_severity severity)
{
	static const unsigned effects[SEVERITY_COUNT] = {
		[SEVERITY_INFO]     = EFFECT_LOG,
		[SEVERITY_WARNING]  = EFFECT_LOG,
		[SEVERITY_ERROR]    = EFFECT_LOG | EFFECT_ALERT,
		[SEVERITY_CRITICAL] = EFFECT_LOG | EFFECT_ALERT |
				      EFFECT_RESTART,
		[SEVERITY_FATAL]    = EFFECT_LOG | EFFECT_ALERT | EFFECT_STOP,
	};

	assert((unsigned)severity < SEVERITY_COUNT);
	return effects[severity];
}
