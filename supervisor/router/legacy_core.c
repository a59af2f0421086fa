#include "supervisor/router/legacy_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/parts_core.h"

/* ---- storage ---- */

static size_t rounded(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static uint32_t sessions_of(const struct router_size *size)
{
	return 2 * size->clients;
}

static uint32_t rows_of(const struct router_size *size)
{
	return 2 * size->calls;
}

static size_t calls_at(const struct router_size *size)
{
	return sizeof(struct legacy_head) +
	       rounded(sessions_of(size) * sizeof(struct legacy_session));
}

size_t legacy_bytes(const struct router_size *size)
{
	return calls_at(size) + rows_of(size) * sizeof(struct legacy_call);
}

size_t legacy_own_bytes(const struct router_size *size)
{
	return rounded(sessions_of(size)) + rows_of(size) * sizeof(struct heir);
}

static void place(struct legacy *legacy, const struct router_size *size, char *memory)
{
	legacy->head = (void *)memory;
	legacy->sessions = (void *)(memory + sizeof(struct legacy_head));
	legacy->calls = (void *)(memory + calls_at(size));
}

void legacy_init(struct router *router, void *memory, void *own)
{
	struct legacy *legacy = &router->legacy;

	place(legacy, &router->size, memory);
	legacy->size = rows_of(&router->size);
	legacy->session_count = sessions_of(&router->size);
	legacy->past = own;
	legacy->heirs = (void *)((char *)own + rounded(legacy->session_count));
	list_init(&legacy->free);
}

/* ---- rows ---- */

static void publish(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static uint32_t index_of(const struct legacy *legacy, struct list *link)
{
	return (uint32_t)(LIST_OWNER(link, struct heir, link) - legacy->heirs);
}

/* Its worker need not keep the result any longer. */
static void acknowledge(struct router *router, uint32_t index)
{
	const struct legacy_call *row = &router->legacy.calls[index];
	struct heir *heir = &router->legacy.heirs[index];
	struct slot *slot = &router->slots[row->slot];
	bool owed = heir->owed && slot->generation == row->generation;

	heir->owed = false;
	if (!owed)
		return;
	peer_send(router, slot_peer(router, row->slot), &(struct message){
		.kind = MESSAGE_RESULT_ACK, .call_id = row->handle,
		.generation = row->generation }, router->now_ns);
	slot->owed--;
	slot_settled(router, slot);
}

static void release(struct router *router, uint32_t index)
{
	struct legacy *legacy = &router->legacy;

	acknowledge(router, index);
	publish(&legacy->calls[index].handle, 0);
	legacy->used--;
	legacy->heirs[index] = (struct heir){ .call = NONE };
	list_prepend(&legacy->free, &legacy->heirs[index].link);
}

bool legacy_note(struct router *router, struct call *call, const struct slot *slot)
{
	struct legacy *legacy = &router->legacy;
	struct list *link = list_take_first(&legacy->free);
	uint32_t index = link ? index_of(legacy, link) : legacy->fresh;
	struct legacy_call *row = &legacy->calls[index];

	if (index == legacy->size)
		return false;
	legacy->fresh += index == legacy->fresh;
	legacy->used++;
	legacy->heirs[index] = (struct heir){
		.call = (uint32_t)(call - router->calls) };
	call->legacy = index;
	row->client_id = call->client_id;
	row->deadline_ns = call->limits.absolute_ns;
	memcpy(row->session, call->session, sizeof(row->session));
	row->effect = call->effect;
	if (call->effect != NONE)
		row->effect_name = router->effects.rows[call->effect].name;
	row->slot = slot_index(router, slot);
	row->generation = slot->generation;
	row->uid = call->uid;
	row->role = call->role;
	row->flags = call->flags;
	row->workspace = call->workspace;
	row->attempts = call->attempts + 1;
	row->priority = call->priority;
	row->own = call->probe || call->records;
	row->begun = row->told = row->left = false;
	row->instead = call->instead;
	memcpy(row->tool, router->tools[call->tool].row.name, sizeof(row->tool));
	if (call->generation > legacy->head->generation)
		legacy->head->generation = call->generation;
	publish(&row->handle, call_handle(router, call));
	return true;
}

void legacy_drop(struct router *router, struct call *call)
{
	if (call->legacy != NONE)
		release(router, call->legacy);
	call->legacy = NONE;
}

void legacy_begun(struct router *router, const struct call *call)
{
	router->legacy.calls[call->legacy].begun = true;
}

void legacy_left(struct router *router, const struct call *call, bool left)
{
	if (call->legacy != NONE)
		router->legacy.calls[call->legacy].left = left;
}

/* Until when somebody may confirm the result, or ask for it once more. */
static int64_t wanted_until_ns(const struct router *router, const struct call *call)
{
	if (call->answered || call->confirmed)
		return 0;
	if (call->flags & CALL_DETACHED && !call->borrowed)
		return router->now_ns + HELD_ACK_NS;
	if (call->client != NONE)
		return call->flags & CALL_RESUME ? DEADLINE_NEVER : 0;
	return call->adopted ? DEADLINE_NEVER : 0;
}

void legacy_result(struct router *router, struct call *call)
{
	struct legacy *legacy = &router->legacy;
	struct heir *heir = &legacy->heirs[call->legacy];

	heir->owed = true;
	heir->owed_until_ns = wanted_until_ns(router, call);
	router->slots[legacy->calls[call->legacy].slot].owed++;
	legacy->calls[call->legacy].told = true;
	if (heir->owed_until_ns == 0)
		acknowledge(router, call->legacy);
}

void legacy_relieve(struct router *router, const struct pool *pool)
{
	struct legacy *legacy = &router->legacy;

	for (uint32_t i = 0; i < legacy->fresh; i++) {
		const struct slot *slot = &router->slots[legacy->calls[i].slot];

		if (!legacy->heirs[i].owed ||
		    legacy->heirs[i].owed_until_ns == DEADLINE_NEVER ||
		    slot->state != SLOT_DRAINING || slot->pool == NONE ||
		    &router->pools[slot->pool] != pool)
			continue;
		acknowledge(router, i);
		return;
	}
}

static void await_confirmation(struct router *router, uint32_t index,
			       uint32_t client_index)
{
	struct client *client = &router->clients[client_index];
	struct user *user = user_row(router, client->uid);
	uint32_t left = router->legacy.size - router->legacy.used;

	list_append(&client->unconfirmed, &router->legacy.heirs[index].link);
	user->unconfirmed++;
	if (++client->unconfirmed_count > LEGACY_UNCONFIRMED_MAX ||
	    (client_is_guest(client) && !fair_allows(user->unconfirmed, left)))
		client_doom(router, client_index, ERROR_RESOURCE_EXHAUSTED,
			    "it does not confirm its results");
}

void legacy_leave(struct router *router, struct call *call)
{
	uint32_t index = call->legacy;
	struct heir *heir;

	if (index == NONE)
		return;
	heir = &router->legacy.heirs[index];
	call->legacy = heir->call = NONE;
	if (call->confirmed || !(call->flags & CALL_RESUME))
		release(router, index);
	else if (call->client != NONE)
		await_confirmation(router, index, call->client);
	else if (!heir->past)
		release(router, index);
	else
		acknowledge(router, index);
}

/* ---- a new life ---- */

static bool is_sound(const struct router *router, const struct legacy_call *row)
{
	return row->slot < router->size.slots && row->role < ROLE_COUNT &&
	       row->priority <= QUEUE_SHEDDABLE && row->deadline_ns > 0 &&
	       row->attempts > 0 && row->attempts <= UINT8_MAX &&
	       memchr(row->tool, '\0', sizeof(row->tool));
}

void legacy_inherit(struct router *router, void *memory, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;

	place(legacy, &router->size, memory);
	legacy->generation = legacy->head->generation;
	for (uint32_t i = 0; i < legacy->session_count; i++)
		legacy->past[i] = legacy->sessions[i].open;
	for (uint32_t i = 0; i < legacy->size; i++)
		if (legacy->calls[i].handle)
			legacy->fresh = i + 1;
	legacy->used = legacy->fresh;
	for (uint32_t i = 0; i < legacy->fresh; i++) {
		legacy->heirs[i] = (struct heir){ .call = NONE, .past = true };
		if (!legacy->calls[i].handle || !is_sound(router, &legacy->calls[i]))
			release(router, i);
	}
	legacy->waits = true;
	legacy->until_ns = now_ns + LEGACY_NS;
}

uint32_t legacy_tool_of(const struct router *router, const struct legacy_call *row)
{
	int found = catalog_find_tool(router->catalog, row->tool, strlen(row->tool));

	return found < 0 ? NONE : router->tool_of[found];
}

/* As if its client had left one that outlives that; what we asked is nobody's. */
static void restore(struct router *router, struct call *call,
		    const struct legacy_call *row, uint32_t tool)
{
	call->alias = row->handle;
	call->client_id = row->client_id;
	call->role = (enum caller_role)row->role;
	memcpy(call->session, row->session, SESSION_BYTES);
	call->tool = tool;
	call->workspace = row->workspace;
	call->priority = row->priority;
	call->attempts = row->attempts - 1;
	call->limits.absolute_ns = row->deadline_ns;
	call->adopted = call->begun = call->silent = call->alone = true;
	call->probe = row->own;
	call->instead = row->instead;
	call->borrowed = row->flags & CALL_RESUME && !(row->flags & CALL_DETACHED);
	call->flags = (row->flags & (CALL_DETACHED | CALL_REMARK | CALL_RESUME)) |
		      CALL_NO_RETRY | (call->borrowed ? CALL_DETACHED : 0U);
	router->tools[tool].users++;
	router->tools[tool].probing |= call->probe;
}

static void adopt(struct router *router, uint32_t index, struct slot *slot,
		  int64_t now_ns)
{
	const struct legacy_call *row = &router->legacy.calls[index];
	uint32_t tool = legacy_tool_of(router, row);
	struct call *call = tool == NONE ? NULL : call_new(router, row->uid, now_ns);

	if (!call)
		return;
	restore(router, call, row, tool);
	call->legacy = index;
	router->legacy.heirs[index].call = (uint32_t)(call - router->calls);
	share_begin_collecting(router, call, false);
	effect_resume(router, call, row->effect, row->effect_name);
	dispatch_adopted(router, call, slot, now_ns);
}

void legacy_adopt(struct router *router, struct slot *slot, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;
	uint32_t number = slot_index(router, slot);

	for (uint32_t i = 0; i < legacy->fresh; i++) {
		const struct legacy_call *row = &legacy->calls[i];

		if (row->handle && row->slot == number && legacy->heirs[i].past &&
		    row->generation == slot->generation &&
		    legacy->heirs[i].call == NONE)
			adopt(router, i, slot, now_ns);
	}
}

/* ---- clients ---- */

static bool is_session(const struct legacy_session *session, const struct client *client)
{
	return session->open && session->uid == client->uid &&
	       session->role == (uint32_t)client->role &&
	       memcmp(session->token, client->session, SESSION_BYTES) == 0;
}

/* Whether its session was there when an earlier router died, is known at once. */
void legacy_greet(struct router *router, uint32_t index)
{
	struct legacy *legacy = &router->legacy;
	struct client *client = &router->clients[index];
	uint32_t unused = NONE;

	if (client->internal)
		return;
	for (uint32_t i = 0; i < legacy->session_count; i++) {
		struct legacy_session *session = &legacy->sessions[i];

		if (unused == NONE && !session->open)
			unused = i;
		if (!legacy->past[i] || !is_session(session, client))
			continue;
		legacy->past[i] = false;
		client->legacy = i;
		client->resumed = true;
		return;
	}
	client->legacy = unused;
	if (unused == NONE)
		return;
	memcpy(legacy->sessions[unused].token, client->session, SESSION_BYTES);
	legacy->sessions[unused].uid = client->uid;
	legacy->sessions[unused].role = client->role;
	publish(&legacy->sessions[unused].open, 1);
}

void legacy_part(struct router *router, struct client *client)
{
	struct list *link;

	if (client->legacy != NONE)
		publish(&router->legacy.sessions[client->legacy].open, 0);
	client->legacy = NONE;
	user_row(router, client->uid)->unconfirmed -= client->unconfirmed_count;
	client->unconfirmed_count = 0;
	while ((link = list_take_first(&client->unconfirmed)))
		release(router, index_of(&router->legacy, link));
}

uint32_t legacy_find_past(const struct router *router, const struct client *client,
			  uint64_t id)
{
	const struct legacy *legacy = &router->legacy;

	for (uint32_t i = 0; i < legacy->fresh && legacy->waits; i++) {
		const struct legacy_call *row = &legacy->calls[i];

		if (legacy->heirs[i].past && row->handle && row->client_id == id &&
		    !row->own && row->uid == client->uid &&
		    row->role == (uint32_t)client->role &&
		    memcmp(row->session, client->session, SESSION_BYTES) == 0)
			return i;
	}
	return NONE;
}

void legacy_confirm(struct router *router, uint32_t index, uint64_t id)
{
	struct client *client = &router->clients[index];
	struct legacy *legacy = &router->legacy;
	uint32_t row;

	for (struct list *link = client->unconfirmed.next;
	     link != &client->unconfirmed; link = link->next) {
		row = index_of(legacy, link);
		if (legacy->calls[row].client_id != id)
			continue;
		list_remove(link);
		client->unconfirmed_count--;
		user_row(router, client->uid)->unconfirmed--;
		release(router, row);
		return;
	}
	/* It had read it before; a look takes time. */
	if (!client->resumed || !legacy->waits ||
	    !bucket_take(&client->looks, 1, router->now_ns))
		return;
	row = legacy_find_past(router, client, id);
	if (row == NONE)
		return;
	if (legacy->heirs[row].call == NONE)
		release(router, row);
	else
		call_confirm(router, &router->calls[legacy->heirs[row].call]);
}

/* ---- time ---- */

void legacy_round(struct router *router, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;

	for (uint32_t i = 0; i < legacy->fresh; i++)
		if (legacy->heirs[i].owed && legacy->heirs[i].owed_until_ns <= now_ns)
			acknowledge(router, i);
	if (!legacy->waits || now_ns < legacy->until_ns)
		return;
	legacy->waits = false;
	for (uint32_t i = 0; i < legacy->fresh; i++) {
		struct heir *heir = &legacy->heirs[i];

		if (!heir->past)
			continue;
		heir->past = false;
		if (heir->call == NONE)
			release(router, i);
		else
			resume_desert(router, &router->calls[heir->call], now_ns);
	}
	for (uint32_t i = 0; i < legacy->session_count; i++) {
		if (legacy->past[i])
			publish(&legacy->sessions[i].open, 0);
		legacy->past[i] = false;
	}
}
