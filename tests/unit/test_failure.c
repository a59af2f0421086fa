#include "tests/support/test.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sysexits.h>

#include "common/core/failure.h"

struct fact {
	int value;
	enum error_code want;
};

static void check(const char *kind, enum error_code (*of)(int),
		  const struct fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum error_code got = of(facts[i].value);

		test_row(got == facts[i].want, "%s %d: got %s, want %s", kind,
			 facts[i].value, error_row((int)got)->name,
			 error_row((int)facts[i].want)->name);
	}
}

/* Every value up to limit that no fact names has the one code. */
static void check_rest(const char *kind, enum error_code (*of)(int),
		       const struct fact *facts, size_t count, int limit,
		       enum error_code want)
{
	for (int value = 0; value <= limit; value++) {
		bool named = false;

		for (size_t i = 0; i < count; i++)
			named = named || facts[i].value == value;
		test_row(named || of(value) == want, "%s %d: got %s", kind,
			 value, error_row((int)of(value))->name);
	}
}

static void http_statuses_have_codes(void **state)
{
	static const struct fact facts[] = {
		{ 199, ERROR_PROTOCOL }, { 200, ERROR_OK }, { 299, ERROR_OK },
		{ 300, ERROR_FAILED_PRECONDITION },
		{ 399, ERROR_FAILED_PRECONDITION },
		{ 400, ERROR_INVALID_ARGUMENT }, { 401, ERROR_UNAUTHENTICATED },
		{ 402, ERROR_PERMISSION_DENIED },
		{ 403, ERROR_PERMISSION_DENIED }, { 404, ERROR_NOT_FOUND },
		{ 405, ERROR_INVALID_ARGUMENT },
		{ 408, ERROR_DEADLINE_EXCEEDED }, { 409, ERROR_ABORTED },
		{ 410, ERROR_NOT_FOUND }, { 411, ERROR_INVALID_ARGUMENT },
		{ 412, ERROR_FAILED_PRECONDITION }, { 413, ERROR_OUT_OF_RANGE },
		{ 414, ERROR_INVALID_ARGUMENT }, { 416, ERROR_OUT_OF_RANGE },
		{ 417, ERROR_INVALID_ARGUMENT }, { 425, ERROR_UNAVAILABLE },
		{ 429, ERROR_RESOURCE_EXHAUSTED }, { 499, ERROR_INVALID_ARGUMENT },
		{ 501, ERROR_UNIMPLEMENTED }, { 504, ERROR_DEADLINE_EXCEEDED },
		{ 600, ERROR_PROTOCOL }, { 0, ERROR_PROTOCOL },
	};

	(void)state;
	check("HTTP", failure_of_http, facts, COUNT(facts));
}

/* 429, 408, 409, 425 and the server's own failures; nothing else. */
static void exactly_these_http_statuses_may_be_retried(void **state)
{
	(void)state;
	for (int status = 0; status < 700; status++) {
		enum error_code code = failure_of_http(status);
		bool want = status == 408 || status == 409 || status == 425 ||
			    status == 429 ||
			    (status >= 500 && status <= 599 &&
			     status != 501 && status != 505);
		bool got = error_row((int)code)->retry != RETRY_NEVER;

		test_row(got == want, "HTTP %d: got %d", status, got);
	}
}

static void connection_errors_are_transient(void **state)
{
	static const int errors[] = {
		ECONNREFUSED, ECONNRESET, ECONNABORTED, ENETDOWN, ENETUNREACH,
		EHOSTDOWN, EHOSTUNREACH, EPIPE, ETIMEDOUT, EAGAIN, EINTR, EBUSY,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		enum error_code code = failure_of_errno(-errors[i]);

		test_row(error_row((int)code)->retry == RETRY_BY_CLASS,
			 "errno %d: %s", errors[i], error_row((int)code)->name);
	}
}

static void errnos_have_codes(void **state)
{
	static const struct fact facts[] = {
		{ 0, ERROR_OK }, { -EPERM, ERROR_PERMISSION_DENIED },
		{ -ENOENT, ERROR_NOT_FOUND },
		{ -EACCES, ERROR_PERMISSION_DENIED },
		{ -ENOSPC, ERROR_RESOURCE_EXHAUSTED },
		{ -EPROTO, ERROR_PROTOCOL }, { -EIO, ERROR_INTERNAL },
		{ -100000, ERROR_INTERNAL },
	};

	(void)state;
	check("errno", failure_of_errno, facts, COUNT(facts));
}

static void exit_statuses_have_codes(void **state)
{
	static const struct fact facts[] = {
		{ 0, ERROR_OK },
		{ EX_USAGE, ERROR_INVALID_ARGUMENT },
		{ EX_DATAERR, ERROR_INVALID_ARGUMENT },
		{ EX_NOINPUT, ERROR_NOT_FOUND }, { EX_NOUSER, ERROR_NOT_FOUND },
		{ EX_NOHOST, ERROR_NOT_FOUND },
		{ EX_UNAVAILABLE, ERROR_UNAVAILABLE },
		{ EX_SOFTWARE, ERROR_INTERNAL },
		{ EX_OSERR, ERROR_RESOURCE_EXHAUSTED },
		{ EX_TEMPFAIL, ERROR_UNAVAILABLE },
		{ EX_PROTOCOL, ERROR_PROTOCOL },
		{ EX_NOPERM, ERROR_PERMISSION_DENIED },
		{ EX_CONFIG, ERROR_FAILED_PRECONDITION },
		{ 124, ERROR_DEADLINE_EXCEEDED },
		{ 126, ERROR_PERMISSION_DENIED }, { 127, ERROR_NOT_FOUND },
	};

	(void)state;
	check("exit", failure_of_exit, facts, COUNT(facts));
	check_rest("exit", failure_of_exit, facts, COUNT(facts), 128,
		   ERROR_UNKNOWN);
	for (int signal = 1; signal <= 127; signal++)
		assert_int_equal(failure_of_exit(128 + signal),
				 failure_of_signal(signal));
}

/* By name, so that the numbers in the table are those of this machine. */
static void signals_have_codes(void **state)
{
	static const struct fact facts[] = {
		{ SIGHUP, ERROR_ABORTED }, { SIGINT, ERROR_ABORTED },
		{ SIGQUIT, ERROR_ABORTED }, { SIGKILL, ERROR_ABORTED },
		{ SIGTERM, ERROR_ABORTED },
		{ SIGILL, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGTRAP, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGABRT, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGBUS, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGFPE, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGSEGV, ERROR_CRASH_OUTCOME_UNKNOWN },
		{ SIGPIPE, ERROR_UNAVAILABLE },
		{ SIGXCPU, ERROR_TIMEOUT_KILLED },
		{ SIGXFSZ, ERROR_OUTPUT_LIMIT }, { SIGSYS, ERROR_POLICY_KILLED },
	};

	(void)state;
	check("signal", failure_of_signal, facts, COUNT(facts));
	check_rest("signal", failure_of_signal, facts, COUNT(facts), 127,
		   ERROR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_statuses_have_codes),
		cmocka_unit_test(exactly_these_http_statuses_may_be_retried),
		cmocka_unit_test(connection_errors_are_transient),
		cmocka_unit_test(errnos_have_codes),
		cmocka_unit_test(exit_statuses_have_codes),
		cmocka_unit_test(signals_have_codes),
	};

	return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
