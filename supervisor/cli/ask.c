#include "supervisor/cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/core/failure.h"
#include "common/text.h"
#include "supervisor/cli/cli.h"

#define JSON_DEPTH_MAX 32

/* ---- answers ---- */

void answer_release(struct answer *answer)
{
	free(answer->text);
	answer->text = NULL;
}

void answer_take(struct answer *answer, const struct client_event *event)
{
	answer->code = (enum error_code)event->result.code;
	answer->origin = (enum error_origin)event->result.origin;
	answer->attempts = event->result.attempts;
	answer->retry_after_ms = event->result.retry_after_ms;
	answer->remark = event->remark;
	snprintf(answer->other, sizeof(answer->other), "%.*s",
		 (int)event->remark.tool.length, event->remark.tool.data);
	text_escape((struct span){ (const uint8_t *)event->result.reason.data,
				   event->result.reason.length },
		    answer->reason, sizeof(answer->reason));
}

int answer_append(struct answer *answer, struct span bytes)
{
	size_t length = answer->length + bytes.length;
	char *text;

	if (length > ASK_BYTES_MAX)
		return -EMSGSIZE;
	text = realloc(answer->text, length + 1);
	if (!text)
		return -ENOMEM;
	if (bytes.length)
		memcpy(text + answer->length, bytes.data, bytes.length);
	text[length] = '\0';
	answer->text = text;
	answer->length = length;
	return 0;
}

/* ---- the router's own methods ---- */

static int collect(struct client *client, uint64_t call, int64_t until_ns,
		   struct answer *ret, struct error *why)
{
	struct client_event event;
	int r;

	do {
		r = client_wait(client, -1, until_ns, &event);
		if (r == -ETIMEDOUT)
			return error_set(why, r, "the supervisor does not answer");
		if (r < 0) {
			*why = client->why;
			return r;
		}
		if (event.call != call)
			continue;
		if (event.kind == CLIENT_CHUNK || event.kind == CLIENT_RESULT)
			r = answer_append(ret, event.body);
		if (r < 0)
			return error_set(why, r, "the answer is too long");
	} while (event.call != call || event.kind != CLIENT_RESULT);
	answer_take(ret, &event);
	return 0;
}

static int ask_once(struct connection *connection, const char *method,
		    const char *words, struct answer *ret, struct error *why)
{
	int64_t deadline_ns = deadline_after(clock_now_ns(), ASK_ROUTER_NS);
	const struct client_ask ask = {
		.tool = method,
		.input = span_of_text(words ? words : ""),
		.deadline_ns = deadline_ns,
	};
	uint64_t call;
	int r;

	*ret = (struct answer){ 0 };
	r = client_call(&connection->client, &ask, &call, why);
	if (r == 0)
		r = collect(&connection->client, call,
			    deadline_after(deadline_ns, 2 * CLIENT_GRACE_NS), ret, why);
	if (r < 0)
		answer_release(ret);
	return r;
}

/* Its router, or the link, was lost on the way. */
static bool is_lost(const struct answer *answer)
{
	return answer->code == ERROR_CRASH_OUTCOME_UNKNOWN ||
	       answer->code == ERROR_DATA_LOSS;
}

int ask_router(struct connection *connection, const char *method, const char *words,
	       bool repeatable, struct answer *ret, struct error *why)
{
	int r = ask_once(connection, method, words, ret, why);

	if (r < 0 || !repeatable || !is_lost(ret))
		return r;
	answer_release(ret);
	return ask_once(connection, method, words, ret, why);
}

/* A negative errno that failure_of_errno() would not know better. */
static int refusal(const struct answer *answer, struct error *why)
{
	return error_set_code(why, -EPROTO, answer->code, "%s",
			      answer->reason[0] ? answer->reason :
			      error_row(answer->code)->name);
}

int ask_router_json(struct connection *connection, const char *method,
		    const char *words, json_t **ret, struct error *why)
{
	const struct json_limits limits = { ASK_BYTES_MAX, JSON_DEPTH_MAX };
	AUTO_ANSWER struct answer answer = { 0 };
	int r = ask_router(connection, method, words, true, &answer, why);

	if (r < 0)
		return r;
	if (answer.code != ERROR_OK)
		return refusal(&answer, why);
	r = json_parse((struct span){ (uint8_t *)answer.text, answer.length }, limits,
		       ret, why);
	return r < 0 ? error_prefix(why, r, "the answer of %s", method) : 0;
}

/* ---- how it is told ---- */

int exit_of_code(enum error_code code, enum error_origin origin)
{
	static const int by_class[ERROR_CLASS_COUNT] = {
		[ERROR_CLASS_NONE] = EXIT_OK,
		[ERROR_CLASS_TRANSIENT] = EXIT_BUSY,
		[ERROR_CLASS_PERMANENT] = EXIT_FAILED,
		[ERROR_CLASS_CALLER] = EXIT_DATA,
		[ERROR_CLASS_POLICY] = EXIT_PERMISSION,
		[ERROR_CLASS_OVERLOAD] = EXIT_BUSY,
	};

	if (code == ERROR_DEADLINE_EXCEEDED || code == ERROR_TIMEOUT_KILLED)
		return EXIT_TIMEOUT;
	if (code == ERROR_UNAVAILABLE && origin == ORIGIN_CLIENT)
		return EXIT_UNAVAILABLE;
	if (code == ERROR_CANCELLED)
		return EXIT_CANCELLED;
	return by_class[error_row((int)code)->class];
}

int cli_fail(const struct error *why)
{
	int code = exit_of_code(why->code, why->origin);

	fprintf(stderr, "cupel: %s\n", why->text);
	return code == EXIT_OK ? EXIT_INTERNAL : code;
}

int cli_connect(bool start, struct connection **ret)
{
	struct error why;

	return connect_open(start, ret, &why) < 0 ? cli_fail(&why) : EXIT_OK;
}

int cli_ask(const char *method, const char *words, bool repeatable, struct answer *ret)
{
	AUTO_DISCONNECT struct connection *connection = NULL;
	struct error why;
	int code = cli_connect(false, &connection);

	if (code != EXIT_OK)
		return code;
	int r = ask_router(connection, method, words, repeatable, ret, &why);

	if (r == 0 && ret->code != ERROR_OK)
		r = refusal(ret, &why);
	return r < 0 ? cli_fail(&why) : EXIT_OK;
}

int cli_order(const char *method, const char *words, const char *done)
{
	AUTO_ANSWER struct answer answer = { 0 };
	int code = cli_ask(method, words, false, &answer);

	if (code == EXIT_OK)
		fprintf(stderr, "cupel: %s\n", done);
	return code;
}

int cli_fetch(bool start, const char *method, json_t **ret)
{
	AUTO_DISCONNECT struct connection *connection = NULL;
	struct error why;
	int code = cli_connect(start, &connection);

	if (code != EXIT_OK)
		return code;
	return ask_router_json(connection, method, NULL, ret, &why) < 0 ?
	       cli_fail(&why) : EXIT_OK;
}
