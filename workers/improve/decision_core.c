#include "workers/improve/decision_core.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/core/statistics.h"

#define GUARD_ALPHA 0.05	/* over all looks */
#define FUTILITY_ALPHA 0.05	/* at each look */
#define INVALID_RATES_P 0.01

const struct decision_plan decision_plan_default = {
	.seed = 1,
	.alpha = DECISION_CAMPAIGN_ALPHA,
	.direction = LOWER_IS_BETTER,
	.min_effect = 0.02,
	.plausible_gain = 0.9,
	.look_count = 6,
	.looks = { 10, 15, 22, 30, 42, 60 },
	.spent = { 0.2, 0.3, 0.4, 0.55, 0.75, 1 },
};

double decision_alpha(unsigned nth)
{
	assert(nth > 0);
	return ldexp(DECISION_CAMPAIGN_ALPHA, 1 - (int)nth);
}

static bool is_rising(const struct decision_plan *plan)
{
	for (unsigned i = 1; i < plan->look_count; i++)
		if (plan->looks[i] <= plan->looks[i - 1] ||
		    !(plan->spent[i] >= plan->spent[i - 1]))
			return false;
	return true;
}

/* Lower is better: a share of less than all. NaN is no gain. */
static bool is_gain(enum direction direction, double gain)
{
	return gain >= 0 && (direction == LOWER_IS_BETTER ? gain < 1 :
			     isfinite(gain));
}

/* All that there is, where higher is better, cannot be lost beyond. */
static bool is_guard(const struct decision_guard *guard)
{
	return guard->margin >= 0 &&
	       isfinite(difference_of_gain(guard->direction, -guard->margin));
}

bool decision_plan_is_valid(const struct decision_plan *plan)
{
	unsigned last = plan->look_count - 1;

	if (plan->look_count == 0 || plan->look_count > DECISION_LOOKS_MAX ||
	    plan->guard_count > DECISION_GUARDS_MAX)
		return false;
	for (unsigned i = 0; i < plan->guard_count; i++)
		if (!is_guard(&plan->guards[i]))
			return false;
	return plan->alpha > 0 && plan->alpha <= 0.5 &&
	       is_gain(plan->direction, plan->min_effect) &&
	       plan->gain_wanted >= 0 &&
	       is_gain(plan->direction, plan->plausible_gain) &&
	       plan->looks[0] > 0 && plan->looks[last] <= SIGN_FLIP_PAIRS_MAX &&
	       plan->spent[0] >= 0 && plan->spent[last] <= 1 && is_rising(plan);
}

static void throw_coin(struct decision *decision)
{
	decision->candidate_first = random_next(&decision->coins) >> 63;
}

void decision_init(struct decision *decision, const struct decision_plan *plan)
{
	struct random seeds;

	assert(decision_plan_is_valid(plan));
	memset(decision, 0, sizeof(*decision));
	decision->plan = *plan;
	random_init(&seeds, plan->seed);
	random_init(&decision->coins, random_next(&seeds));
	sign_paths_init(&decision->paths, random_next(&seeds));
	throw_coin(decision);
}

static bool is_value(struct decision_value value)
{
	return value.base >= 0 && value.candidate >= 0 &&
	       isfinite(value.base) && isfinite(value.candidate);
}

static bool is_due(const struct decision *decision)
{
	return decision->pairs == decision->plan.looks[decision->look_count];
}

static unsigned last_look(const struct decision *decision)
{
	return decision->plan.looks[decision->plan.look_count - 1];
}

int decision_add_pair(struct decision *decision,
		      const struct decision_value *values)
{
	const struct decision_plan *plan = &decision->plan;
	unsigned pair = decision->pairs;

	if (decision->verdict != DECISION_CONTINUE || is_due(decision))
		return -EALREADY;
	for (unsigned i = 0; i <= plan->guard_count; i++)
		if (!is_value(values[i]))
			return -EINVAL;
	decision->primary.differences[pair] = gain_difference(
		plan->direction, values[0].base, values[0].candidate);
	for (unsigned i = 0; i < plan->guard_count; i++)
		decision->guards[i].differences[pair] = gain_difference(
			plan->guards[i].direction, values[i + 1].base,
			values[i + 1].candidate);
	decision->pairs++;
	throw_coin(decision);
	return 0;
}

int decision_add_invalid_pair(struct decision *decision, bool base,
			      bool candidate)
{
	if (decision->verdict != DECISION_CONTINUE || is_due(decision))
		return -EALREADY;
	decision->invalid_pairs++;
	decision->invalid_base += base;
	decision->invalid_candidate += candidate;
	throw_coin(decision);
	return 0;
}

static enum decision_verdict end(struct decision *decision,
				 enum decision_verdict verdict,
				 enum decision_reason reason)
{
	decision->verdict = verdict;
	decision->reason = reason;
	return verdict;
}

/*
 * Whether the guard is worse by more than its margin: the mirrored test, on
 * losses less what is tolerated. The critical score holds in both directions,
 * since the paths' signs are fair coins; so it also bounds what the guard can
 * have lost, which for a hard one must be inside its margin.
 */
static void judge_guard(struct decision *decision, unsigned index, double spent,
			bool *ret_worse, bool *ret_inside)
{
	const struct decision_guard *guard = &decision->plan.guards[index];
	struct decision_series *series = &decision->guards[index];
	double tolerated = -difference_of_gain(guard->direction, -guard->margin);
	unsigned pairs = decision->pairs;
	double losses[SIGN_FLIP_PAIRS_MAX];

	for (unsigned i = 0; i < pairs; i++)
		losses[i] = -series->differences[i] - tolerated;
	struct sign_flip_look look = sign_flip_look(
		&series->test, &decision->paths, losses, pairs,
		spent * GUARD_ALPHA);
	struct sign_flip_shift loss = sign_flip_shift(
		losses, pairs, look.critical, look.critical);

	*ret_worse = look.crossed;
	*ret_inside = !guard->hard || loss.upper < 0;
}

/*
 * Returns whether every hard guard loses less than its margin; ends the
 * decision at the first guard that is worse.
 */
static bool judge_guards(struct decision *decision, double spent)
{
	bool all_inside = true;

	for (unsigned i = 0; i < decision->plan.guard_count; i++) {
		bool worse, inside;

		judge_guard(decision, i, spent, &worse, &inside);
		if (worse || (all_inside && !inside))
			decision->guard = i;
		all_inside &= inside;
		if (worse) {
			end(decision, DECISION_REJECT, REASON_GUARD_WORSE);
			return false;
		}
	}
	return all_inside;
}

/* Lower bounds of all looks hold at once, so that the best of them holds. */
static void judge_primary(struct decision *decision, double spent)
{
	enum direction direction = decision->plan.direction;
	const struct decision_look *before = decision_latest(decision);
	const double *differences = decision->primary.differences;
	double alpha = spent * decision->plan.alpha;
	struct sign_flip_look look = sign_flip_look(
		&decision->primary.test, &decision->paths, differences,
		decision->pairs, alpha);
	struct sign_flip_shift shift = sign_flip_shift(
		differences, decision->pairs, look.critical,
		sign_flip_critical(decision->pairs, FUTILITY_ALPHA));
	struct decision_look now = {
		.pairs = decision->pairs,
		.alpha = alpha,
		.tail = look.tail,
		.gain = gain_of_difference(direction, shift.estimate),
		.gain_lower = gain_of_difference(direction, shift.lower),
		.gain_upper = gain_of_difference(direction, shift.upper),
		.crossed = look.crossed || (before && before->crossed),
	};

	if (before)
		now.gain_lower = fmax(now.gain_lower, before->gain_lower);
	decision->looks[decision->look_count++] = now;
}

/* Why the last look leaves it at that. */
static enum decision_reason shortcoming(const struct decision_plan *plan,
					const struct decision_look *look)
{
	if (!look->crossed)
		return REASON_NOT_SHOWN;
	return look->gain < plan->min_effect ? REASON_TOO_SMALL :
					       REASON_GUARD_NOT_SHOWN;
}

/* More pairs narrow the bound; whether it is better is decided by then. */
static bool bound_may_rise(const struct decision *decision, const struct decision_look *look)
{
	double wanted = decision->plan.gain_wanted;

	return decision->look_count < decision->plan.look_count && look->gain > wanted &&
	       !(look->gain_lower > wanted) && wanted > 0;
}

static enum decision_verdict judge(struct decision *decision)
{
	const struct decision_plan *plan = &decision->plan;
	const struct decision_look *look = &decision->looks[decision->look_count];
	double spent = plan->spent[decision->look_count];

	judge_primary(decision, spent);
	bool inside = judge_guards(decision, spent);

	if (decision->verdict != DECISION_CONTINUE)
		return decision->verdict;
	if (look->crossed && look->gain >= plan->min_effect && inside) {
		if (look->gain > plan->plausible_gain)
			return end(decision, DECISION_REVIEW, REASON_IMPLAUSIBLE);
		return bound_may_rise(decision, look) ? DECISION_CONTINUE :
		       end(decision, DECISION_ACCEPT, REASON_PROVED);
	}
	if (look->gain_upper < plan->min_effect)
		return end(decision, DECISION_FUTILE, REASON_TOO_SMALL);
	if (decision->look_count == plan->look_count)
		return end(decision, DECISION_REJECT, shortcoming(plan, look));
	return DECISION_CONTINUE;
}

/*
 * Asked where the number of pairs run, valid or not, is a look's: as seldom as
 * the looks themselves.
 */
static bool rates_are_due(const struct decision *decision)
{
	const struct decision_plan *plan = &decision->plan;

	for (unsigned i = 0; i < plan->look_count; i++)
		if (decision->pairs + decision->invalid_pairs == plan->looks[i])
			return true;
	return is_due(decision);
}

static bool rates_differ(const struct decision *decision)
{
	unsigned runs = decision->pairs + decision->invalid_pairs;

	return fisher_exact(decision->invalid_base, runs,
			    decision->invalid_candidate, runs) < INVALID_RATES_P;
}

enum decision_verdict decision_look(struct decision *decision)
{
	if (decision->verdict != DECISION_CONTINUE)
		return decision->verdict;
	if (rates_are_due(decision) && rates_differ(decision))
		return end(decision, DECISION_REJECT, REASON_INVALID_RATES);
	if (decision->invalid_pairs >= last_look(decision))
		return end(decision, DECISION_REJECT, REASON_DISTURBED);
	return is_due(decision) ? judge(decision) : DECISION_CONTINUE;
}

void decision_doubt(struct decision *decision)
{
	if (decision->verdict == DECISION_ACCEPT)
		end(decision, DECISION_REVIEW, REASON_IMPLAUSIBLE);
}

const struct decision_look *decision_latest(const struct decision *decision)
{
	return decision->look_count ?
	       &decision->looks[decision->look_count - 1] : NULL;
}

const char *decision_verdict_name(enum decision_verdict verdict)
{
	static const char *const names[DECISION_VERDICT_COUNT] = {
		[DECISION_CONTINUE] = "continue",
		[DECISION_ACCEPT] = "accept",
		[DECISION_REJECT] = "reject",
		[DECISION_FUTILE] = "futile",
		[DECISION_REVIEW] = "review",
	};

	assert((unsigned)verdict < DECISION_VERDICT_COUNT);
	return names[verdict];
}

const char *decision_reason_name(enum decision_reason reason)
{
	static const char *const names[REASON_COUNT] = {
		[REASON_NONE] = "none",
		[REASON_PROVED] = "proved",
		[REASON_NOT_SHOWN] = "not-shown",
		[REASON_TOO_SMALL] = "too-small",
		[REASON_GUARD_WORSE] = "guard-worse",
		[REASON_GUARD_NOT_SHOWN] = "guard-not-shown",
		[REASON_INVALID_RATES] = "invalid-rates",
		[REASON_DISTURBED] = "disturbed",
		[REASON_IMPLAUSIBLE] = "implausible",
	};

	assert((unsigned)reason < REASON_COUNT);
	return names[reason];
}
