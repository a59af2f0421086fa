/*
 * severity.h - how bad a failure is here and now, and what that sets off.
 *
 * A code's own row says how bad one occurrence is. How often it happened in
 * the last minute and how much depends on the component can only make it
 * worse, by table:
 *
 *	info      logged
 *	warning   logged
 *	error     logged, alert
 *	critical  logged, alert, the component is restarted
 *	fatal     logged, alert, the component is stopped until someone looks
 *
 * The table keeps two promises. A caller's fault never alerts, so nobody can
 * ring the bell from outside; and overload never restarts, since the restart
 * would add to it. Pure, constant tables; the caller counts.
 */
#ifndef CUPEL_COMMON_CORE_SEVERITY_H
#define CUPEL_COMMON_CORE_SEVERITY_H

#include "common/core/error_code.h"

enum severity_rank {
	RANK_OPTIONAL,		/* nobody waits for it: the improver */
	RANK_ORDINARY,
	RANK_CRITICAL,		/* nothing works without it: the store */
	RANK_COUNT
};

/* What a severity sets off: a set of bits. */
enum severity_effect {
	EFFECT_LOG = 1,
	EFFECT_ALERT = 2,
	EFFECT_RESTART = 4,
	EFFECT_STOP = 8
};

/*
 * The severity of a failure with this code (an unknown one counts as
 * ERROR_UNKNOWN), seen per_minute times in the last minute, this time
 * included, in a component of that rank.
 */
enum error_severity severity_of(int code, unsigned per_minute,
				enum severity_rank rank);

/* The effects of a severity, or-ed. */
unsigned severity_effects(enum error_severity severity);

#endif
