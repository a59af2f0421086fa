#include "common/core/error_code.h"

#include <assert.h>
#include <stddef.h>

#define ROW(code, name, class, severity, retry, outcome)                      \
	[ERROR_##code] = { name, ERROR_CLASS_##class, SEVERITY_##severity,    \
			   RETRY_##retry, OUTCOME_##outcome }

static const struct error_row rows[ERROR_CODE_COUNT] = {
	ROW(OK, "ok", NONE, INFO, NEVER, OK),
	ROW(CANCELLED, "cancelled", CALLER, INFO, NEVER, NEUTRAL),
	ROW(UNKNOWN, "unknown", PERMANENT, ERROR, NEVER, FAIL),
	ROW(INVALID_ARGUMENT, "invalid_argument", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(DEADLINE_EXCEEDED, "deadline_exceeded", TRANSIENT, WARNING, BY_CLASS, FAIL),
	ROW(NOT_FOUND, "not_found", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(ALREADY_EXISTS, "already_exists", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(PERMISSION_DENIED, "permission_denied", POLICY, WARNING, NEVER, NEUTRAL),
	ROW(RESOURCE_EXHAUSTED, "resource_exhausted", OVERLOAD, WARNING, LATER, NEUTRAL),
	ROW(FAILED_PRECONDITION, "failed_precondition", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(ABORTED, "aborted", TRANSIENT, WARNING, BY_CLASS, FAIL),
	ROW(OUT_OF_RANGE, "out_of_range", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(UNIMPLEMENTED, "unimplemented", PERMANENT, ERROR, NEVER, NEUTRAL),
	ROW(INTERNAL, "internal", PERMANENT, ERROR, NEVER, FAIL),
	ROW(UNAVAILABLE, "unavailable", TRANSIENT, WARNING, BY_CLASS, FAIL),
	ROW(DATA_LOSS, "data_loss", PERMANENT, CRITICAL, NEVER, FAIL),
	ROW(UNAUTHENTICATED, "unauthenticated", CALLER, WARNING, NEVER, NEUTRAL),

	ROW(CRASH_NOT_STARTED, "crash_not_started", TRANSIENT, ERROR, ALWAYS, FAIL),
	ROW(CRASH_OUTCOME_UNKNOWN, "crash_outcome_unknown", TRANSIENT, ERROR, BY_CLASS, FAIL),
	ROW(BREAKER_OPEN, "breaker_open", OVERLOAD, WARNING, LATER, NEUTRAL),
	ROW(QUEUE_FULL, "queue_full", OVERLOAD, WARNING, LATER, NEUTRAL),
	ROW(SHED, "shed", OVERLOAD, WARNING, LATER, NEUTRAL),
	ROW(DRAINING, "draining", TRANSIENT, INFO, ALWAYS, NEUTRAL),
	ROW(PROTOCOL, "protocol", PERMANENT, ERROR, NEVER, FAIL),
	ROW(OOM_KILLED, "oom_killed", PERMANENT, ERROR, NEVER, FAIL),
	ROW(POLICY_KILLED, "policy_killed", POLICY, ERROR, NEVER, FAIL),
	ROW(TIMEOUT_KILLED, "timeout_killed", TRANSIENT, ERROR, BY_CLASS, FAIL),
	ROW(DENIED_BY_ACL, "denied_by_acl", POLICY, WARNING, NEVER, NEUTRAL),
	ROW(RETRY_BUDGET, "retry_budget", OVERLOAD, WARNING, LATER, NEUTRAL),
	ROW(OUTPUT_LIMIT, "output_limit", CALLER, WARNING, NEVER, NEUTRAL),
	ROW(POISON, "poison", PERMANENT, ERROR, NEVER, NEUTRAL),
	ROW(STALE_CATALOG, "stale_catalog", CALLER, INFO, LATER, NEUTRAL),
};

const struct error_row *error_row(int code)
{
	if (code < 0 || code >= ERROR_CODE_COUNT || !rows[code].name)
		return &rows[ERROR_UNKNOWN];
	return &rows[code];
}

const char *error_class_name(enum error_class class)
{
	static const char *const names[ERROR_CLASS_COUNT] = {
		"none", "transient", "permanent", "caller", "policy", "overload",
	};

	assert((unsigned)class < ERROR_CLASS_COUNT);
	return names[class];
}

const char *error_severity_name(enum error_severity severity)
{
	static const char *const names[SEVERITY_COUNT] = {
		"info", "warning", "error", "critical", "fatal",
	};

	assert((unsigned)severity < SEVERITY_COUNT);
	return names[severity];
}

const char *error_origin_name(enum error_origin origin)
{
	static const char *const names[ORIGIN_COUNT] = {
		"client", "router", "worker", "upstream",
	};

	assert((unsigned)origin < ORIGIN_COUNT);
	return names[origin];
}
