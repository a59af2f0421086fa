#include "tests/support/landscape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define REAL_LEVELS 1001
#define TABLE_BYTES_MAX (1 << 20)

static const char *const names[LANDSCAPE_KIND_COUNT] = {
	[LANDSCAPE_BRANIN] = "branin",
	[LANDSCAPE_HARTMANN] = "hartmann6",
	[LANDSCAPE_NK3] = "nk20_3",
	[LANDSCAPE_GCC] = "gcc",
	[LANDSCAPE_SQLITE] = "sqlite",
	[LANDSCAPE_NK5] = "nk20_5",
	[LANDSCAPE_ACKLEY] = "ackley12",
};

const char *landscape_name(enum landscape_kind kind)
{
	return names[kind];
}

static void add(struct landscape *landscape, struct space_parameter parameter)
{
	landscape->parameters[landscape->space.count++] = parameter;
}

static void add_range(struct landscape *landscape, double least, double most)
{
	add(landscape, (struct space_parameter){ .kind = SPACE_LINEAR,
		.count = REAL_LEVELS, .least = least, .most = most });
}

static void add_list(struct landscape *landscape, enum space_kind kind,
		     uint16_t count, uint16_t current)
{
	add(landscape, (struct space_parameter){ .kind = kind, .count = count,
						 .current = current });
}

static double value_at(const struct landscape *landscape,
		       const struct space_config *config, size_t index)
{
	return space_value(&landscape->parameters[index],
			   config->levels[index]);
}

/* ---- Branin ---- */

static void branin_init(struct landscape *landscape)
{
	add_range(landscape, -5, 10);
	add_range(landscape, 0, 15);
	landscape->optimum = 0.397887;
}

static double branin_cost(const struct landscape *landscape,
			  const struct space_config *config)
{
	double x = value_at(landscape, config, 0);
	double y = value_at(landscape, config, 1);
	double bowl = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;

	return bowl * bowl + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

/* ---- Hartmann-6 ---- */

static void hartmann_init(struct landscape *landscape)
{
	for (int i = 0; i < 6; i++)
		add_range(landscape, 0, 1);
	landscape->optimum = -3.32237;
}

static double hartmann_cost(const struct landscape *landscape,
			    const struct space_config *config)
{
	static const double weights[4] = { 1, 1.2, 3, 3.2 };
	static const double widths[4][6] = {
		{ 10, 3, 17, 3.5, 1.7, 8 }, { 0.05, 10, 17, 0.1, 8, 14 },
		{ 3, 3.5, 1.7, 10, 17, 8 }, { 17, 8, 0.05, 10, 0.1, 14 },
	};
	static const double centers[4][6] = {
		{ 0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886 },
		{ 0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991 },
		{ 0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650 },
		{ 0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381 },
	};
	double sum = 0;

	for (int i = 0; i < 4; i++) {
		double square = 0;

		for (size_t k = 0; k < 6; k++) {
			double d = value_at(landscape, config, k) - centers[i][k];

			square += widths[i][k] * d * d;
		}
		sum -= weights[i] * exp(-square);
	}
	return sum;
}

/* ---- NK ---- */

static double nk_term(const struct landscape *landscape, size_t term,
		      uint32_t state)
{
	unsigned key = 0;

	for (size_t k = 0; k <= landscape->neighbours; k++)
		key = key << 1 | (state >> landscape->bits[term][k] & 1);
	return landscape->worth[term][key];
}

static double nk_fitness(const struct landscape *landscape, uint32_t state)
{
	double sum = 0;

	for (size_t i = 0; i < LANDSCAPE_BITS; i++)
		sum += nk_term(landscape, i, state);
	return sum / LANDSCAPE_BITS;
}

/* Of all states, in Gray's order: only the terms of the one bit change. */
static double nk_best(const struct landscape *landscape)
{
	uint32_t readers[LANDSCAPE_BITS] = { 0 }, state = 0;
	double sum = nk_fitness(landscape, 0) * LANDSCAPE_BITS, best = sum;

	for (size_t i = 0; i < LANDSCAPE_BITS; i++)
		for (size_t k = 0; k <= landscape->neighbours; k++)
			readers[landscape->bits[i][k]] |= UINT32_C(1) << i;
	for (uint32_t n = 1; n < UINT32_C(1) << LANDSCAPE_BITS; n++) {
		unsigned bit = (unsigned)__builtin_ctz(n);
		uint32_t terms = readers[bit], next = state ^ UINT32_C(1) << bit;

		for (; terms != 0; terms &= terms - 1) {
			size_t term = (size_t)__builtin_ctz(terms);

			sum += nk_term(landscape, term, next) -
			       nk_term(landscape, term, state);
		}
		state = next;
		best = fmax(best, sum);
	}
	return best / LANDSCAPE_BITS;
}

/* A bit depends on itself and on K others, drawn. */
static void nk_init(struct landscape *landscape, struct random *random,
		    unsigned neighbours)
{
	landscape->neighbours = neighbours;
	for (size_t i = 0; i < LANDSCAPE_BITS; i++) {
		uint32_t taken = UINT32_C(1) << i;

		add_list(landscape, SPACE_CATEGORY, 2, 0);
		landscape->bits[i][0] = (uint8_t)i;
		for (unsigned k = 1; k <= neighbours;) {
			uint64_t bit = random_below(random, LANDSCAPE_BITS);

			if (taken >> bit & 1)
				continue;
			taken |= UINT32_C(1) << bit;
			landscape->bits[i][k++] = (uint8_t)bit;
		}
		for (unsigned key = 0; key < 2U << neighbours; key++)
			landscape->worth[i][key] = random_unit(random);
	}
	landscape->optimum = 1 / nk_best(landscape);
}

static double nk_cost(const struct landscape *landscape,
		      const struct space_config *config)
{
	uint32_t state = 0;

	for (size_t i = 0; i < LANDSCAPE_BITS; i++)
		state |= (uint32_t)config->levels[i] << i;
	return 1 / nk_fitness(landscape, state);
}

/* ---- Ackley: 6 real, 3 whole, 3 categories of four ---- */

static void ackley_init(struct landscape *landscape, struct random *random)
{
	for (int i = 0; i < 6; i++) {
		add_range(landscape, -5, 10);
		landscape->shift[i] = -5 + 15 *
			(double)random_below(random, REAL_LEVELS) /
			(REAL_LEVELS - 1);
	}
	for (int i = 6; i < 9; i++) {
		add(landscape, (struct space_parameter){ .kind = SPACE_LINEAR,
			.count = 16, .least = -5, .most = 10, .whole = true });
		landscape->shift[i] = (double)random_below(random, 16) - 5;
	}
	for (int i = 9; i < 12; i++) {
		add_list(landscape, SPACE_CATEGORY, 4, 0);
		landscape->shift[i] = (double)random_below(random, 4);
	}
	landscape->optimum = 10;
}

static double ackley_cost(const struct landscape *landscape,
			  const struct space_config *config)
{
	double squares = 0, waves = 0;

	for (size_t i = 0; i < 12; i++) {
		double x = value_at(landscape, config, i) - landscape->shift[i];

		if (i >= 9)	/* a wrong category is as far as any other */
			x = fabs(x) > 0.5 ? 2 : 0;
		squares += x * x;
		waves += cos(2 * M_PI * x);
	}
	return 10 + 20 + exp(1) - 20 * exp(-0.2 * sqrt(squares / 12)) -
	       exp(waves / 12);
}

/* ---- tables ---- */

static json_t *read_json(const char *path)
{
	static char text[TABLE_BYTES_MAX];
	struct json_limits limits = { TABLE_BYTES_MAX, 4 };
	FILE *file = fopen(path, "re");
	struct error why = { 0 };
	json_t *root;

	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	size_t length = fread(text, 1, sizeof(text), file);

	fclose(file);
	if (json_parse((struct span){ (const uint8_t *)text, length }, limits,
		       &root, &why) < 0) {
		fprintf(stderr, "%s: %s\n", path, why.text);
		exit(EXIT_FAILURE);
	}
	return root;
}

/* A mixed-radix number whose digits are the levels. */
static size_t table_index(const struct landscape *landscape,
			  const struct space_config *config)
{
	size_t index = 0;

	for (size_t i = 0; i < landscape->space.count; i++)
		index = index * landscape->parameters[i].count +
			config->levels[i];
	return index;
}

static void fill_table(struct landscape *landscape, json_t *rows,
		       const char *path)
{
	struct space_config config;
	size_t missing = 0;
	bool more = true;

	landscape->optimum = INFINITY;
	for (space_first(&landscape->space, &config); more;
	     more = space_advance(&landscape->space, &config)) {
		char key[64] = "";

		for (size_t i = 0; i < landscape->space.count; i++)
			sprintf(key + strlen(key), "%s%u", i ? "," : "",
				config.levels[i]);
		const json_t *cost = json_object_get(rows, key);

		if (!json_is_number(cost)) {
			missing++;
			continue;
		}
		landscape->table[table_index(landscape, &config)] =
			json_number_value(cost);
		landscape->optimum = fmin(landscape->optimum,
					  json_number_value(cost));
	}
	if (missing > 0) {
		fprintf(stderr, "%s: %zu rows missing\n", path, missing);
		exit(EXIT_FAILURE);
	}
}

static void gcc_init(struct landscape *landscape)
{
	static const char path[] = "tests/data/tables/gcc.json";

	add_list(landscape, SPACE_CATEGORY, 4, 1);	/* -O2 */
	for (int i = 0; i < 7; i++)
		add_list(landscape, SPACE_CATEGORY, 2, 0);
	json_t *rows = read_json(path);

	fill_table(landscape, rows, path);
	json_decref(rows);
}

static void sqlite_init(struct landscape *landscape)
{
	static const char path[] = "tests/data/tables/sqlite.json";
	static const enum space_class sync[] = { SPACE_UNSAFE, SPACE_RELAXED,
						 SPACE_SAFE };

	add_list(landscape, SPACE_ORDER, 4, 1);		/* page size */
	add_list(landscape, SPACE_ORDER, 3, 1);		/* cache */
	add_list(landscape, SPACE_CATEGORY, 4, 0);	/* journal */
	add_list(landscape, SPACE_ORDER, 3, 2);		/* synchronous */
	landscape->parameters[3].classes = sync;
	add_list(landscape, SPACE_CATEGORY, 2, 0);	/* mmap */
	add_list(landscape, SPACE_ORDER, 4, 1);		/* rows a transaction */
	add_list(landscape, SPACE_CATEGORY, 2, 0);	/* index before, after */
	add_list(landscape, SPACE_CATEGORY, 2, 0);	/* lock */
	json_t *root = read_json(path);

	fill_table(landscape, json_object_get(root, "res"), path);
	json_decref(root);
}

/* ---- all of them ---- */

static void start_anywhere(struct landscape *landscape, struct random *random)
{
	struct space_config config;

	space_draw(&landscape->space, random, &config);
	for (size_t i = 0; i < landscape->space.count; i++)
		landscape->parameters[i].current = config.levels[i];
}

void landscape_init(struct landscape *landscape, enum landscape_kind kind,
		    uint64_t instance, enum space_class allowed)
{
	struct random random;

	*landscape = (struct landscape){ .kind = kind };
	landscape->space.parameters = landscape->parameters;
	landscape->space.allowed = allowed;
	random_init(&random, instance);
	switch (kind) {
	case LANDSCAPE_BRANIN: branin_init(landscape); break;
	case LANDSCAPE_HARTMANN: hartmann_init(landscape); break;
	case LANDSCAPE_NK3: nk_init(landscape, &random, 3); break;
	case LANDSCAPE_NK5: nk_init(landscape, &random, 5); break;
	case LANDSCAPE_ACKLEY: ackley_init(landscape, &random); break;
	case LANDSCAPE_GCC: gcc_init(landscape); return;
	case LANDSCAPE_SQLITE: sqlite_init(landscape); return;
	case LANDSCAPE_KIND_COUNT: abort();
	}
	start_anywhere(landscape, &random);
}

double landscape_cost(const struct landscape *landscape,
		      const struct space_config *config)
{
	switch (landscape->kind) {
	case LANDSCAPE_BRANIN: return branin_cost(landscape, config);
	case LANDSCAPE_HARTMANN: return hartmann_cost(landscape, config);
	case LANDSCAPE_NK3:
	case LANDSCAPE_NK5: return nk_cost(landscape, config);
	case LANDSCAPE_ACKLEY: return ackley_cost(landscape, config);
	case LANDSCAPE_GCC:
	case LANDSCAPE_SQLITE:
		return landscape->table[table_index(landscape, config)];
	case LANDSCAPE_KIND_COUNT: break;
	}
	abort();
}

bool landscape_is_solved(const struct landscape *landscape, double cost)
{
	return cost <= landscape->optimum + 0.05 * fabs(landscape->optimum);
}
