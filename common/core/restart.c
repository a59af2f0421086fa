#include "common/core/restart.h"

#include <assert.h>

#include "common/core/backoff.h"
#include "common/core/deadline.h"

#define HEALTHY_NS (10 * NS_PER_S)	/* a run that may be followed at once */
#define SETTLED_NS (60 * NS_PER_S)	/* a run that clears the record */
#define RING_NS (60 * NS_PER_S)
#define STILLBIRTHS_MAX 3
#define POLICY_KILLS_MAX 2
#define STEADY_NS (3 * NS_PER_S)
#define COOL_FIRST_NS (15 * NS_PER_S)
#define COOL_MOST_NS (900 * NS_PER_S)
#define LEVEL_MAX 6			/* where the cool-down stops growing */
#define QUIET_NS (3600 * NS_PER_S)	/* takes one level back */
#define PROBATION_NS (30 * NS_PER_S)
#define PROBATION_OK 5

#define SIGNAL_SYS 31			/* on x86 and ARM, signal(7) */

/* Step n is the n-th abnormal exit: 100 ms at the first. */
static const struct backoff delay = { 50 * NS_PER_MS, 30 * NS_PER_S, 50, 100 };

/* What a death weighs in the pool's ring, in halves of a death. */
static const unsigned halves_of[RESTART_EXIT_COUNT] = {
	[RESTART_EXIT_NORMAL]   = 0,
	[RESTART_EXIT_ORDERED]  = 0,
	[RESTART_EXIT_POISONED] = 1,
	[RESTART_EXIT_ABNORMAL] = 2,
	[RESTART_EXIT_POLICY]   = 2,
	[RESTART_EXIT_HOPELESS] = 2,
};

/* Whatever a worker can cause and an operator can ask is listed everywhere. */
static const struct restart_transition
	life[RESTART_STATE_COUNT][RESTART_EVENT_COUNT] = {
	[RESTART_DEGRADED] = {
		[RESTART_LOST]     = { RESTART_DEGRADED,  RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_DEGRADED,  RESTART_NOTHING },
		[RESTART_TOO_MANY] = { RESTART_CRASHLOOP, RESTART_COOL_DOWN },
		[RESTART_HOPELESS] = { RESTART_FAILED,    RESTART_GIVE_UP },
		[RESTART_STEADY]   = { RESTART_UP,        RESTART_RESTORE },
		[RESTART_RENEW]    = { RESTART_DEGRADED,  RESTART_NOTHING },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_DRAIN },
		[RESTART_ENABLE]   = { RESTART_DEGRADED,  RESTART_NOTHING },
	},
	[RESTART_UP] = {
		[RESTART_LOST]     = { RESTART_DEGRADED,  RESTART_SHRINK },
		[RESTART_CRASHED]  = { RESTART_DEGRADED,  RESTART_SHRINK },
		[RESTART_TOO_MANY] = { RESTART_CRASHLOOP, RESTART_COOL_DOWN },
		[RESTART_HOPELESS] = { RESTART_FAILED,    RESTART_GIVE_UP },
		[RESTART_RENEW]    = { RESTART_UP,        RESTART_NOTHING },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_DRAIN },
		[RESTART_ENABLE]   = { RESTART_UP,        RESTART_NOTHING },
	},
	[RESTART_CRASHLOOP] = {
		[RESTART_LOST]     = { RESTART_CRASHLOOP, RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_CRASHLOOP, RESTART_NOTHING },
		[RESTART_TOO_MANY] = { RESTART_CRASHLOOP, RESTART_NOTHING },
		[RESTART_HOPELESS] = { RESTART_FAILED,    RESTART_GIVE_UP },
		[RESTART_COOLED]   = { RESTART_PROBATION, RESTART_TRY },
		[RESTART_RENEW]    = { RESTART_PROBATION, RESTART_TRY },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_DRAIN },
		[RESTART_ENABLE]   = { RESTART_CRASHLOOP, RESTART_NOTHING },
	},
	[RESTART_PROBATION] = {
		[RESTART_LOST]     = { RESTART_PROBATION, RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_CRASHLOOP, RESTART_COOL_DOWN },
		[RESTART_TOO_MANY] = { RESTART_CRASHLOOP, RESTART_COOL_DOWN },
		[RESTART_HOPELESS] = { RESTART_FAILED,    RESTART_GIVE_UP },
		[RESTART_PROVEN]   = { RESTART_UP,        RESTART_RAMP },
		[RESTART_RENEW]    = { RESTART_PROBATION, RESTART_NOTHING },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_DRAIN },
		[RESTART_ENABLE]   = { RESTART_PROBATION, RESTART_NOTHING },
	},
	[RESTART_FAILED] = {
		[RESTART_LOST]     = { RESTART_FAILED,    RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_FAILED,    RESTART_NOTHING },
		[RESTART_TOO_MANY] = { RESTART_FAILED,    RESTART_NOTHING },
		[RESTART_HOPELESS] = { RESTART_FAILED,    RESTART_NOTHING },
		[RESTART_RENEW]    = { RESTART_PROBATION, RESTART_TRY },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_DRAIN },
		[RESTART_ENABLE]   = { RESTART_FAILED,    RESTART_NOTHING },
	},
	[RESTART_DRAINING] = {
		[RESTART_LOST]     = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_TOO_MANY] = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_HOPELESS] = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_RENEW]    = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_DISABLE]  = { RESTART_DRAINING,  RESTART_NOTHING },
		[RESTART_ENABLE]   = { RESTART_DEGRADED,  RESTART_START },
		[RESTART_DRAINED]  = { RESTART_DISABLED,  RESTART_END },
	},
	[RESTART_DISABLED] = {
		[RESTART_LOST]     = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_CRASHED]  = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_TOO_MANY] = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_HOPELESS] = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_RENEW]    = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_DISABLE]  = { RESTART_DISABLED,  RESTART_NOTHING },
		[RESTART_ENABLE]   = { RESTART_DEGRADED,  RESTART_START },
	},
};

struct restart_transition restart_step(enum restart_state state,
				       enum restart_event event)
{
	assert((unsigned)state < RESTART_STATE_COUNT);
	assert((unsigned)event < RESTART_EVENT_COUNT);
	return life[state][event];
}

const char *restart_state_name(enum restart_state state)
{
	static const char *const names[RESTART_STATE_COUNT] = {
		"degraded", "up", "crashloop", "probation", "failed",
		"draining", "disabled",
	};

	assert((unsigned)state < RESTART_STATE_COUNT);
	return names[state];
}

enum restart_exit restart_exit_of(int exit_status, int signal, bool drained)
{
	if (exit_status == 0 && drained)
		return RESTART_EXIT_NORMAL;
	if (exit_status == 78 || exit_status == 125)
		return RESTART_EXIT_HOPELESS;
	if (signal == SIGNAL_SYS)
		return RESTART_EXIT_POLICY;
	return RESTART_EXIT_ABNORMAL;
}

/* What the pool forgets when it begins again: earlier deaths do not count. */
static void begin(struct restart_pool *pool, int64_t now_ns)
{
	pool->begun_ns = now_ns;
	pool->halves = 0;
	pool->stillbirths = 0;
	pool->quiet_from_ns = now_ns;
	pool->ready_from_ns = DEADLINE_NEVER;
	pool->ok_count = 0;
	pool->probe_ok = false;
}

void restart_init(struct restart_pool *pool, int64_t now_ns)
{
	*pool = (struct restart_pool){ .state = RESTART_DEGRADED };
	begin(pool, now_ns);
}

void restart_slot_init(struct restart_slot *slot, int64_t now_ns)
{
	*slot = (struct restart_slot){ .spawn_at_ns = now_ns };
}

static int64_t cool_down_ns(unsigned level)
{
	int64_t cool_ns = COOL_FIRST_NS << level;

	return cool_ns < COOL_MOST_NS ? cool_ns : COOL_MOST_NS;
}

/* The one place that changes the state. */
static enum restart_action apply(struct restart_pool *pool,
				 enum restart_event event, int64_t now_ns)
{
	struct restart_transition step = restart_step(pool->state, event);

	assert(step.action != RESTART_IMPOSSIBLE);
	if (step.action == RESTART_COOL_DOWN) {
		if (pool->state == RESTART_PROBATION && pool->level < LEVEL_MAX)
			pool->level++;
		pool->cool_at_ns = now_ns + cool_down_ns(pool->level);
	}
	if (step.action == RESTART_TRY || step.action == RESTART_START)
		begin(pool, now_ns);
	pool->state = step.next;
	return step.action;
}

void restart_whole(struct restart_pool *pool, int64_t now_ns)
{
	if (pool->ready_from_ns == DEADLINE_NEVER)
		pool->ready_from_ns = now_ns;
}

void restart_ready(struct restart_pool *pool, bool all, int64_t now_ns)
{
	pool->stillbirths = 0;
	if (all)
		restart_whole(pool, now_ns);
}

/*
 * A death enters the ring once per half, so the limit is reached when the
 * tenth half back is still young: no sum, and no more memory than the limit.
 */
static bool ring_is_full(struct restart_pool *pool, unsigned halves,
			 int64_t now_ns)
{
	while (halves-- > 0)
		pool->halves_ns[pool->halves++ % RESTART_HALVES] = now_ns;
	int64_t oldest_ns = pool->halves_ns[pool->halves % RESTART_HALVES];

	return pool->halves >= RESTART_HALVES && now_ns - oldest_ns < RING_NS;
}

/* Forgiveness is counted when it is needed, at the next crash: no timer. */
static void forgive_quiet_hours(struct restart_pool *pool, int64_t now_ns)
{
	int64_t hours = (now_ns - pool->quiet_from_ns) / QUIET_NS;

	pool->level -= hours < pool->level ? (unsigned)hours : pool->level;
	pool->quiet_from_ns = now_ns;
}

/* What a death means to the pool. */
static enum restart_event judge(struct restart_pool *pool,
				const struct restart_run *run, int64_t now_ns)
{
	unsigned halves = halves_of[run->exit];

	if (halves == 0 || run->older)
		return RESTART_LOST;
	forgive_quiet_hours(pool, now_ns);
	pool->stillbirths = run->ready_ns < 0 ? pool->stillbirths + 1 : 0;
	pool->policy_kills += run->exit == RESTART_EXIT_POLICY;
	bool full = ring_is_full(pool, halves, now_ns);

	if (!run->vital && (run->exit == RESTART_EXIT_HOPELESS ||
			    pool->policy_kills >= POLICY_KILLS_MAX))
		return RESTART_HOPELESS;
	if (full || pool->stillbirths >= STILLBIRTHS_MAX)
		return RESTART_TOO_MANY;
	return RESTART_CRASHED;
}

static int64_t slot_delay_ns(struct restart_slot *slot,
			     const struct restart_run *run,
			     struct random *random)
{
	if (run->exit == RESTART_EXIT_NORMAL)
		return 0;
	int64_t settled_ns = run->vital ? HEALTHY_NS : SETTLED_NS;

	slot->crashes = run->ready_ns >= settled_ns ? 0 : slot->crashes + 1;
	if (slot->crashes <= 1 && run->ready_ns >= HEALTHY_NS && run->useful)
		return 0;
	return backoff_delay_ns(&delay, slot->crashes, random);
}

enum restart_action restart_dead(struct restart_pool *pool,
				 struct restart_slot *slot,
				 const struct restart_run *run,
				 struct random *random, int64_t now_ns)
{
	assert((unsigned)run->exit < RESTART_EXIT_COUNT);
	pool->ready_from_ns = DEADLINE_NEVER;
	slot->spawn_at_ns = now_ns + slot_delay_ns(slot, run, random);
	return apply(pool, judge(pool, run, now_ns), now_ns);
}

enum restart_action restart_event(struct restart_pool *pool,
				  enum restart_event event, int64_t now_ns)
{
	if (event == RESTART_LOST)
		pool->ready_from_ns = DEADLINE_NEVER;
	if (event == RESTART_RENEW || event == RESTART_ENABLE)
		pool->policy_kills = 0;
	return apply(pool, event, now_ns);
}

void restart_result(struct restart_pool *pool, bool ok, int64_t now_ns)
{
	pool->ok_count += ok;
	pool->traffic_ns = now_ns;
}

void restart_probed(struct restart_pool *pool)
{
	pool->probe_ok = true;
}

/*
 * READY for 30 s, and five good results or a good probe and nobody asking. No
 * traffic means none for 30 s: a pool that was asked thrice and then no more
 * would otherwise stay on probation for ever.
 */
static int64_t proven_ns(const struct restart_pool *pool)
{
	int64_t ready = deadline_after(pool->ready_from_ns, PROBATION_NS);
	int64_t quiet = deadline_after(pool->traffic_ns, PROBATION_NS);

	if (pool->ok_count >= PROBATION_OK)
		return ready;
	if (!pool->probe_ok)
		return DEADLINE_NEVER;
	return ready > quiet ? ready : quiet;
}

int64_t restart_next_ns(const struct restart_pool *pool)
{
	if (pool->state == RESTART_DEGRADED)
		return deadline_after(pool->ready_from_ns, STEADY_NS);
	if (pool->state == RESTART_CRASHLOOP)
		return pool->cool_at_ns;
	if (pool->state == RESTART_PROBATION)
		return proven_ns(pool);
	return DEADLINE_NEVER;
}

enum restart_action restart_tick(struct restart_pool *pool, int64_t now_ns)
{
	static const enum restart_event timer_of[RESTART_STATE_COUNT] = {
		[RESTART_DEGRADED]  = RESTART_STEADY,
		[RESTART_CRASHLOOP] = RESTART_COOLED,
		[RESTART_PROBATION] = RESTART_PROVEN,
	};

	if (!deadline_passed(restart_next_ns(pool), now_ns))
		return RESTART_NOTHING;
	return apply(pool, timer_of[pool->state], now_ns);
}

unsigned restart_slots(const struct restart_pool *pool, unsigned configured)
{
	if (pool->state == RESTART_UP || pool->state == RESTART_DEGRADED)
		return configured;
	if (pool->state == RESTART_PROBATION && configured > 0)
		return 1;
	return 0;
}
