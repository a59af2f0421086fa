/*
 * health_core.h - what is well, what is not, and since when we know.
 *
 *	healthy		every component is
 *	degraded	some component is, none is unhealthy
 *	unhealthy	some component is
 *	unknown		no component, or one nobody looked at for too long,
 *			and none that is worse
 *
 * A component that changes for the worse by a fact (a pool fell, a breaker
 * opened) says so at once; a measured quantity, and every recovery, must be
 * seen three times in a row, so that nothing flaps. Pure.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_HEALTH_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_HEALTH_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/deadline.h"

#define HEALTH_INTERVAL_NS (30 * NS_PER_S)
#define HEALTH_LIMIT_NS (10 * NS_PER_S)	/* a check that takes longer failed */
#define HEALTH_STALE_NS (3 * HEALTH_INTERVAL_NS)
#define HEALTH_SAMPLES 3
#define HEALTH_NAME_BYTES 80
#define HEALTH_DETAIL_BYTES 96

enum health_status {
	HEALTH_HEALTHY,
	HEALTH_UNKNOWN,
	HEALTH_DEGRADED,
	HEALTH_UNHEALTHY,	/* in the order in which one hides another */
	HEALTH_STATUS_COUNT
};

struct health_component {
	char name[HEALTH_NAME_BYTES];
	char detail[HEALTH_DETAIL_BYTES];	/* why, of the last look that said so */
	enum health_status status;		/* published */
	enum health_status seen;		/* by the last look */
	unsigned row;				/* looks that saw the same */
	int64_t checked_ns;			/* 0: never */
};

enum health_kind {
	HEALTH_FACT,
	HEALTH_MEASURE,
};

/* Somebody has looked; detail is cut to fit. */
void health_see(struct health_component *component, enum health_kind kind,
		enum health_status status, const char *detail, int64_t now_ns);

/* There is nothing to look at yet: UNKNOWN, for that reason. */
void health_await(struct health_component *component, const char *detail);

/* What the component is worth now: UNKNOWN when the last look is stale. */
enum health_status health_of(const struct health_component *component,
			     int64_t now_ns);

/* The worse of two, as the lattice above orders them. */
enum health_status health_worse(enum health_status a, enum health_status b);

/* What a share of a resource means: 0 .. 100 percent used. */
enum health_status health_of_percent(unsigned percent, unsigned degraded,
				     unsigned unhealthy);

const char *health_status_name(enum health_status status);

#endif
