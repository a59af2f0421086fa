/*
 * breaker_model.h - what a breaker should do, written a second time and slowly.
 *
 * The model keeps lists: every call that went out and every note about one. It
 * answers each question by reading the lists again, so it has no counter that
 * could be forgotten, no ring and no window. Of the breaker it takes the names
 * of states, reasons and limits, and nothing that runs. It has no jitter.
 */
#ifndef CUPEL_TESTS_SUPPORT_BREAKER_MODEL_H
#define CUPEL_TESTS_SUPPORT_BREAKER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/breaker.h"

#define MODEL_CALLS_MAX 64
#define MODEL_NOTES_MAX 128

/* What was ever seen, gathered over many models. */
struct model_coverage {
	bool transitions[BREAKER_STATE_COUNT][BREAKER_STATE_COUNT];
	bool reasons[BREAKER_REASON_COUNT];
};

struct model_call {
	int64_t sent_ns;
	uint32_t era;
	bool probe;
	bool ended;
	bool judged;		/* a probe whose lease ran out */
	bool known_slow;
};

enum model_word {
	WORD_GOOD,
	WORD_BAD,
	WORD_NEUTRAL,
	WORD_QUICK,
	WORD_SLOW,
	WORD_CRASH
};

struct model_note {
	int64_t at_ns;
	uint32_t era;
	enum model_word word;
};

struct breaker_model {
	const struct breaker_limits *limits;
	struct model_coverage *coverage;
	int64_t slow_ns;
	enum breaker_state state;
	enum breaker_reason reason;
	uint32_t era;
	int64_t entered_ns;
	int64_t period_ns;	/* start of the era, or of the ramp's step */
	unsigned ramp_step;
	unsigned doublings;
	bool pool_down;
	bool isolated;
	int64_t isolated_until_ns;
	int64_t observe_until_ns;
	uint64_t trips;
	bool would_open;	/* it observes, and this era began with a trip */
	uint64_t spared;
	uint64_t rejected;
	uint64_t stale;
	unsigned call_count;
	unsigned note_count;
	struct model_call calls[MODEL_CALLS_MAX];	/* by call id */
	struct model_note notes[MODEL_NOTES_MAX];
};

void model_init(struct breaker_model *model,
		const struct breaker_limits *limits, int64_t slow_ns,
		int64_t now_ns, struct model_coverage *coverage);

/* Lets time pass; every function below does so first. */
void model_until(struct breaker_model *model, int64_t now_ns);
int64_t model_next_ns(const struct breaker_model *model);

/* Call ids count up from 0, one for each call that was not rejected. */
enum breaker_answer model_admit(struct breaker_model *model, int64_t now_ns);
void model_slow(struct breaker_model *model, uint64_t id, int64_t now_ns);
void model_end(struct breaker_model *model, uint64_t id, enum outcome outcome,
	       enum breaker_crash crash, int64_t now_ns);

void model_pool(struct breaker_model *model, bool down, int64_t now_ns);
void model_isolate(struct breaker_model *model, int64_t now_ns);
void model_observe(struct breaker_model *model, int64_t now_ns);
void model_reset(struct breaker_model *model, int64_t now_ns);

unsigned model_concurrency(const struct breaker_model *model,
			   unsigned configured);

#endif
