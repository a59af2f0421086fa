#include "common/core/failure.h"

#include <errno.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct meaning {
	int least, most;	/* inclusive */
	enum error_code code;
};

/* The first row that holds the value. */
static enum error_code look_up(const struct meaning *rows, size_t count,
			       int value, enum error_code otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (value >= rows[i].least && value <= rows[i].most)
			return rows[i].code;
	return otherwise;
}

enum error_code failure_of_http(int status)
{
	static const struct meaning rows[] = {
		{ 200, 299, ERROR_OK },
		{ 300, 399, ERROR_FAILED_PRECONDITION },	/* a redirect not followed */
		{ 401, 401, ERROR_UNAUTHENTICATED },
		{ 402, 403, ERROR_PERMISSION_DENIED },
		{ 404, 404, ERROR_NOT_FOUND },
		{ 408, 408, ERROR_DEADLINE_EXCEEDED },
		{ 409, 409, ERROR_ABORTED },
		{ 410, 410, ERROR_NOT_FOUND },
		{ 412, 412, ERROR_FAILED_PRECONDITION },
		{ 413, 413, ERROR_OUT_OF_RANGE },
		{ 416, 416, ERROR_OUT_OF_RANGE },
		{ 425, 425, ERROR_UNAVAILABLE },
		{ 429, 429, ERROR_RESOURCE_EXHAUSTED },
		{ 400, 499, ERROR_INVALID_ARGUMENT },
		{ 501, 501, ERROR_UNIMPLEMENTED },
		{ 504, 504, ERROR_DEADLINE_EXCEEDED },
		{ 505, 505, ERROR_UNIMPLEMENTED },
		{ 500, 599, ERROR_UNAVAILABLE },
	};

	return look_up(rows, COUNT(rows), status, ERROR_PROTOCOL);
}

enum error_code failure_of_errno(int negative_errno)
{
	static const struct meaning rows[] = {
		{ 0, 0, ERROR_OK },
		{ ECANCELED, ECANCELED, ERROR_CANCELLED },
		{ EINVAL, EINVAL, ERROR_INVALID_ARGUMENT },
		{ ENOENT, ENOENT, ERROR_NOT_FOUND },
		{ ESRCH, ESRCH, ERROR_NOT_FOUND },
		{ EEXIST, EEXIST, ERROR_ALREADY_EXISTS },
		{ EPERM, EPERM, ERROR_PERMISSION_DENIED },
		{ EACCES, EACCES, ERROR_PERMISSION_DENIED },
		{ EROFS, EROFS, ERROR_PERMISSION_DENIED },
		{ ENOMEM, ENOMEM, ERROR_RESOURCE_EXHAUSTED },
		{ ENOSPC, ENOSPC, ERROR_RESOURCE_EXHAUSTED },
		{ EMFILE, EMFILE, ERROR_RESOURCE_EXHAUSTED },
		{ ENFILE, ENFILE, ERROR_RESOURCE_EXHAUSTED },
		{ EDQUOT, EDQUOT, ERROR_RESOURCE_EXHAUSTED },
		{ ENOBUFS, ENOBUFS, ERROR_RESOURCE_EXHAUSTED },
		{ ERANGE, ERANGE, ERROR_OUT_OF_RANGE },
		{ ENOSYS, ENOSYS, ERROR_UNIMPLEMENTED },
		{ EOPNOTSUPP, EOPNOTSUPP, ERROR_UNIMPLEMENTED },
		{ ETIMEDOUT, ETIMEDOUT, ERROR_DEADLINE_EXCEEDED },
		{ EAGAIN, EAGAIN, ERROR_UNAVAILABLE },
		{ EBUSY, EBUSY, ERROR_UNAVAILABLE },
		{ EINTR, EINTR, ERROR_UNAVAILABLE },
		{ ECONNREFUSED, ECONNREFUSED, ERROR_UNAVAILABLE },
		{ ECONNRESET, ECONNRESET, ERROR_UNAVAILABLE },
		{ ECONNABORTED, ECONNABORTED, ERROR_UNAVAILABLE },
		{ ENETDOWN, ENETDOWN, ERROR_UNAVAILABLE },
		{ ENETUNREACH, ENETUNREACH, ERROR_UNAVAILABLE },
		{ EHOSTDOWN, EHOSTDOWN, ERROR_UNAVAILABLE },
		{ EHOSTUNREACH, EHOSTUNREACH, ERROR_UNAVAILABLE },
		{ EPIPE, EPIPE, ERROR_UNAVAILABLE },
		{ EBADMSG, EBADMSG, ERROR_PROTOCOL },
		{ EMSGSIZE, EMSGSIZE, ERROR_PROTOCOL },
		{ EPROTO, EPROTO, ERROR_PROTOCOL },
	};

	return look_up(rows, COUNT(rows), -negative_errno, ERROR_INTERNAL);
}

enum error_code failure_of_exit(int status)
{
	static const struct meaning rows[] = {
		{ 0, 0, ERROR_OK },
		{ 64, 65, ERROR_INVALID_ARGUMENT },	/* EX_USAGE, EX_DATAERR */
		{ 66, 68, ERROR_NOT_FOUND },		/* input, user, host */
		{ 69, 69, ERROR_UNAVAILABLE },		/* EX_UNAVAILABLE */
		{ 70, 70, ERROR_INTERNAL },		/* EX_SOFTWARE */
		{ 71, 71, ERROR_RESOURCE_EXHAUSTED },	/* EX_OSERR: cannot fork */
		{ 75, 75, ERROR_UNAVAILABLE },		/* EX_TEMPFAIL */
		{ 76, 76, ERROR_PROTOCOL },		/* EX_PROTOCOL */
		{ 77, 77, ERROR_PERMISSION_DENIED },	/* EX_NOPERM */
		{ 78, 78, ERROR_FAILED_PRECONDITION },	/* EX_CONFIG */
		{ 124, 124, ERROR_DEADLINE_EXCEEDED },	/* timeout(1) */
		{ 126, 126, ERROR_PERMISSION_DENIED },	/* not executable */
		{ 127, 127, ERROR_NOT_FOUND },		/* no such command */
	};

	if (status > 128)
		return failure_of_signal(status - 128);
	return look_up(rows, COUNT(rows), status, ERROR_UNKNOWN);
}

/*
 * Numbers, because signal.h is not for pure code; these are the same on every
 * machine Linux calls "most" (signal(7)), x86 and ARM among them.
 */
enum error_code failure_of_signal(int signal)
{
	static const struct meaning rows[] = {
		{ 1, 3, ERROR_ABORTED },		/* HUP, INT, QUIT */
		{ 4, 8, ERROR_CRASH_OUTCOME_UNKNOWN },	/* ILL TRAP ABRT BUS FPE */
		{ 9, 9, ERROR_ABORTED },		/* KILL */
		{ 11, 11, ERROR_CRASH_OUTCOME_UNKNOWN }, /* SEGV */
		{ 13, 13, ERROR_UNAVAILABLE },		/* PIPE: its reader left */
		{ 15, 15, ERROR_ABORTED },		/* TERM */
		{ 24, 24, ERROR_TIMEOUT_KILLED },	/* XCPU */
		{ 25, 25, ERROR_OUTPUT_LIMIT },		/* XFSZ */
		{ 31, 31, ERROR_POLICY_KILLED },	/* SYS: the system call filter */
	};

	return look_up(rows, COUNT(rows), signal, ERROR_UNKNOWN);
}
