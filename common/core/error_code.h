/*
 * error_code.h - every way a call can end, declared once.
 *
 * Codes 0..16 are gRPC's (so that a gateway can pass them on), codes from 64
 * are Cupel's own. A row says whose fault it is, how bad one occurrence is,
 * whether the call may be tried again, and what a breaker makes of it.
 *
 * Pure. Source: gRPC status codes, github.com/grpc/grpc doc/statuscodes.md.
 */
#ifndef CUPEL_COMMON_CORE_ERROR_CODE_H
#define CUPEL_COMMON_CORE_ERROR_CODE_H

enum error_code {
	ERROR_OK = 0,
	ERROR_CANCELLED = 1,
	ERROR_UNKNOWN = 2,
	ERROR_INVALID_ARGUMENT = 3,
	ERROR_DEADLINE_EXCEEDED = 4,
	ERROR_NOT_FOUND = 5,
	ERROR_ALREADY_EXISTS = 6,
	ERROR_PERMISSION_DENIED = 7,
	ERROR_RESOURCE_EXHAUSTED = 8,
	ERROR_FAILED_PRECONDITION = 9,
	ERROR_ABORTED = 10,
	ERROR_OUT_OF_RANGE = 11,
	ERROR_UNIMPLEMENTED = 12,
	ERROR_INTERNAL = 13,
	ERROR_UNAVAILABLE = 14,
	ERROR_DATA_LOSS = 15,
	ERROR_UNAUTHENTICATED = 16,

	ERROR_CRASH_NOT_STARTED = 64,	/* the worker died before ACCEPT */
	ERROR_CRASH_OUTCOME_UNKNOWN = 65, /* it died after ACCEPT */
	ERROR_BREAKER_OPEN = 66,
	ERROR_QUEUE_FULL = 67,
	ERROR_SHED = 68,
	ERROR_DRAINING = 69,
	ERROR_PROTOCOL = 70,		/* malformed, or not permitted now */
	ERROR_OOM_KILLED = 71,
	ERROR_POLICY_KILLED = 72,
	ERROR_TIMEOUT_KILLED = 73,
	ERROR_DENIED_BY_ACL = 74,
	ERROR_RETRY_BUDGET = 75,
	ERROR_OUTPUT_LIMIT = 76,
	ERROR_POISON = 77,
	ERROR_STALE_CATALOG = 78,
	ERROR_CODE_COUNT
};

enum error_class {
	ERROR_CLASS_NONE,	/* not an error */
	ERROR_CLASS_TRANSIENT,	/* may well work next time */
	ERROR_CLASS_PERMANENT,	/* the same call will fail again */
	ERROR_CLASS_CALLER,	/* the caller's own fault or wish */
	ERROR_CLASS_POLICY,	/* forbidden: never retried, never weakened */
	ERROR_CLASS_OVERLOAD,	/* too much at once: later, and slower */
	ERROR_CLASS_COUNT
};

enum error_severity {
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
	SEVERITY_CRITICAL,
	SEVERITY_FATAL,
	SEVERITY_COUNT
};

enum error_origin {
	ORIGIN_CLIENT,
	ORIGIN_ROUTER,
	ORIGIN_WORKER,
	ORIGIN_UPSTREAM,
	ORIGIN_COUNT
};

enum retry_safety {
	RETRY_NEVER,
	RETRY_ALWAYS,		/* certainly not executed: any tool */
	RETRY_BY_CLASS,		/* pure and idempotent tools only */
	RETRY_LATER		/* after the time the error names */
};

/* What a breaker counts: success, failure, or "says nothing about the callee". */
enum outcome {
	OUTCOME_OK,
	OUTCOME_FAIL,
	OUTCOME_NEUTRAL,
	OUTCOME_COUNT
};

struct error_row {
	const char *name;	/* NULL: no such code */
	enum error_class class;
	enum error_severity severity;	/* of one occurrence */
	enum retry_safety retry;
	enum outcome outcome;
};

/* The row of a code; an unknown code gets the row of ERROR_UNKNOWN. */
const struct error_row *error_row(int code);

const char *error_class_name(enum error_class class);
const char *error_severity_name(enum error_severity severity);
const char *error_origin_name(enum error_origin origin);

#endif
