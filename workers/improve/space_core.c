#include "workers/improve/space_core.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/core/hash.h"

#define STRIDE_FACTOR_BITS 2	/* strides grow fourfold */
#define WANDER_TRIES 64

static bool is_list(const struct space_parameter *parameter)
{
	return parameter->kind == SPACE_CATEGORY ||
	       parameter->kind == SPACE_ORDER;
}

static bool same_value(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

/*
 * Whole values of a log grid would repeat where it is finer than 1: they rise
 * by 1 there, which meets the curve again before its end because it is convex.
 */
static double grid_value(const struct space_parameter *range, unsigned level,
			 unsigned steps)
{
	double part = (double)level / (double)(steps - 1), value;

	if (range->kind == SPACE_LINEAR)
		value = range->least + part * (range->most - range->least);
	else
		value = range->least * pow(range->most / range->least, part);
	if (!range->whole)
		return value;
	return fmax(round(value), range->least + level);
}

double space_value(const struct space_parameter *parameter, unsigned level)
{
	unsigned steps = parameter->count;

	if (is_list(parameter))
		return level;
	if (parameter->off_grid) {
		if (level == parameter->current)
			return parameter->own;
		level -= level > parameter->current;
		steps--;
	}
	return grid_value(parameter, level, steps);
}

void space_place(struct space_parameter *range, double value)
{
	unsigned level = 0;

	assert(!is_list(range) && !range->off_grid && range->count >= 2);
	while (level < range->count && space_value(range, level) < value &&
	       !same_value(space_value(range, level), value))
		level++;
	range->off_grid = level == range->count ||
			  !same_value(space_value(range, level), value);
	range->current = (uint16_t)level;
	range->own = value;
	range->count = (uint16_t)(range->count + range->off_grid);
}

double space_coordinate(const struct space_parameter *parameter, unsigned level)
{
	double value = space_value(parameter, level), part;

	if (parameter->kind == SPACE_CATEGORY)
		return value;
	if (parameter->kind == SPACE_ORDER)
		return value / (double)(parameter->count - 1);
	if (parameter->kind == SPACE_LINEAR)
		part = (value - parameter->least) /
		       (parameter->most - parameter->least);
	else
		part = value <= 0 ? 0 : log(value / parameter->least) /
				log(parameter->most / parameter->least);
	return fmin(fmax(part, 0), 1);
}

static const char *range_fault(const struct space_parameter *range)
{
	unsigned steps = range->count - (unsigned)range->off_grid;

	if (!isfinite(range->least) || !isfinite(range->most) ||
	    range->least >= range->most)
		return "the least value must be below the most";
	if (range->kind == SPACE_LOG && range->least <= 0)
		return "a range of equal ratios starts above 0";
	if (steps < 2)
		return "needs two values or more";
	if (!range->whole)
		return NULL;
	if (range->least < rint(range->least) || range->least > rint(range->least) ||
	    range->most < rint(range->most) || range->most > rint(range->most))
		return "a range of integers ends at integers";
	if (steps - 1 > range->most - range->least)
		return "has more steps than integers";
	return NULL;
}

static const char *parent_fault(const struct space *space, size_t index)
{
	const struct space_parameter *child = &space->parameters[index];

	if (child->parent >= index)
		return "depends on one that does not come before it";
	const struct space_parameter *parent = &space->parameters[child->parent];

	if (!is_list(parent))
		return "depends on one that is not a list";
	if (child->when == 0 || (parent->count < SPACE_LISTED_MAX &&
				 child->when >> parent->count != 0))
		return "depends on a value that the other does not have";
	return NULL;
}

static const char *parameter_fault(const struct space *space, size_t index)
{
	const struct space_parameter *parameter = &space->parameters[index];
	const char *fault = NULL;

	if (parameter->count < 2)
		return "needs two values or more";
	if (parameter->current >= parameter->count)
		return "the current value is not one of its values";
	if (is_list(parameter) && parameter->count > SPACE_LISTED_MAX)
		return "lists more than 64 values";
	if (is_list(parameter) && parameter->off_grid)
		return "the current value is not one of its values";
	if (!is_list(parameter))
		fault = range_fault(parameter);
	if (!fault && parameter->has_parent)
		fault = parent_fault(space, index);
	return fault;
}

const char *space_check(const struct space *space, size_t *ret_parameter)
{
	*ret_parameter = 0;
	if (space->count == 0)
		return "nothing to tune";
	*ret_parameter = SPACE_PARAMETERS_MAX;
	if (space->count > SPACE_PARAMETERS_MAX)
		return "more than 32 parameters";
	for (size_t i = 0; i < space->count; i++) {
		const char *fault = parameter_fault(space, i);

		*ret_parameter = i;
		if (fault)
			return fault;
	}
	return NULL;
}

bool space_permits(const struct space *space, size_t index, unsigned level)
{
	const struct space_parameter *parameter = &space->parameters[index];

	if (level >= parameter->count)
		return false;
	if (level == parameter->current)
		return true;
	return (parameter->classes ? parameter->classes[level] :
				     parameter->class) <= space->allowed;
}

bool space_is_active(const struct space *space,
		     const struct space_config *config, size_t index)
{
	const struct space_parameter *parameter = &space->parameters[index];

	while (parameter->has_parent) {
		unsigned level = config->levels[parameter->parent];

		if (!(parameter->when >> level & 1))
			return false;
		parameter = &space->parameters[parameter->parent];
	}
	return true;
}

void space_canonicalise(const struct space *space, struct space_config *config)
{
	for (size_t i = 0; i < space->count; i++)
		if (!space_is_active(space, config, i))
			config->levels[i] = space->parameters[i].current;
}

bool space_equal(const struct space_config *a, const struct space_config *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

uint64_t space_hash(const struct space *space, const struct space_config *config)
{
	static const struct hash_key fixed = { { 0, 0 } };
	uint8_t bytes[2 * SPACE_PARAMETERS_MAX];
	struct space_config canonical = *config;

	space_canonicalise(space, &canonical);
	for (size_t i = 0; i < space->count; i++) {
		bytes[2 * i] = (uint8_t)canonical.levels[i];
		bytes[2 * i + 1] = (uint8_t)(canonical.levels[i] >> 8);
	}
	return hash_bytes(&fixed, (struct span){ bytes, 2 * space->count });
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t saturating_multiply(uint64_t a, uint64_t b)
{
	return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* Of one parameter and what depends on it, given sizes of those after it. */
static uint64_t subtree_size(const struct space *space, size_t index,
			     const uint64_t *sizes)
{
	uint64_t sum = 0;

	for (unsigned level = 0; level < space->parameters[index].count; level++) {
		uint64_t product = space_permits(space, index, level);

		for (size_t i = index + 1; i < space->count; i++) {
			const struct space_parameter *child = &space->parameters[i];

			if (child->has_parent && child->parent == index &&
			    (child->when >> level & 1))
				product = saturating_multiply(product, sizes[i]);
		}
		sum = saturating_add(sum, product);
	}
	return sum;
}

bool space_is_unordered(const struct space *space)
{
	for (size_t i = 0; i < space->count; i++)
		if (space->parameters[i].kind != SPACE_CATEGORY)
			return false;
	return true;
}

uint64_t space_size(const struct space *space)
{
	uint64_t sizes[SPACE_PARAMETERS_MAX], product = 1;

	for (size_t i = space->count; i-- > 0;) {
		sizes[i] = subtree_size(space, i, sizes);
		if (!space->parameters[i].has_parent)
			product = saturating_multiply(product, sizes[i]);
	}
	return product;
}

void space_current(const struct space *space, struct space_config *ret)
{
	*ret = (struct space_config){ 0 };
	for (size_t i = 0; i < space->count; i++)
		ret->levels[i] = space->parameters[i].current;
}

static uint16_t draw_level(const struct space *space, size_t index,
			   struct random *random)
{
	const struct space_parameter *parameter = &space->parameters[index];
	unsigned permitted = 0, level = 0;

	if (!parameter->classes && parameter->class > space->allowed)
		return parameter->current;
	if (!parameter->classes)
		return (uint16_t)random_below(random, parameter->count);
	for (unsigned i = 0; i < parameter->count; i++)
		permitted += space_permits(space, index, i);
	for (uint64_t left = random_below(random, permitted);; level++)
		if (space_permits(space, index, level) && left-- == 0)
			return (uint16_t)level;
}

void space_draw(const struct space *space, struct random *random,
		struct space_config *ret)
{
	*ret = (struct space_config){ 0 };
	for (size_t i = 0; i < space->count; i++)
		ret->levels[i] = draw_level(space, i, random);
	space_canonicalise(space, ret);
}

static unsigned permitted_from(const struct space *space, size_t index,
			       unsigned level)
{
	while (level < space->parameters[index].count &&
	       !space_permits(space, index, level))
		level++;
	return level;
}

/* Sets the active ones from index on to their lowest permitted level. */
static void rewind_from(const struct space *space, struct space_config *config,
			size_t index)
{
	for (size_t i = index; i < space->count; i++)
		config->levels[i] = space_is_active(space, config, i) ?
			(uint16_t)permitted_from(space, i, 0) :
			space->parameters[i].current;
}

void space_first(const struct space *space, struct space_config *ret)
{
	*ret = (struct space_config){ 0 };
	rewind_from(space, ret, 0);
}

bool space_advance(const struct space *space, struct space_config *config)
{
	for (size_t i = space->count; i-- > 0;) {
		unsigned next = permitted_from(space, i, config->levels[i] + 1U);

		if (!space_is_active(space, config, i) ||
		    next == space->parameters[i].count)
			continue;
		config->levels[i] = (uint16_t)next;
		rewind_from(space, config, i + 1);
		return true;
	}
	return false;
}

unsigned space_moves(const struct space *space, size_t index)
{
	const struct space_parameter *parameter = &space->parameters[index];
	unsigned strides = 0;

	if (parameter->kind == SPACE_CATEGORY)
		return parameter->count - 1U;
	while (1U << STRIDE_FACTOR_BITS * strides < parameter->count)
		strides++;
	return 2 * strides;
}

bool space_move(const struct space *space, struct space_config *config,
		size_t index, unsigned step)
{
	unsigned level = config->levels[index];
	unsigned stride = 1U << STRIDE_FACTOR_BITS * (step / 2);

	if (space->parameters[index].kind == SPACE_CATEGORY)
		level = step + (step >= level);
	else	/* below 0 wraps to far above the count */
		level = step % 2 ? level + stride : level - stride;
	if (!space_permits(space, index, level) ||
	    !space_is_active(space, config, index))
		return false;
	config->levels[index] = (uint16_t)level;
	space_canonicalise(space, config);
	return true;
}

bool space_wander(const struct space *space, struct random *random,
		  struct space_config *config)
{
	for (int i = 0; i < WANDER_TRIES; i++) {
		size_t index = random_below(random, space->count);
		unsigned moves = space_moves(space, index);

		if (space_move(space, config, index,
			       (unsigned)random_below(random, moves)))
			return true;
	}
	return false;
}
