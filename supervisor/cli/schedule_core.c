#include "supervisor/cli/schedule_core.h"

#define LOOK_NS INT64_C(60000000000)
#define AGAIN_NS INT64_C(300000000000)
#define FAILURES_MOST 1000

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From one start to the next. */
static int64_t period(const struct schedule_terms *terms, unsigned failures)
{
	int64_t limit = most(terms->every_ns, SCHEDULE_PERIOD_MOST_NS);
	int64_t ret = terms->every_ns;

	for (unsigned i = 0; i < failures && ret < limit; i++)
		ret = ret > limit / 2 ? limit : 2 * ret;
	return ret;
}

enum schedule_word schedule_decide(struct schedule *schedule,
				   const struct schedule_terms *terms,
				   const struct schedule_sight *sight,
				   int64_t *ret_look_ns)
{
	int64_t latest_ns = sight->now_ns + period(terms, schedule->failures) +
			    terms->jitter_ns;

	schedule->due_ns = least(schedule->due_ns, latest_ns);
	*ret_look_ns = schedule->due_ns;
	if (sight->now_ns < schedule->due_ns)
		return SCHEDULE_EARLY;
	*ret_look_ns = sight->now_ns + least(LOOK_NS, terms->every_ns);
	if (sight->in_flight > 0)
		return SCHEDULE_BUSY;
	return sight->load > terms->load_most ? SCHEDULE_LOADED : SCHEDULE_START;
}

void schedule_begin(struct schedule *schedule, int64_t now_ns)
{
	schedule->began_ns = now_ns;
	if (schedule->ended_ns >= now_ns)	/* the clock was set back */
		schedule->ended_ns = 0;
}

/* What would have been due by now is due once. */
static void set_due(struct schedule *schedule, const struct schedule_terms *terms,
		    int64_t now_ns, struct random *random)
{
	int64_t next_ns = schedule->began_ns + period(terms, schedule->failures);

	schedule->due_ns = most(next_ns, now_ns) +
			   (int64_t)random_below(random, (uint64_t)terms->jitter_ns + 1);
}

enum schedule_end schedule_end_of(const struct schedule_call *call)
{
	enum error_class class = error_row((int)call->code)->class;

	if (call->cancelled)
		return SCHEDULE_CUT;
	if (class == ERROR_CLASS_OVERLOAD && !call->begun)
		return SCHEDULE_REFUSED;
	if (class == ERROR_CLASS_TRANSIENT && !call->accepted &&
	    call->origin != ORIGIN_CLIENT)
		return SCHEDULE_REFUSED;
	return SCHEDULE_FAILED;
}

void schedule_end(struct schedule *schedule, const struct schedule_terms *terms,
		  enum schedule_end end, int64_t now_ns, struct random *random)
{
	schedule->ended_ns = most(now_ns, schedule->began_ns);
	if (end == SCHEDULE_CUT)
		return;
	if (end == SCHEDULE_REFUSED) {
		schedule->due_ns = now_ns + least(AGAIN_NS, terms->every_ns);
		return;
	}
	if (end == SCHEDULE_DONE)
		schedule->failures = 0;
	else if (schedule->failures < FAILURES_MOST)
		schedule->failures++;
	set_due(schedule, terms, now_ns, random);
}

void schedule_resume(struct schedule *schedule, const struct schedule_terms *terms,
		     int64_t now_ns, struct random *random)
{
	if (schedule->began_ns > schedule->ended_ns)
		schedule_end(schedule, terms, SCHEDULE_FAILED, now_ns, random);
}
