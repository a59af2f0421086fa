/*
 * space_core.h - what may be tuned: parameters, their levels, and one setting
 * of all of them.
 *
 * A parameter has finitely many levels, numbered from 0. Of a list they are
 * its values; of a range they are a grid of equal steps or equal ratios, plus
 * the user's own value where that is off the grid. A config is a level per
 * parameter. A level counts as permitted when its semantics class is at most
 * the one the caller allows, or when it is what the user has already.
 *
 * A parameter with a parent is active while the parent is, at one of the
 * levels in `when`. Inactive ones do not count: a canonical config has them at
 * the user's level, and every function here returns canonical configs. Parents
 * come before their children, so that one pass in order suffices.
 *
 * Pure. A space borrows its parameters; it does not change once checked.
 */
#ifndef CUPEL_WORKERS_IMPROVE_SPACE_CORE_H
#define CUPEL_WORKERS_IMPROVE_SPACE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/random.h"

#define SPACE_PARAMETERS_MAX 32
#define SPACE_LISTED_MAX 64	/* values of a list, which `when` has bits for */

enum space_kind {
	SPACE_CATEGORY,		/* listed values without an order */
	SPACE_ORDER,		/* listed values in their order */
	SPACE_LINEAR,		/* least .. most in equal steps */
	SPACE_LOG,		/* least .. most in equal ratios */
};

/* What a value may do to the results; whether they stay the same comes first. */
enum space_class {
	SPACE_SAFE,		/* nothing is given up */
	SPACE_RELAXED,		/* a promise is weaker, in a way the user may accept */
	SPACE_UNSAFE,		/* results or data may be wrong or lost */
	SPACE_AVOIDED,		/* it was seen to fail; never permitted */
};

struct space_parameter {
	enum space_kind kind;
	uint16_t count;		/* of levels, 2 or more; see space_place() */
	uint16_t current;	/* the user's own level */
	double least, most;	/* of a range */
	bool whole;		/* a range of integers */
	bool off_grid;		/* level `current` of the range is `own` */
	double own;
	enum space_class class;	/* of every level but ... */
	const enum space_class *classes; /* ... a list's: one per level, or NULL */
	bool has_parent;
	uint16_t parent;	/* a list with a lower index */
	uint64_t when;		/* bit per level of the parent */
};

struct space {
	const struct space_parameter *parameters;
	size_t count;		/* 1 .. SPACE_PARAMETERS_MAX */
	enum space_class allowed;
};

/* Levels at and beyond the space's count are 0. */
struct space_config {
	uint16_t levels[SPACE_PARAMETERS_MAX];
};

/*
 * Makes value the user's own of a range whose count is that of its grid: finds
 * its level, or adds one.
 */
void space_place(struct space_parameter *range, double value);

/*
 * Whether the space can be searched: NULL, or what is wrong with the parameter
 * whose index is returned too.
 */
const char *space_check(const struct space *space, size_t *ret_parameter);

/* The value of a range's level; a list's level is its own value. */
double space_value(const struct space_parameter *parameter, unsigned level);

/* Where a level lies between the ends, 0 .. 1; a category's level itself. */
double space_coordinate(const struct space_parameter *parameter, unsigned level);

bool space_permits(const struct space *space, size_t index, unsigned level);
bool space_is_active(const struct space *space,
		     const struct space_config *config, size_t index);
void space_canonicalise(const struct space *space, struct space_config *config);
bool space_equal(const struct space_config *a, const struct space_config *b);

/*
 * The same for canonically equal configs, on every machine and in every run,
 * so that it may be stored beside a hash of the space itself.
 */
uint64_t space_hash(const struct space *space, const struct space_config *config);

/* Whether all parameters are categories. */
bool space_is_unordered(const struct space *space);

/* How many different permitted configs there are; UINT64_MAX if more. */
uint64_t space_size(const struct space *space);

/* What the user has now. */
void space_current(const struct space *space, struct space_config *ret);

/* Uniform in every active parameter. */
void space_draw(const struct space *space, struct random *random,
		struct space_config *ret);

/*
 * In an order that visits every permitted config once: the first, and the one
 * after config; false after the last.
 */
void space_first(const struct space *space, struct space_config *ret);
bool space_advance(const struct space *space, struct space_config *config);

/*
 * The one-step neighbours: of a category any other level, of the rest 1, 4,
 * 16, ... levels up or down. space_move() takes step number `step` of one
 * parameter, below space_moves(); false if it leads nowhere permitted or the
 * parameter is inactive, and config is then untouched.
 */
unsigned space_moves(const struct space *space, size_t index);
bool space_move(const struct space *space, struct space_config *config,
		size_t index, unsigned step);

/* A move drawn at random; false if the config has no neighbour at all. */
bool space_wander(const struct space *space, struct random *random,
		  struct space_config *config);

#endif
