/*
 * landscape.h - problems with a known optimum, to search in.
 *
 * Branin and Hartmann-6 as S. Surjanovic and D. Bingham, Virtual Library of
 * Simulation Experiments, print them; NK after S. Kauffman and S. Levin (1987),
 * 20 bits, whose cost is 1 / fitness; Ackley's function of 12 variables, real,
 * whole and categorical, shifted and plus 10; and two tables of measured times:
 * all settings of a compiler and of a database (tests/data/tables).
 *
 * An instance number draws the NK tables, Ackley's shift and, except in the
 * tables of measured times, where the search starts.
 */
#ifndef CUPEL_TESTS_SUPPORT_LANDSCAPE_H
#define CUPEL_TESTS_SUPPORT_LANDSCAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "workers/improve/space_core.h"

enum landscape_kind {
	LANDSCAPE_BRANIN,
	LANDSCAPE_HARTMANN,
	LANDSCAPE_NK3,
	LANDSCAPE_GCC,
	LANDSCAPE_SQLITE,
	LANDSCAPE_NK5,
	LANDSCAPE_ACKLEY,
	LANDSCAPE_KIND_COUNT
};

#define LANDSCAPE_BITS 20
#define LANDSCAPE_TABLE_MAX 4608

struct landscape {
	enum landscape_kind kind;
	struct space space;		/* borrows the parameters below */
	struct space_parameter parameters[SPACE_PARAMETERS_MAX];
	double optimum;			/* of what the space permits */
	unsigned neighbours;		/* NK: K, which bits, and what they are worth */
	uint8_t bits[LANDSCAPE_BITS][6];
	double worth[LANDSCAPE_BITS][64];
	double shift[12];		/* Ackley */
	double table[LANDSCAPE_TABLE_MAX];
};

const char *landscape_name(enum landscape_kind kind);

/*
 * Tables are read below the working directory, the repository's; what cannot
 * be read ends the program. allowed matters to the database alone.
 */
void landscape_init(struct landscape *landscape, enum landscape_kind kind,
		    uint64_t instance, enum space_class allowed);

double landscape_cost(const struct landscape *landscape,
		      const struct space_config *config);

/* Within 5 % of the optimum. */
bool landscape_is_solved(const struct landscape *landscape, double cost);

#endif
