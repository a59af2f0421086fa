/*
 * failure.h - what the ways to fail outside Cupel mean as an error code.
 *
 * An HTTP status, an errno, an exit status or a signal becomes the code whose
 * row (common/core/error_code.h) then says whether to try again, so that no
 * decision ever rests on the wording of a message. Tables, all of them.
 *
 * Pure. Sources: RFC 9110 section 15, RFC 6585 (429), RFC 8470 (425);
 * errno(3); sysexits.h(3head), the exit statuses of timeout(1) and env(1);
 * signal(7).
 */
#ifndef CUPEL_COMMON_CORE_FAILURE_H
#define CUPEL_COMMON_CORE_FAILURE_H

#include "common/core/error_code.h"

/* Any 2xx is ERROR_OK; what is no final status at all is ERROR_PROTOCOL. */
enum error_code failure_of_http(int status);

/* Takes errno negative, as functions return it; 0 is ERROR_OK. */
enum error_code failure_of_errno(int negative_errno);

/*
 * The exit status of a program that is not ours, 0 .. 255. One above 128 is
 * read as the shell writes it: the command was killed by signal status - 128.
 */
enum error_code failure_of_exit(int status);

/*
 * The signal that killed a process when nobody here sent it; the caller knows
 * better about kills it ordered (deadline, cancel) or saw counted (memory).
 */
enum error_code failure_of_signal(int signal);

#endif
