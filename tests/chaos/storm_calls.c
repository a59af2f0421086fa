#include "tests/chaos/storm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/convert.h"
#include "common/json.h"

#define LATE_NS (3 * NS_PER_S)	/* 2 s are promised, one is the test's own */
#define FLOOD_BYTES_MAX 600000
#define PATIENCE_MS 20		/* of what a refusal asks for */

const struct kind kinds[] = {
	{ "", "{\"number\":%llu}", 1000000, 30, -1, false },
	{ ".sleep", "{\"ms\":%llu}", 60, 20, -1, false },
	{ ".burn", "{\"ms\":%llu}", 4, 6, -1, false },
	{ ".progress", "{\"steps\":3,\"ms\":%llu}", 10, 4, -1, false },
	{ ".effect", "{\"token\":\"%s\",\"ms\":%llu}", 25, 25, -1, true },
	{ ".flood", "{\"bytes\":%llu}", FLOOD_BYTES_MAX, 6, FAULT_FLOOD, false },
	{ ".crash", "{\"signal\":11,\"phase\":%llu}", 200, 1, FAULT_CRASH, false },
	{ ".crash", "{\"exit\":3,\"accept\":false,\"phase\":%llu}", 200, 1, FAULT_CRASH, false },
	{ ".hang", "{\"ms\":%llu}", 400, 2, FAULT_HANG, false },
	{ ".hang", "{\"beats\":\"alive\",\"ms\":%llu}", 9000, 1, FAULT_HANG, false },
	{ ".fail", "{\"code\":2,\"reason\":\"%llu\"}", 9, 2, FAULT_FAIL, false },
	{ ".fail", "{\"code\":14,\"busy\":true,\"reason\":\"%llu\"}", 9, 2, FAULT_FAIL, false },
};
const size_t kind_count = COUNT(kinds);

static uint64_t tokens;		/* that were given out */

static const struct kind *choose_kind(void)
{
	unsigned sum = 0, at;
	const struct kind *kind = kinds;

	for (size_t i = 0; i < kind_count; i++)
		sum += kinds[i].weight;
	for (at = (unsigned)below(sum); at >= kind->weight; kind++)
		at -= kind->weight;
	return kind;
}

static void pack_input(struct pending *call)
{
	char text[200], token[32];
	json_t *json = NULL;
	struct error why;
	int r;

	snprintf(token, sizeof(token), "storm-%llu", (unsigned long long)call->token);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (call->kind->effect)
		snprintf(text, sizeof(text), call->kind->arguments, token,
			 (unsigned long long)call->number);
	else
		snprintf(text, sizeof(text), call->kind->arguments,
			 (unsigned long long)call->number);
#pragma GCC diagnostic pop
	r = json_parse(span_of_text(text), (struct json_limits){ 4096, 8 }, &json, &why);
	if (r == 0)
		r = convert_from_json(json, call->input, sizeof(call->input), &why);
	if (r < 0) {
		printf("not ok - %s: %s\n", text, why.text);
		exit(1);
	}
	json_decref(json);
	call->input_length = (size_t)r;
}

static void start_call(struct link *link, struct pending *call, int64_t now_ns)
{
	const struct kind *kind = choose_kind();
	bool haven = kind->fault < 0 && one_in(4);
	bool hurried = one_in(20);
	struct error why;

	*call = (struct pending){ .kind = kind, .number = below(kind->most) + 1,
				  .haven = haven };
	if (kind->effect)
		call->token = ++tokens;
	call->deadline_ns = now_ns + (hurried ? (int64_t)below(20) + 1 :
				      (int64_t)below(4000) + 300) * NS_PER_MS;
	if (one_in(15))
		call->cancel_ns = now_ns + (int64_t)below(30) * NS_PER_MS;
	call->pool = (unsigned)below(given.pools);
	call->fair = !haven && !hurried && !call->cancel_ns &&
		     (kind->fault < 0 || kind->fault == FAULT_FLOOD);
	if (haven)
		snprintf(call->tool, sizeof(call->tool), HAVEN "%s", kind->method);
	else
		snprintf(call->tool, sizeof(call->tool), "storm%u%s", call->pool,
			 kind->method);
	pack_input(call);
	const struct client_ask ask = {
		.tool = call->tool,
		.input = { call->input, call->input_length },
		.deadline_ns = call->deadline_ns,
		.priority = (uint32_t)below(8),
	};

	if (client_call(&link->client, &ask, &call->id, &why) < 0) {
		if (kind->effect)
			fprintf(given.tokens, "storm-%llu never\n", (unsigned long long)call->token);
		return;
	}
	call->used = true;
	counts.started++;
	if (kind->fault >= 0)
		counts.fired[kind->fault]++;
	if (hurried)
		counts.fired[FAULT_DEADLINE]++;
}

static struct pending *find_call(struct link *link, uint64_t id)
{
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (link->calls[i].used && link->calls[i].id == id)
			return &link->calls[i];
	return NULL;
}

static void take_chunk(struct pending *call, struct span body)
{
	size_t at = call->received % 65536;

	for (size_t i = 0; i < body.length; i++, at = (at + 1) % 65536)
		if (body.data[i] != 'a' + at % 26)
			call->torn = true;
	call->received += body.length;
}

/* Never: only what certainly was not executed. */
static const char *effect_of(const struct pending *call, int code,
			     enum error_origin origin)
{
	if (code == ERROR_OK)
		return "once";
	if (code == ERROR_CRASH_NOT_STARTED || code == ERROR_BREAKER_OPEN ||
	    code == ERROR_QUEUE_FULL || code == ERROR_SHED ||
	    code == ERROR_DRAINING || code == ERROR_POISON)
		return "never";
	(void)call;
	(void)origin;
	return "maybe";
}

static void take_result(struct pending *call, const struct client_event *event,
			int64_t now_ns)
{
	unsigned code = event->result.code;
	int64_t away = away_ns(call->deadline_ns, now_ns);
	int64_t late_ns = now_ns - call->deadline_ns - away;
	bool is_flood = strcmp(call->kind->method, ".flood") == 0;

	counts.ended++;
	counts.ends[code < ERROR_CODE_COUNT ? code : ERROR_UNKNOWN]++;
	counts.served[call->pool] += code == ERROR_OK && !call->haven;
	/* Refusals cost nothing: how many there are depends on the machine. */
	counts.fair_calls += call->fair && code != ERROR_SHED && code != ERROR_BREAKER_OPEN;
	counts.fair_well += call->fair && code == ERROR_OK;
	if (late_ns > LATE_NS ||
	    (event->result.origin == ORIGIN_CLIENT && code == ERROR_DEADLINE_EXCEEDED && !away)) {
		counts.late++;
		printf("# late: %s, by %lld ms\n", call->tool, (long long)(late_ns / NS_PER_MS));
	}
	if (code == ERROR_INVALID_ARGUMENT || code == ERROR_NOT_FOUND ||
	    code == ERROR_UNIMPLEMENTED || code == ERROR_PROTOCOL || code == ERROR_INTERNAL)
		violated("%s: %s: %.*s", call->tool, error_row((int)code)->name,
			 (int)event->result.reason.length, event->result.reason.data);
	if (code == ERROR_OK && is_flood &&
	    (call->received != call->number || call->torn))
		violated("%s: %zu bytes of %llu%s", call->tool, call->received,
			 (unsigned long long)call->number, call->torn ? ", torn" : "");
	if (code == ERROR_OK && !is_flood && strcmp(call->kind->method, ".burn") != 0 &&
	    strcmp(call->kind->method, ".progress") != 0 &&
	    !span_equal(event->body, (struct span){ call->input, call->input_length }))
		violated("%s: the answer of another call", call->tool);
	if (code == ERROR_OK &&
	    (call->kind->fault == FAULT_FAIL || call->kind->fault == FAULT_CRASH))
		violated("%s: ended well", call->tool);
	if (call->haven && (code == ERROR_UNAVAILABLE || code == ERROR_DATA_LOSS ||
			    code == ERROR_CRASH_OUTCOME_UNKNOWN ||
			    code == ERROR_CRASH_NOT_STARTED))
		violated("%s: lost, with a router: %s: %.*s", call->tool,
			 error_row((int)code)->name, (int)event->result.reason.length,
			 event->result.reason.data);
	counts.havens += call->haven && code == ERROR_OK;
	if (call->kind->effect)
		fprintf(given.tokens, "storm-%llu %s\n", (unsigned long long)call->token,
			effect_of(call, (int)code, (enum error_origin)event->result.origin));
	call->used = false;
	if (event->result.retry_after_ms > 0)
		call->again_ns = now_ns + NS_PER_MS *
			(event->result.retry_after_ms < PATIENCE_MS ?
			 event->result.retry_after_ms : PATIENCE_MS);
}

static void take_event(struct link *link, const struct client_event *event,
		       int64_t now_ns)
{
	struct pending *call;

	if (event->call == 0)
		return;
	call = find_call(link, event->call);
	if (!call) {
		violated("a word about a call that is over");
		return;
	}
	if (event->kind == CLIENT_ACCEPTED)
		call->accepted = true;
	else if (event->kind == CLIENT_CHUNK)
		take_chunk(call, event->body);
	else if (event->kind == CLIENT_RESULT)
		take_result(call, event, now_ns);
}

/* ---- links ---- */

/* A descriptor, or a negative errno. */
static int connect_to_router(void *owner)
{
	struct link *link = owner;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", given.socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	link->opened_ns = clock_now_ns();
	return fd;
}

bool open_link(struct link *link)
{
	int fd = connect_to_router(link);

	if (fd < 0)
		return false;
	link->open = client_init(&link->client, fd, "storm", NULL) == 0;
	client_reconnect_by(&link->client, connect_to_router, link);
	return link->open;
}

void close_link(struct link *link, int64_t now_ns)
{
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (link->calls[i].used) {
			violated("%s: no result on a lost link", link->calls[i].tool);
			link->calls[i].used = false;
		}
	client_release(&link->client);
	link->open = false;
	link->again_ns = now_ns + 20 * NS_PER_MS;
}

void drop_link(struct link *link, int64_t now_ns)
{
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct pending *call = &link->calls[i];

		if (call->used && call->kind->effect)
			fprintf(given.tokens, "storm-%llu maybe\n", (unsigned long long)call->token);
		if (call->used)
			counts.ended++;
		call->used = false;
	}
	counts.fired[FAULT_LINK]++;
	close_link(link, now_ns);
}

void serve_link(struct link *link, int64_t now_ns, bool calls)
{
	struct client_event event;
	int r;

	if (!link->open && now_ns < link->again_ns)
		return;
	if (!link->open && !open_link(link)) {
		link->again_ns = now_ns + 20 * NS_PER_MS;
		return;
	}
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct pending *call = &link->calls[i];

		if (!call->used && calls && now_ns >= call->again_ns)
			start_call(link, call, now_ns);
		if (call->used && call->cancel_ns && now_ns >= call->cancel_ns) {
			client_cancel(&link->client, call->id);
			call->cancel_ns = 0;
			counts.fired[FAULT_CANCEL]++;
		}
	}
	while ((r = client_next(&link->client, clock_now_ns(), &event)) == 0)
		take_event(link, &event, clock_now_ns());
	if (!outage.to_ns && link->client.welcome && !link->client.away &&
	    link->opened_ns > outage.from_ns)
		end_outage(clock_now_ns());
	if (r != -EAGAIN) {
		if (r != -EPIPE)
			violated("a link ended: %s", link->client.why.text);
		else
			printf("# a link was closed: %s\n", link->client.why.text);
		/* The rest of the results, made by the client. */
		while (client_next(&link->client, clock_now_ns(), &event) == 0)
			take_event(link, &event, clock_now_ns());
		close_link(link, now_ns);
	}
}
