#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <string.h>

#define KEY_WORDS 6
#define CACHE_BYTES_MAX (16U << 20)
#define PARCEL_WEIGHT 256	/* beside its bytes: the small ones are not free */

/* ---- what is kept ---- */

struct kept *kept_new(struct router *router)
{
	struct kept *kept = store_take(&router->store, sizeof(*kept));

	if (kept)
		*kept = (struct kept){ .references = 1 };
	return kept;
}

void kept_sign(struct router *router, struct kept *kept, const struct call *call)
{
	kept->number = call_number(router, call);
	if (call->instead)
		memcpy(kept->instead, tool_name(router, call), sizeof(kept->instead));
}

void kept_clear(struct router *router, struct kept *kept)
{
	parcels_clear(&kept->parcels, &router->store);
	*kept = (struct kept){ .references = kept->references };
}

void kept_release(struct router *router, struct kept *kept)
{
	if (--kept->references > 0)
		return;
	parcels_clear(&kept->parcels, &router->store);
	store_give(&router->store, kept);
}

static void release_cached(void *owner, void *value, enum cache_reason reason)
{
	(void)reason;
	kept_release(owner, value);
}

void share_init(struct router *router)
{
	cache_init(&router->cache, &(struct cache_settings){
		.bytes_max = CACHE_BYTES_MAX,
		.key_bytes_max = KEY_WORDS * sizeof(uint64_t),
		.protected_percent = 80,
		.hash_key = router->keys[0],
		.release = release_cached,
		.owner = router,
	}, router->cache_entries, router->cache_keys, router->size.cached);
	flight_init(&router->flights, router->keys[1], router->flight_rows,
		    ROUTER_FLIGHTS);
}

void share_read_anew(struct call *call)
{
	call->last_kept = NULL;
	call->dropped = call->kept ? call->kept->dropped : 0;
}

void share_pass_over(struct call *call, const struct parcel *parcel,
		     struct parcel *before)
{
	if (call->last_kept == parcel)
		call->last_kept = before;
	else if (parcel->place >= call->had &&
		 (!call->last_kept || call->last_kept->place < parcel->place))
		call->dropped += parcel->bytes;
}

/* Then nobody else gets any of it. */
void share_stop_collecting(struct router *router, struct call *call)
{
	if (call->kept)
		kept_release(router, call->kept);
	call->kept = NULL;
	share_read_anew(call);
	call->collecting = false;
}

static bool is_output(const struct message *message)
{
	return message->kind == MESSAGE_CHUNK && message->chunk.stream != 0;
}

static size_t weight_of(size_t bytes)
{
	return bytes + PARCEL_WEIGHT;
}

/* The oldest of the output's end goes, as long as that is too long. */
static void cut(struct router *router, struct call *call, size_t most)
{
	struct kept *kept = call->kept;
	struct parcel *before = kept->beginning;

	while (kept->end_bytes > most) {
		struct parcel *parcel = before->next;

		if (!is_output(&parcel->message)) {
			before = parcel;
			continue;
		}
		if (parcel == kept->parcels.last)
			return;
		kept->end_bytes -= weight_of(parcel->bytes);
		kept->dropped += parcel->bytes;
		effect_pass_over(router, call, parcel, before);
		parcels_drop_next(&kept->parcels, before, &router->store);
	}
}

/* Half of what may be kept is its beginning, half its end. */
static void account(struct router *router, struct call *call,
		    const struct parcel *parcel)
{
	struct kept *kept = call->kept;
	size_t half = router->size.kept_bytes / 2;
	size_t weight = weight_of(parcel->bytes);

	if (!is_output(&parcel->message))
		kept->result_bytes += weight;
	else if (kept->beginning || kept->beginning_bytes + weight > half)
		kept->end_bytes += weight;
	else
		kept->beginning_bytes += weight;
	if (!kept->beginning && kept->end_bytes > 0)
		kept->beginning = kept->parcels.last;
}

static bool has_room(const struct router *router, const struct call *call,
		     const struct message *message)
{
	const struct kept *kept = call->kept;
	size_t most = router->size.kept_bytes;
	size_t weight = weight_of(message->body.length);

	if (!is_output(message))
		return kept->result_bytes + weight <= most;
	return call->cuts ||
	       kept->beginning_bytes + kept->end_bytes + weight <= most;
}

void share_collect(struct router *router, struct call *call,
		   const struct message *message)
{
	struct message copy = *message;
	struct parcel *parcel = NULL;

	if (!call->collecting)
		return;
	copy.generation = 0;
	if (has_room(router, call, message))
		parcel = parcel_keep(router, &copy);
	if (!parcel) {
		share_stop_collecting(router, call);
		return;
	}
	parcel->place = call->kept->places++;
	kept_sign(router, call->kept, call);
	account(router, call, parcel);
	parcels_append(&call->kept->parcels, parcel);
	if (call->cuts && call->kept->beginning)
		cut(router, call, router->size.kept_bytes / 2);
}

void share_begin_collecting(struct router *router, struct call *call, bool cuts)
{
	if (!call->kept)
		call->kept = kept_new(router);
	call->collecting = call->kept != NULL;
	call->cuts |= cuts;
}

/* ---- delivering ---- */

/* A detached one is kept a while longer, in case this client goes, too. */
static void end_delivery(struct router *router, struct call *call,
			 int64_t now_ns)
{
	if (!(call->flags & CALL_DETACHED)) {
		call_free(router, call);
		return;
	}
	call->answered = true;
	call_hold(router, call, now_ns + HELD_ACK_NS);
}

/* Its client has it from an earlier router. */
static bool is_had(const struct call *call, const struct parcel *parcel)
{
	return parcel->message.kind == MESSAGE_CHUNK && parcel->place < call->had;
}

static struct parcel *next_kept(struct call *call)
{
	struct parcel *next;

	for (;;) {
		next = call->last_kept ? call->last_kept->next
				       : call->kept->parcels.first;
		if (!next || !is_had(call, next))
			return next;
		call->last_kept = next;
	}
}

/* Whether its RESULT was among what went out. */
static bool send_kept(struct router *router, struct call *call, int64_t now_ns)
{
	struct parcel *next;

	while ((next = next_kept(call)) && credit_take(&call->to_client, next->bytes)) {
		struct message message = next->message;

		message.call_id = call->client_id;
		if (message.kind == MESSAGE_CHUNK)
			message.chunk.sequence = call->chunks_out++;
		else
			message.result.chunks = call->chunks_out;
		call->last_kept = next;
		if (message.kind == MESSAGE_RESULT)
			call_remark(router, call, now_ns);
		peer_send(router, call->client, &message, now_ns);
		if (message.kind == MESSAGE_RESULT)
			return true;
	}
	return false;
}

void share_deliver(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->client == NONE || call->answered || !call->kept ||
	    !call->kept->parcels.first)
		return;
	if (!call->announced) {
		call_announce(router, call, now_ns);
		if (!call->adopted)	/* else as its client has said */
			call->chunks_out = 0;
		share_read_anew(call);
	}
	if (send_kept(router, call, now_ns))
		end_delivery(router, call, now_ns);
}

void share_serve(struct router *router, struct call *call, struct kept *kept,
		 int64_t now_ns)
{
	const struct message *result = &kept->parcels.last->message;
	enum error_code code = (enum error_code)result->result.code;

	bool other = call->kept != kept;

	kept->references++;
	if (call->kept)
		kept_release(router, call->kept);
	call->kept = kept;
	if (other)
		share_read_anew(call);
	call->collecting = false;
	call_count_end(router, call, code, now_ns);
	if (call->client == NONE) {
		call_hold(router, call, now_ns + HELD_NS);
		return;
	}
	call->keep_ns = call->limits.absolute_ns;
	call_enter(router, call, CALL_DELIVERING);
	share_deliver(router, call, now_ns);
}

/* ---- joining ---- */

/*
 * What makes two calls one: tool, argument, workspace and catalogue, which
 * stands for class and policy. Hashes with two keys only we know stand for the
 * argument. Who may call at all was decided before.
 */
static void key_of(struct router *router, struct call *call,
		   uint64_t key[KEY_WORDS])
{
	struct signature signature = call_signature(router, call);

	key[0] = call->tool;
	key[1] = signature.words[0];
	key[2] = signature.words[1];
	key[3] = call->workspace;
	key[4] = router->catalog->generation;
	key[5] = router->tools[call->tool].row.class;
}

static bool shares(const struct router *router, const struct call *call)
{
	const struct catalog_tool *row = &router->tools[call->tool].row;

	return row->class == TOOL_PURE && !call->alone && !call->probe &&
	       (row->coalesce || row->cache_ns > 0 || row->stale_ns > 0);
}

struct cache_found share_find(struct router *router, struct call *call,
			      int64_t now_ns)
{
	uint64_t key[KEY_WORDS];

	key_of(router, call, key);
	return cache_get(&router->cache, (struct span){ (const uint8_t *)key, sizeof(key) },
			 now_ns);
}

/* Without a flight it asks on its own; its result is as good. */
static int join_flight(struct router *router, struct call *call,
		       int64_t now_ns)
{
	int r = flight_join(&router->flights, call->ticket, &call->waiter,
			    now_ns, call->limits.absolute_ns, &call->flight);

	if (r == FLIGHT_WAIT) {
		router->tools[call->tool].coalesced++;
		call->ticket = call->flight = 0;
		call_enter(router, call, CALL_JOINED);
		return 1;
	}
	if (r != FLIGHT_LEAD)
		call->flight = 0;
	share_begin_collecting(router, call, false);
	return 0;
}

int share_join(struct router *router, struct call *call, int64_t now_ns)
{
	uint64_t key[KEY_WORDS];
	struct span bytes = { (const uint8_t *)key, sizeof(key) };
	struct cache_found found;

	if (call->flags & CALL_DETACHED)
		share_begin_collecting(router, call, true);
	if (!shares(router, call))
		return 0;
	key_of(router, call, key);
	found = cache_get(&router->cache, bytes, now_ns);
	if (found.state == CACHE_FRESH) {
		router->tools[call->tool].hits++;
		share_serve(router, call, found.value, now_ns);
		return 1;
	}
	router->tools[call->tool].misses++;
	if (cache_reserve(&router->cache, bytes,
			  (uint64_t[CACHE_TAGS_MAX]){ call->tool + 1 },
			  &call->ticket) < 0)
		return 0;
	return join_flight(router, call, now_ns);
}

/* ---- landing ---- */

/* A failure that is the leader's own affair is not its followers'. */
static bool is_shared_end(const struct kept *kept)
{
	const struct message *last = &kept->parcels.last->message;

	return last->kind == MESSAGE_RESULT && kept->dropped == 0 &&
	       error_row((int)last->result.code)->class != ERROR_CLASS_TRANSIENT;
}

static void release_followers(struct router *router, int64_t now_ns)
{
	struct flight_waiter *waiter;

	while ((waiter = flight_pop(&router->flights))) {
		struct call *call = LIST_OWNER(waiter, struct call, waiter);

		if (waiter->status == 0) {
			share_serve(router, call, waiter->result, now_ns);
			continue;
		}
		call->alone = true;
		call_enter(router, call, CALL_RECEIVED);
		admit_complete(router, call, now_ns);
	}
}

void share_land(struct router *router, struct call *call, bool result,
		int64_t now_ns)
{
	struct kept *kept = result && call->kept && call->kept->parcels.last &&
			    is_shared_end(call->kept) ? call->kept : NULL;
	uint64_t ticket = call->ticket, flight = call->flight;
	bool good = kept && kept->parcels.last->message.result.code == ERROR_OK;
	const struct catalog_tool *row;

	call->ticket = call->flight = 0;
	if (!ticket)
		return;
	if (kept)
		kept->references++;	/* until all have theirs */
	row = &router->tools[call->tool].row;
	if (good && (row->cache_ns > 0 || row->stale_ns > 0) &&
	    cache_fill(&router->cache, ticket, &(struct cache_fill){
			.value = kept, .ttl_ns = row->cache_ns,
			.fallback_ns = row->stale_ns,
			.bytes = parcels_room(&kept->parcels),
		}, now_ns) == 0)
		kept->references++;
	else
		cache_fail(&router->cache, ticket, -1, 0, now_ns);
	if (flight) {
		flight_land(&router->flights, flight, kept ? 0 : -1, kept);
		release_followers(router, now_ns);
	}
	if (kept)
		kept_release(router, kept);
}

void share_leave(struct router *router, struct call *call)
{
	(void)router;
	flight_leave(&call->waiter);
}
