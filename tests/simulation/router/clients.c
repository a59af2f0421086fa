/*
 * Clients: what they say, when they leave, and how they come back.
 */
#include "tests/simulation/router/world.h"

#include <string.h>

const char *const tool_names[TOOLS] = { "effect", "job", "pure", "pur", "spare" };
static const uint8_t nothing[1000];

/* Of its earlier life only what was detached is left. */
static void come_back(struct sim_client *client)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	for (unsigned i = 0; i < IDS; i++) {
		struct sim_call *call = &client->calls[i];

		call->outstanding &= call->detached;
		call->again = false;
		call->back = true;
		call->survived |= client->resumes;	/* it asks for its calls */
		call->promised = false;
		if (!client->resumes)
			call->chunks = call->next_output = 0;
		if (!client->resumes)
			call->dropped = 0;
		call->received = 0;
		call->credit = fresh;
	}
}

static void say(uint32_t index, const struct message *message)
{
	step((struct router_event){ .kind = ROUTER_MESSAGE, .peer = index,
				    .message = message });
}

static void greet(uint32_t index, const uint8_t *session, bool known)
{
	struct sim_client *client = &world.clients[index];

	client->open = true;
	client->parts_of = 0;
	world.closing[index] = world.starved[index] = false;
	step((struct router_event){ .kind = ROUTER_OPEN, .peer = index,
		.uid = 1000 + index % USERS, .role = ROLE_MEMBER });
	say(index, &(struct message){ .kind = MESSAGE_HELLO,
		.hello = { .major = 1, .session = {
			session, known ? SESSION_BYTES : 0 } } });
}

/* It knows another user's session, and what that one waits for. */
static void steal(uint32_t index)
{
	struct sim_client *thief = &world.clients[index];
	const struct sim_client *victim = &world.clients[(index + 1) % CLIENTS];

	thief->open = false;
	step((struct router_event){ .kind = ROUTER_CLOSED, .peer = index });
	greet(index, victim->session, true);
	for (uint32_t id = 1; id <= victim->next_id && thief->open; id++) {
		struct sim_call *call = &thief->calls[id % IDS];

		if (!victim->calls[id % IDS].outstanding || !victim->back_ns)
			continue;
		*call = (struct sim_call){ .outstanding = true, .stolen = true,
			.survived = true, .deadline_ns = world.now_ns,
			.credit = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES } };
		say(index, &(struct message){ .kind = MESSAGE_RESYNC, .call_id = id });
	}
	thief->open = thief->welcomed = false;
	step((struct router_event){ .kind = ROUTER_CLOSED, .peer = index });
}

static void ask_for_calls(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	for (uint32_t id = 1; id <= client->next_id && client->open; id++) {
		const struct sim_call *call = &client->calls[id % IDS];

		if (call->outstanding && !call->again)
			say(index, &(struct message){ .kind = MESSAGE_RESYNC,
				.call_id = id, .resync.chunks = call->chunks });
	}
}

static void open_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	bool back = client->welcomed && chance(50);

	if (back)
		come_back(client);
	else
		memset(client->calls, 0, sizeof(client->calls));
	client->welcomed = back;
	if (!back)
		client->resumes = chance(60);
	greet(index, client->session, back);
	if (back && client->resumes)
		ask_for_calls(index);
	if (!back && client->open && !world.calm && chance(20))
		steal(index);
}

/* What waits for its client may wait until that is late, or its time is over. */
static void check_waiting(uint32_t index, const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++) {
		const struct task *task = &worker->tasks[i];
		const struct sim_call *call = call_of(task->id);

		if (task->id >> 16 == index && call->promised && call->replays &&
		    call->deadline_ns > world.now_ns && task->cancelled)
			fail("cancelled before its client came", task->id);
	}
}

/* Its router has died; it comes back with all it waits for. */
static void resume_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	bool late = world.now_ns - client->lost_ns >= LEGACY_NS - NS_PER_S;

	client->back_ns = 0;
	for (uint32_t i = 0; i < IDS; i++)
		client->calls[i].promised &= !late;
	for (uint32_t i = 0; i < SLOTS; i++)
		check_waiting(index, &world.workers[i]);
	greet(index, client->session, client->welcomed);
	ask_for_calls(index);
}

static void send_part(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	uint32_t id = client->parts_of;
	bool last = client->parts_sent + 1 == PARTS;

	if (last)
		client->parts_of = 0;
	say(index, &(struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = id,
		.chunk_req = { client->parts_sent++, last },
		.body = { nothing, sizeof(nothing) } });
}

/* Credit for what was read, and a word that a detached result has come. */
static void send_grants(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	uint32_t last = client->next_id;

	for (uint32_t id = last > SHARED ? last - SHARED : 1; id <= last; id++) {
		struct sim_call *call = &client->calls[id % IDS];
		size_t bytes = call->received;

		if (bytes == 0 && !call->unconfirmed)
			continue;
		if (!client->open || chance(30))
			continue;
		call->received = 0;
		if (bytes > 0 && (call->outstanding ||
				  (call->detached && call->back)) &&
		    credit_add(&call->credit, bytes))
			say(index, &(struct message){
				.kind = MESSAGE_CREDIT, .call_id = id,
				.credit.bytes = (uint32_t)bytes });
		if (call->unconfirmed && !call->outstanding) {
			call->unconfirmed = false;
			say(index, &(struct message){
				.kind = MESSAGE_RESULT_ACK, .call_id = id });
		}
	}
}

/* Before anything has come: its worker may have all of it, once there is one. */
static void grant_ahead(uint32_t index, uint32_t id)
{
	if (!chance(20))
		return;
	world.clients[index].calls[id % IDS].credit.bytes += CREDIT_CALL_BYTES;
	say(index, &(struct message){ .kind = MESSAGE_CREDIT, .call_id = id,
				      .credit.bytes = CREDIT_CALL_BYTES });
}

/* As it stands written, the first time or once more. */
static void say_call(uint32_t index, uint32_t id)
{
	struct sim_client *client = &world.clients[index];
	struct sim_call *call = &client->calls[id % IDS];

	if (call->parts) {
		client->parts_of = id;
		client->parts_sent = 0;
	}
	call->again = false;
	say(index, &(struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = call->deadline_ns,
		.call = { .tool = message_text_of(call->attached ? "router.attach" :
						  tool_names[call->tool]),
			  .effect = { &call->effect_name, call->named },
			  .priority = (uint32_t)random_below(&world.random, 4),
			  .workspace = call->workspace,
			  .flags = (call->detached ? CALL_DETACHED : 0U) |
				   (client->resumes ? CALL_RESUME : 0U) |
				   (call->parts ? CALL_MORE : 0U) },
		.body = { (const uint8_t *)call->body, sizeof(call->body) } });
}

static void send_again(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	for (uint32_t id = 1; id <= client->next_id && client->open; id++) {
		const struct sim_call *call = &client->calls[id % IDS];

		if (call->again && !(call->parts && client->parts_of))
			say_call(index, id);
	}
}

/* Its own; or one it has left, or the other's. */
static uint32_t some_workspace(uint32_t user)
{
	bool other, left;

	if (world.calm || chance(85))
		return workspace_of(user, world.moves);
	other = chance(70);
	left = chance(50);
	return workspace_of((user + other) % USERS, world.moves - left);
}

void send_call(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	unsigned tool = (unsigned)random_below(&world.random, TOOLS);
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_LINK_BYTES };
	uint32_t body[2] = { 0, tool == TOOL_PURE_ONE || tool == TOOL_SPARE ?
		(uint32_t)random_below(&world.random, 3) : 0 };
	uint32_t id = client->next_id + 1, name = index << 16 | id % IDS;
	uint8_t effect = 0;
	struct sim_call *call = &client->calls[id % IDS];
	bool named = !world.calm && chance(25);
	bool attaches = named && chance(20);
	bool killer = tool < 2 && !named && chance(10);
	bool parts = !named && tool < 2 && !killer && !client->parts_of && chance(20);

	if (call->outstanding || id % IDS == SHARED)
		client->next_id += id % IDS == SHARED;
	if (call->outstanding || id % IDS == SHARED)
		return;
	client->next_id = id;
	world.calls++;
	*call = (struct sim_call){
		.outstanding = true, .effect = tool < 2 || named, .killer = killer,
		.name = name, .named = named, .attached = attaches, .parts = parts,
		.accepted = tool >= 2 || killer, /* whoever ran it accepted */
		.detached = chance(8) && !attaches, .credit = fresh,
		.deadline_ns = world.now_ns + (int64_t)(1 +
			random_below(&world.random, 8)) * NS_PER_S };
	body[0] = tool < 2 && !killer ? name : SHARED;
	body[1] = killer ? KILLER : body[1];
	if (named) {
		effect = (uint8_t)random_below(&world.random,
					       attaches ? NAMES + 1 : NAMES);
		if (effect != UNUSED)	/* each of the two users has names of its own */
			effect = (uint8_t)((effect & ~2U) | (index & 1) << 1);
		tool = effect & 1;
		call->name = body[0] = CLIENTS << 16 | effect;
		call->late = world.effects[effect].executed > 0;
		call->misused = call->late && !attaches && chance(20);
		body[1] = call->misused;
	}
	call->tool = tool;
	call->workspace = tool != 1 || attaches ? 0 : killer || named ?
			  workspace_of(index % USERS, world.moves) :
			  some_workspace(index % USERS);
	call->effect_name = effect;
	memcpy(call->body, body, sizeof(body));
	say_call(index, id);
	grant_ahead(index, id);
	/* What was refused is nowhere, and its answer may be lost. */
	call->detached &= call_find(world.router, index, id) != NULL;
}

/* Whoever left without a word has no interest in what still runs for it. */
static void check_abandoned(uint32_t index)
{
	for (uint32_t i = 0; i < SLOTS && !world.dying; i++) {
		const struct sim_worker *worker = &world.workers[i];

		if (!worker->up || !worker->alive || world.closing[CLIENTS + i] ||
		    world.router->slots[i].peer.waiting.count > 0)
			continue;
		for (unsigned j = 0; j < worker->count; j++) {
			const struct task *task = &worker->tasks[j];
			const struct call *call = call_of_handle(world.router,
								 task->handle);

			if (call && task->id >> 16 == index && task->id !=
			    SHARED && !(call->flags & CALL_DETACHED) &&
			    !task->cancelled)
				fail("nobody waits, and it runs on", task->id);
		}
	}
}

void turn_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	if (world.left)
		return;
	if (!client->open && client->back_ns) {
		if (world.now_ns >= client->back_ns)
			resume_client(index);
		return;
	}
	if (!client->open) {
		open_client(index);
		return;
	}
	if (fault(FAULT_LEAVE, 2)) {
		client->open = false;
		step((struct router_event){ .kind = ROUTER_CLOSED,
					    .peer = index });
		check_abandoned(index);
		return;
	}
	if (fault(FAULT_CANCEL, 10) && client->next_id > 0)
		say(index, &(struct message){ .kind = MESSAGE_CANCEL,
					      .call_id = client->next_id });
	if (client->open && client->parts_of && chance(50))
		send_part(index);
	if (client->open)
		send_again(index);
	if (client->open)
		send_grants(index);
	/* Who wants to come back reads the welcome first. */
	if (client->open && !world.calm && (client->welcomed || !client->resumes) &&
	    chance(60))
		send_call(index);
}

void orphan_client(struct sim_client *client)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	if (!client->resumes || !(client->open || client->back_ns)) {
		client->open = client->welcomed = false;
		return;
	}
	for (uint32_t id = 1; id <= client->next_id; id++) {
		struct sim_call *call = &client->calls[id % IDS];

		call->again |= client->open && call->outstanding &&
			       client->parts_of == id;
		call->survived = true;
		call->promised = call->old = false;
		call->received = 0;
		call->credit = fresh;
	}
	client->open = false;
	client->lost_ns = world.now_ns;
	client->back_ns = world.now_ns + (int64_t)random_below(&world.random,
		chance(10) ? 60 * NS_PER_S : 100 * NS_PER_MS);
}
