#include <assert.h>
#include <string.h>

#include "supervisor/router/parts_core.h"
#include "supervisor/router/report_core.h"

#define OWN_PREFIX "router."
#define OWN_ATTACH "router.attach"
#define OWN_PIECE_BYTES 131072	/* of output, as one frame */
#define OWN_WORDS 3
#define OWNER (1U << ROLE_OWNER)
#define EVERYBODY ((1U << ROLE_COUNT) - 1)

/* The words of an order; each borrows from the call's argument. */
struct words {
	struct span words[OWN_WORDS];
	unsigned count;
};

static struct words split(struct span text)
{
	struct words words = { .count = 0 };
	size_t at = 0;

	while (at < text.length && words.count < OWN_WORDS) {
		size_t start;

		while (at < text.length && text.data[at] <= ' ')
			at++;
		start = at;
		while (at < text.length && text.data[at] > ' ')
			at++;
		if (at > start)
			words.words[words.count++] =
				(struct span){ text.data + start, at - start };
	}
	return words;
}

static bool is_word(const struct words *words, unsigned index,
		    const char *text)
{
	return index < words->count &&
	       span_equal(words->words[index], span_of_text(text));
}

static struct tool *named_tool(struct router *router,
			       const struct words *words)
{
	int row = words->count < 2 ? -1 :
		  catalog_find_tool(router->catalog,
				    (const char *)words->words[1].data,
				    words->words[1].length);

	return row < 0 || router->tool_of[row] == NONE ? NULL :
	       &router->tools[router->tool_of[row]];
}

static void write_done(struct writer *writer)
{
	json_open(writer, NULL, "{");
	json_bool(writer, "done", true);
	json_close(writer, "}");
	write_text(writer, "\n");
}

/* ---- methods ---- */

static enum error_code own_status(struct router *router,
				  const struct words *words,
				  struct writer *writer, int64_t now_ns)
{
	(void)words;
	report_status(router, writer, now_ns);
	return ERROR_OK;
}

static enum error_code own_health(struct router *router,
				  const struct words *words,
				  struct writer *writer, int64_t now_ns)
{
	(void)words;
	report_health(router, writer, now_ns);
	return ERROR_OK;
}

static enum error_code own_metrics(struct router *router,
				   const struct words *words,
				   struct writer *writer, int64_t now_ns)
{
	(void)words;
	report_metrics(router, writer, now_ns);
	return ERROR_OK;
}

static enum error_code own_tools(struct router *router,
				 const struct words *words,
				 struct writer *writer, int64_t now_ns)
{
	(void)words;
	report_tools(router, writer, now_ns);
	return ERROR_OK;
}

/* A whole number of seconds, 0 if there is none; false for nonsense. */
static bool take_seconds(const struct words *words, int64_t *ret_ns)
{
	int64_t seconds = 0;

	for (size_t i = 0; words->count > 2 && i < words->words[2].length; i++) {
		unsigned digit = words->words[2].data[i] - (unsigned)'0';

		if (digit > 9 || seconds > 100000000)	/* some thirty years */
			return false;
		seconds = seconds * 10 + digit;
	}
	*ret_ns = seconds * NS_PER_S;
	return true;
}

static void order_pool(struct router *router, uint32_t pool, enum pool_order order)
{
	control_send(router, CONTROL_POOL_ORDER, &(struct control){
		.pool = (uint16_t)pool, .detail = (uint8_t)order });
}

static enum error_code own_breaker(struct router *router,
				   const struct words *words,
				   struct writer *writer, int64_t now_ns)
{
	struct tool *tool = named_tool(router, words);
	bool reset = is_word(words, 0, "reset");
	int64_t for_ns;

	if (!tool)
		return ERROR_NOT_FOUND;
	if ((!reset && !is_word(words, 0, "isolate")) || !take_seconds(words, &for_ns))
		return ERROR_INVALID_ARGUMENT;
	if (reset && tool->breaker.pool_down)	/* its workers are tried, too */
		order_pool(router, tool->row.pool, POOL_RESET);
	if (reset)
		breaker_reset(&tool->breaker, now_ns);
	else
		breaker_isolate(&tool->breaker, for_ns, now_ns);
	router_say(router, NOTE_INFO, "breaker ordered", tool->row.name, NULL);
	tool_watch(router, tool, now_ns);
	write_done(writer);
	return ERROR_OK;
}

static enum error_code own_tool(struct router *router,
				const struct words *words,
				struct writer *writer, int64_t now_ns)
{
	struct tool *tool = named_tool(router, words);

	if (!tool)
		return ERROR_NOT_FOUND;
	if (!is_word(words, 0, "enable") && !is_word(words, 0, "disable"))
		return ERROR_INVALID_ARGUMENT;
	tool->enabled = is_word(words, 0, "enable");
	if (!tool->enabled)
		tool_flush(router, (uint32_t)(tool - router->tools),
			   ERROR_UNAVAILABLE, "the tool is disabled", now_ns);
	router_say(router, NOTE_INFO, tool->enabled ? "tool enabled"
		   : "tool disabled", tool->row.name, NULL);
	write_done(writer);
	return ERROR_OK;
}

static enum error_code own_pool(struct router *router,
				const struct words *words,
				struct writer *writer, int64_t now_ns)
{
	static const struct { const char *word; enum pool_order order; } orders[] = {
		{ "reset", POOL_RESET }, { "disable", POOL_DISABLE },
		{ "enable", POOL_ENABLE },
	};

	(void)now_ns;
	for (uint32_t i = 0; i < router->catalog->pool_count; i++) {
		if (!is_word(words, 1, router->pools[i].row.name))
			continue;
		for (unsigned j = 0; j < sizeof(orders) / sizeof(orders[0]); j++) {
			if (!is_word(words, 0, orders[j].word))
				continue;
			order_pool(router, i, orders[j].order);
			write_done(writer);
			return ERROR_OK;
		}
		return ERROR_INVALID_ARGUMENT;
	}
	return ERROR_NOT_FOUND;
}

static enum error_code own_reload(struct router *router,
				  const struct words *words,
				  struct writer *writer, int64_t now_ns)
{
	(void)words;
	(void)now_ns;
	control_send(router, CONTROL_RELOAD, &(struct control){ 0 });
	write_done(writer);
	return ERROR_OK;
}

/* "off" takes it back. */
static enum error_code own_drain(struct router *router,
				 const struct words *words,
				 struct writer *writer, int64_t now_ns)
{
	(void)now_ns;
	router->draining = !is_word(words, 0, "off");
	json_open(writer, NULL, "{");
	json_bool(writer, "draining", router->draining);
	json_number(writer, "in_flight", router->running);
	json_number(writer, "queued", router->waiting - router->held - 1);
	json_close(writer, "}");
	write_text(writer, "\n");
	return ERROR_OK;
}

static enum error_code own_shutdown(struct router *router,
				    const struct words *words,
				    struct writer *writer, int64_t now_ns)
{
	(void)words;
	(void)now_ns;
	control_send(router, CONTROL_SHUTDOWN, &(struct control){ 0 });
	write_done(writer);
	return ERROR_OK;
}

static const struct {
	const char *name;
	unsigned roles;
	enum error_code (*run)(struct router *router, const struct words *words,
			       struct writer *writer, int64_t now_ns);
	const char *usage;
} methods[] = {
	{ "router.status",   EVERYBODY, own_status,   "" },
	{ "router.health",   EVERYBODY, own_health,   "" },
	{ "router.metrics",  EVERYBODY, own_metrics,  "" },
	{ "router.tools",    EVERYBODY, own_tools,    "" },
	{ "router.breaker",  OWNER,     own_breaker,  "reset TOOL, or isolate TOOL [SECONDS]" },
	{ "router.tool",     OWNER,     own_tool,     "disable TOOL, or enable TOOL" },
	{ "router.pool",     OWNER,     own_pool,     "reset POOL, disable POOL, or enable POOL" },
	{ "router.reload",   OWNER,     own_reload,   "" },
	{ "router.drain",    OWNER,     own_drain,    "nothing, or off" },
	{ "router.shutdown", OWNER,     own_shutdown, "" },
};

bool own_method(const struct message *message)
{
	const struct message_text *tool = &message->call.tool;

	return tool->length >= strlen(OWN_PREFIX) &&
	       memcmp(tool->data, OWN_PREFIX, strlen(OWN_PREFIX)) == 0;
}

/* ---- running one ---- */

struct output {
	struct router *router;
	struct kept *kept;
	bool failed;
};

static void append(struct output *output, const struct message *message)
{
	struct parcel *parcel = parcel_keep(output->router, message);

	if (parcel)
		parcels_append(&output->kept->parcels, parcel);
	else
		output->failed = true;
}

static void on_full(void *owner, struct writer *writer)
{
	append(owner, &(struct message){
		.kind = MESSAGE_CHUNK,
		.body = { (const uint8_t *)writer->data, writer->length } });
	writer->length = 0;
}

static struct ending run(struct router *router, struct call *call,
			 struct writer *writer, int64_t now_ns)
{
	const struct message *message = &call->arguments.first->message;
	struct span name = { (const uint8_t *)message->call.tool.data,
			     message->call.tool.length };
	struct words words = split(message->body);
	struct ending ending = ending_of(ERROR_OK, "");
	size_t i = 0, count = sizeof(methods) / sizeof(methods[0]);

	while (i < count && !span_equal(name, span_of_text(methods[i].name)))
		i++;
	if (i == count)
		return ending_of(ERROR_NOT_FOUND,
				 "the router has no such method");
	if (!(methods[i].roles & 1U << call->role))
		return ending_of(ERROR_DENIED_BY_ACL,
				 "only the supervisor's owner may do this");
	ending.code = methods[i].run(router, &words, writer, now_ns);
	if (ending.code == ERROR_NOT_FOUND) {
		ending_add(&ending, "no such tool or pool; 'cupel tools' lists the tools");
	} else if (ending.code != ERROR_OK) {
		ending_add(&ending, "expected: ");
		ending_add(&ending, methods[i].usage);
	}
	return ending;
}

static bool is_attach(const struct call *call)
{
	const struct message_text *name =
		&call->arguments.first->message.call.tool;

	return span_equal((struct span){ (const uint8_t *)name->data,
					 name->length },
			  span_of_text(OWN_ATTACH));
}

static void answer_order(struct router *router, struct call *call,
			 int64_t now_ns)
{
	struct output output = { .router = router,
				 .kept = kept_new(router) };
	char *piece = store_take(&router->store, OWN_PIECE_BYTES);
	struct writer writer = { .data = piece, .capacity = OWN_PIECE_BYTES,
				 .full = on_full, .owner = &output };
	struct ending ending = ending_of(ERROR_RESOURCE_EXHAUSTED,
					 "no room for the answer");

	if (call->kept)
		kept_release(router, call->kept);
	call->kept = output.kept;
	if (output.kept && piece)
		ending = run(router, call, &writer, now_ns);
	if (output.kept && piece && ending.code == ERROR_OK)
		append(&output, &(struct message){
			.kind = MESSAGE_RESULT,
			.result.origin = ORIGIN_ROUTER,
			.body = { (const uint8_t *)piece, writer.length } });
	if (piece)
		store_give(&router->store, piece);
	if (ending.code != ERROR_OK || output.failed) {
		call_end(router, call, &ending, now_ns);
		return;
	}
	call_count_end(router, call, ERROR_OK, now_ns);
	call->flags &= ~(uint32_t)CALL_DETACHED;
	call->last_kept = NULL;
	call->keep_ns = call->limits.absolute_ns;
	call_enter(router, call, CALL_DELIVERING);
	share_deliver(router, call, now_ns);
}

/* Everything else is done at once; whoever attaches waits. */
void own_call(struct router *router, struct call *call, int64_t now_ns)
{
	if (is_attach(call))
		effect_attach(router, call, now_ns);
	else
		answer_order(router, call, now_ns);
}

/* ---- health: a look at every component ---- */

static void name_component(struct health_component *component,
			   const char *prefix, const char *name)
{
	struct writer writer = { .data = component->name,
				 .capacity = HEALTH_NAME_BYTES - 1 };

	write_text(&writer, prefix);
	write_text(&writer, name);
	component->name[writer.length] = '\0';
}

static const struct {
	enum health_status status, critical;
} of_state[RESTART_STATE_COUNT] = {
	[RESTART_UP]        = { HEALTH_HEALTHY,  HEALTH_HEALTHY },
	[RESTART_DEGRADED]  = { HEALTH_HEALTHY,  HEALTH_HEALTHY },
	[RESTART_PROBATION] = { HEALTH_DEGRADED, HEALTH_DEGRADED },
	[RESTART_CRASHLOOP] = { HEALTH_DEGRADED, HEALTH_UNHEALTHY },
	[RESTART_FAILED]    = { HEALTH_DEGRADED, HEALTH_UNHEALTHY },
	[RESTART_DRAINING]  = { HEALTH_DEGRADED, HEALTH_UNHEALTHY },
	[RESTART_DISABLED]  = { HEALTH_DEGRADED, HEALTH_UNHEALTHY },
};

struct look {
	enum health_status status;
	struct writer writer;
	char text[HEALTH_DETAIL_BYTES];
};

static void see(struct look *look, enum health_status status,
		const char *text, const char *name)
{
	look->status = health_worse(look->status, status);
	if (look->writer.length > 0)
		write_text(&look->writer, "; ");
	write_text(&look->writer, text);
	write_text(&look->writer, name);
}

static void look_at_breakers(const struct pool *pool, bool critical,
			     struct look *look)
{
	for (struct list *link = pool->tools.next; link != &pool->tools;
	     link = link->next) {
		const struct tool *tool = LIST_OWNER(link, struct tool,
						     pool_link);

		if (tool->breaker.state == BREAKER_OPEN ||
		    (tool->breaker.state == BREAKER_FORCED_OPEN &&
		     !tool->breaker.pool_down))
			see(look, critical ? HEALTH_UNHEALTHY : HEALTH_DEGRADED,
			    "breaker open: ", tool->row.name);
	}
}

static void look_at_workers(const struct pool *pool, bool critical,
			    struct look *look, int64_t now_ns)
{
	if (pool->row.kind == POOL_STATIC && pool->ready_count == 0)
		see(look, critical ? HEALTH_UNHEALTHY : HEALTH_DEGRADED,
		    "no worker is ready", "");
	else if (pool->row.kind == POOL_STATIC &&
		 pool->ready_count < pool->row.size)
		see(look, HEALTH_DEGRADED, "not all workers are ready", "");
	for (struct list *link = pool->slots.next; link != &pool->slots;
	     link = link->next) {
		const struct slot *slot = LIST_OWNER(link, struct slot,
						     pool_link);

		if (slot->state == SLOT_READY && slot->ping_ns != 0 &&
		    slot->pong_ns < 0 &&
		    now_ns - slot->ping_ns >= HEALTH_LIMIT_NS)
			see(look, HEALTH_DEGRADED,
			    "a worker does not answer its ping", "");
	}
}

/* Its first workers are on their way: nothing is known of it yet. */
static bool is_starting(const struct pool *pool)
{
	return pool->row.kind == POOL_STATIC && !pool->served &&
	       of_state[pool->state].status == HEALTH_HEALTHY;
}

void health_pool(struct router *router, struct pool *pool, int64_t now_ns)
{
	bool critical = pool->row.flags & POOL_CRITICAL;
	struct look look = { .status = HEALTH_HEALTHY };

	(void)router;
	look.writer = (struct writer){ .data = look.text,
				       .capacity = sizeof(look.text) - 1 };
	name_component(&pool->health, "pool ", pool->row.name);
	if (is_starting(pool)) {
		health_await(&pool->health, "no worker has been ready yet");
		return;
	}
	if (of_state[pool->state].status != HEALTH_HEALTHY)
		see(&look, critical ? of_state[pool->state].critical
				    : of_state[pool->state].status,
		    "pool is ", restart_state_name(pool->state));
	look_at_workers(pool, critical, &look, now_ns);
	look_at_breakers(pool, critical, &look);
	look.text[look.writer.length] = '\0';
	health_see(&pool->health, HEALTH_FACT, look.status, look.text, now_ns);
}

static void ping(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->size.slots; i++) {
		struct slot *slot = &router->slots[i];

		if (slot->state != SLOT_READY ||
		    (slot->ping_ns && slot->pong_ns < 0))
			continue;	/* an unanswered one stays the question */
		slot->ping_token = router_nonce(router);
		slot->ping_ns = now_ns;
		slot->pong_ns = -1;
		peer_send(router, slot_peer(router, i), &(struct message){
			.kind = MESSAGE_PING, .generation = slot->generation,
			.ping.token = slot->ping_token }, now_ns);
	}
}

void health_round(struct router *router, int64_t now_ns)
{
	bool silent = now_ns - router->monitor_ns > HEALTH_INTERVAL_NS +
						    HEALTH_LIMIT_NS;

	for (uint32_t i = 0; i < router->catalog->pool_count; i++)
		health_pool(router, &router->pools[i], now_ns);
	name_component(&router->monitor_health, "monitor", "");
	health_see(&router->monitor_health, HEALTH_FACT,
		   silent ? HEALTH_UNHEALTHY : HEALTH_HEALTHY,
		   silent ? "the monitor has been silent" : "", now_ns);
	ping(router, now_ns);
}

static const struct {
	const char *name;
	unsigned degraded, unhealthy;	/* percent used; 101: never */
} resources[RESOURCE_COUNT] = {
	[RESOURCE_MEMORY] = { "memory", 75, 90 },
	[RESOURCE_DISK]   = { "disk",   80, 90 },
	[RESOURCE_CPU]    = { "cpu",    80, 101 },	/* to be at work is no illness */
};

void health_sample(struct router *router, const struct router_sample *sample,
		   int64_t now_ns)
{
	const unsigned percents[RESOURCE_COUNT] = {
		sample->memory_percent, sample->disk_percent,
		sample->cpu_percent,
	};

	router->self = sample->self;
	router->monitor = sample->monitor;
	memcpy(router->works, sample->works, sizeof(router->works));
	for (unsigned i = 0; i < RESOURCE_COUNT; i++) {
		struct health_component *component = &router->resources[i];
		char text[HEALTH_DETAIL_BYTES];
		struct writer writer = { .data = text,
					 .capacity = sizeof(text) - 1 };

		name_component(component, resources[i].name, "");
		if (percents[i] > 100)
			continue;	/* not known: it goes stale */
		write_number(&writer, percents[i]);
		write_text(&writer, " % in use");
		text[writer.length] = '\0';
		health_see(component, HEALTH_MEASURE, health_of_percent(
				   percents[i], resources[i].degraded,
				   resources[i].unhealthy), text, now_ns);
	}
}
