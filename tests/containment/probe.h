/*
 * probe.h - what the parts of the probe share.
 *
 * An attempt is something a confined command must not be able to do. Each runs
 * in a process of its own, and nothing it does outlasts it, also unconfined:
 * files are opened, not written, and calls get invalid arguments where valid
 * ones would change the machine.
 *
 * Canaries come in variables: CANARY_FILE, CANARY_PORT, CANARY_SOCKET
 * (abstract), CANARY_PATH_SOCKET, CANARY_PID, CANARY_SHOWN (a file that is
 * shown inside, to be read, and belongs to the user of the run).
 */
#ifndef CUPEL_TESTS_PROBE_H
#define CUPEL_TESTS_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Outcomes: 0 worked, positive an errno, negative minus a signal. */
struct attempt {
	const char *name;
	int (*run)(const struct attempt *attempt);
	const char *text;	/* what the attempt is about: a path, ... */
	long a, b, c;
	const char *inside;	/* permitted outcomes, by name, '|' between */
	const char *outside;
	const char *presets;	/* where the row holds; NULL: in all of them */
};

struct attempt_table {
	const struct attempt *rows;
	size_t count;
};

#define DENIED "EPERM|EACCES|ENOSYS"
#define ABSENT "ENOENT|EACCES|EPERM"

extern const struct attempt_table file_attempts, call_attempts, socket_attempts;
extern const struct attempt_table bare_attempts;	/* where no namespace helps */
extern const struct attempt_table allowances;

extern bool unconfined;		/* the positive control is running */

/* 0 or errno, of a call that returned r. */
int result(long r);

/* "$NAME" is a variable's; unconfined, /proc/1 is the canary's. */
const char *path_of(const struct attempt *attempt, char *buffer, size_t size);

/* A number in decimal, 0 for NULL. */
long number_of(const char *text);

const char *outcome_name(int outcome, char *buffer, size_t size);
bool listed(const char *list, const char *name);	/* among "a|b|c" */

/* Runs it in a child; after a minute the outcome is -SIGALRM: loading a
 * module for it may take long. */
int in_own_process(int (*run)(const void *), const void *argument);

int system_call_by_number(long number);
int system_call_by_int80(long number);
int system_call_by_x32(long number);

/* Sub-commands, a file each; exit status. */
int probe_numbers(int argc, char **argv);
int probe_bomb(int argc, char **argv);
int probe_crash(int argc, char **argv);
int probe_refuse(int argc, char **argv);
int probe_swap(int argc, char **argv);
int probe_terminal(int argc, char **argv);
int probe_listen(int argc, char **argv);
int probe_within(int argc, char **argv);
int probe_type(int argc, char **argv);

#endif
