#include "supervisor/router/life_core.h"

#include <assert.h>

#define WAITS(state) {                                                        \
	[LIFE_TIME]   = { state, LIFE_ANSWER },                               \
	[LIFE_CANCEL] = { state, LIFE_ANSWER },                               \
	[LIFE_LOST]   = { state, LIFE_ANSWER } }

static const struct call_step life[CALL_STATE_COUNT][LIFE_EVENT_COUNT] = {
	[CALL_RECEIVED] = WAITS(CALL_RECEIVED),
	[CALL_BLOCKED]  = WAITS(CALL_BLOCKED),
	[CALL_QUEUED]   = WAITS(CALL_QUEUED),
	[CALL_JOINED]   = WAITS(CALL_JOINED),
	[CALL_PARKED]   = WAITS(CALL_PARKED),
	[CALL_WAITING]  = WAITS(CALL_WAITING),
	[CALL_SENT] = {
		[LIFE_ACCEPT] = { CALL_RUNNING,    LIFE_START },
		[LIFE_BUSY]   = { CALL_SENT,       LIFE_AGAIN },
		[LIFE_OUTPUT] = { CALL_SENT,       LIFE_FAULT },
		[LIFE_RESULT] = { CALL_SENT,       LIFE_FAULT },
		[LIFE_DEAD]   = { CALL_SENT,       LIFE_CLASSIFY },
		[LIFE_TIME]   = { CALL_CANCELLING, LIFE_GIVE_UP },
		[LIFE_CANCEL] = { CALL_CANCELLING, LIFE_STOP },
		[LIFE_LOST]   = { CALL_CANCELLING, LIFE_STOP },
	},
	[CALL_RUNNING] = {
		[LIFE_ACCEPT] = { CALL_RUNNING,    LIFE_FAULT },
		[LIFE_BUSY]   = { CALL_RUNNING,    LIFE_FAULT },
		[LIFE_OUTPUT] = { CALL_RUNNING,    LIFE_FORWARD },
		[LIFE_RESULT] = { CALL_RUNNING,    LIFE_FINISH },
		[LIFE_DEAD]   = { CALL_RUNNING,    LIFE_CLASSIFY },
		[LIFE_TIME]   = { CALL_CANCELLING, LIFE_GIVE_UP },
		[LIFE_CANCEL] = { CALL_CANCELLING, LIFE_STOP },
		[LIFE_LOST]   = { CALL_CANCELLING, LIFE_STOP },
	},
	[CALL_CANCELLING] = {
		[LIFE_ACCEPT] = { CALL_CANCELLING, LIFE_START },
		[LIFE_BUSY]   = { CALL_CANCELLING, LIFE_AGAIN },
		[LIFE_OUTPUT] = { CALL_CANCELLING, LIFE_FORWARD },
		[LIFE_RESULT] = { CALL_CANCELLING, LIFE_FINISH },
		[LIFE_DEAD]   = { CALL_CANCELLING, LIFE_CLASSIFY },
		[LIFE_TIME]   = { CALL_CANCELLING, LIFE_GIVE_UP },
		[LIFE_CANCEL] = { CALL_CANCELLING, LIFE_IGNORE },
		[LIFE_LOST]   = { CALL_CANCELLING, LIFE_IGNORE },
	},
	[CALL_DELIVERING] = {
		[LIFE_TIME]   = { CALL_DELIVERING, LIFE_ANSWER },
		[LIFE_CANCEL] = { CALL_DELIVERING, LIFE_ANSWER },
		[LIFE_LOST]   = { CALL_HELD,       LIFE_HOLD },
	},
	[CALL_HELD] = {
		[LIFE_TIME]   = { CALL_HELD,       LIFE_ANSWER },
		[LIFE_CANCEL] = { CALL_HELD,       LIFE_IGNORE },
		[LIFE_LOST]   = { CALL_HELD,       LIFE_IGNORE },
	},
};

struct call_step call_life(enum call_state state, enum call_event event)
{
	assert((unsigned)state < CALL_STATE_COUNT);
	assert((unsigned)event < LIFE_EVENT_COUNT);
	return life[state][event];
}

bool call_awaits_worker(enum call_state state)
{
	return state == CALL_BLOCKED || state == CALL_QUEUED || state == CALL_PARKED ||
	       state == CALL_WAITING;
}

const char *call_state_name(enum call_state state)
{
	static const char *const names[CALL_STATE_COUNT] = {
		"free", "received", "blocked", "queued", "joined", "parked", "waiting",
		"sent", "running", "cancelling", "delivering", "held",
	};

	assert((unsigned)state < CALL_STATE_COUNT);
	return names[state];
}
