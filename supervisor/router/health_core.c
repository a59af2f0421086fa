#include "supervisor/router/health_core.h"

#include <assert.h>
#include <string.h>

static void set_detail(struct health_component *component, const char *detail)
{
	size_t length = strnlen(detail, HEALTH_DETAIL_BYTES - 1);

	memcpy(component->detail, detail, length);
	component->detail[length] = '\0';
}

void health_see(struct health_component *component, enum health_kind kind,
		enum health_status status, const char *detail, int64_t now_ns)
{
	bool first = component->checked_ns == 0;
	bool worse = status > component->status;

	component->row = !first && status == component->seen ?
			 component->row + 1 : 1;
	component->seen = status;
	component->checked_ns = now_ns;
	if (first || component->row >= HEALTH_SAMPLES ||
	    (kind == HEALTH_FACT && worse))
		component->status = status;
	if (component->status != status)
		return;		/* what is published keeps its reason */
	set_detail(component, detail);
}

void health_await(struct health_component *component, const char *detail)
{
	set_detail(component, detail);
	component->checked_ns = 0;
}

enum health_status health_of(const struct health_component *component,
			     int64_t now_ns)
{
	if (component->checked_ns == 0 ||
	    now_ns - component->checked_ns > HEALTH_STALE_NS)
		return HEALTH_UNKNOWN;
	return component->status;
}

enum health_status health_worse(enum health_status a, enum health_status b)
{
	return a > b ? a : b;
}

enum health_status health_of_percent(unsigned percent, unsigned degraded,
				     unsigned unhealthy)
{
	if (percent >= unhealthy)
		return HEALTH_UNHEALTHY;
	return percent >= degraded ? HEALTH_DEGRADED : HEALTH_HEALTHY;
}

const char *health_status_name(enum health_status status)
{
	static const char *const names[HEALTH_STATUS_COUNT] = {
		"healthy", "unknown", "degraded", "unhealthy",
	};

	assert((unsigned)status < HEALTH_STATUS_COUNT);
	return names[status];
}
