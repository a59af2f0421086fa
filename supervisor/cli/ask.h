/*
 * ask.h - one call from the front door, and how its end is told.
 *
 * The router's own methods ("router.status") take words and answer with JSON
 * text, however long; ask_router() is all that a verb needs for them.
 */
#ifndef CUPEL_SUPERVISOR_CLI_ASK_H
#define CUPEL_SUPERVISOR_CLI_ASK_H

#include "common/core/error_code.h"
#include "common/json.h"
#include "supervisor/cli/connect.h"

#define ASK_ROUTER_NS (10 * NS_PER_S)
#define ASK_BYTES_MAX (64U << 20)

/* How a call ended; text is its whole output, on the heap, never NULL. */
struct answer {
	enum error_code code;
	enum error_origin origin;
	unsigned attempts;
	unsigned retry_after_ms;
	struct message_remark remark;	/* its tool is told by: */
	char other[CLIENT_TOOL_BYTES + 1];
	char reason[ERROR_TEXT_BYTES];
	char *text;
	size_t length;
};

void answer_release(struct answer *answer);
#define AUTO_ANSWER __attribute__((cleanup(answer_release)))

/* Remembers the end that a CLIENT_RESULT tells. */
void answer_take(struct answer *answer, const struct client_event *event);

/* Appends to the text; -EMSGSIZE beyond ASK_BYTES_MAX, -ENOMEM. */
int answer_append(struct answer *answer, struct span bytes);

/*
 * Calls a method of the router and collects what it answers; one that only reads
 * is repeatable, once, if that was lost. 0 also when the answer is an error;
 * negative when there is none at all.
 */
int ask_router(struct connection *connection, const char *method, const char *words,
	       bool repeatable, struct answer *ret, struct error *why);

/* As above, of one that only reads, with its answer as JSON; a refusal is an error, too. */
int ask_router_json(struct connection *connection, const char *method,
		    const char *words, json_t **ret, struct error *why);

/*
 * The exit code that tells a caller's script how a call ended: 69 only if there
 * is no supervisor, which this side of the socket finds.
 */
int exit_of_code(enum error_code code, enum error_origin origin);

/* "cupel: why", and the exit code for it. */
int cli_fail(const struct error *why);

/* connect_open() for verbs; an exit code, and stderr told. */
int cli_connect(bool start, struct connection **ret);

/*
 * Connects to a running supervisor and calls; words may be NULL. An exit code,
 * stderr told; answer_release() is due in any case.
 */
int cli_ask(const char *method, const char *words, bool repeatable, struct answer *ret);

/* The same for a verb that only gives an order: says then that it is done. */
int cli_order(const char *method, const char *words, const char *done);

/*
 * For a verb that shows something: connects, starting a supervisor if wanted,
 * and takes the answer as JSON. An exit code, EXIT_OK with *ret the caller's.
 */
int cli_fetch(bool start, const char *method, json_t **ret);

#endif
