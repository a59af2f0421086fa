/*
 * storm.h - what the parts of storm share: what it was given, what it counts.
 *
 *	storm_told.c	promises that were broken, counts, dice
 *	storm_hits.c	processes: found, killed, stopped; the router's absence
 *	storm_calls.c	calls, and the links they go by; what must hold of each
 *	storm.c		where it strikes, for how long, and what is judged
 */
#ifndef CUPEL_TESTS_CHAOS_STORM_H
#define CUPEL_TESTS_CHAOS_STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/clock.h"
#include "common/core/error_code.h"
#include "common/core/random.h"
#include "common/wire/client.h"

#define HAVEN "haven"
#define IN_FLIGHT 8		/* on each link */
#define POOLS_MAX 16

enum fault {
	FAULT_KILL, FAULT_STOP, FAULT_ROUTER, FAULT_CRASH, FAULT_HANG,
	FAULT_FLOOD, FAULT_CANCEL, FAULT_LINK, FAULT_FAIL, FAULT_DEADLINE,
	FAULT_COUNT
};

extern struct given {
	pid_t supervisor;
	const char *socket_path;
	unsigned pools;
	FILE *tokens;
	int64_t boot_ns, began_ns;
	struct random chance;
} given;

extern struct counts {
	uint64_t fired[FAULT_COUNT], ends[ERROR_CODE_COUNT];
	uint64_t served[POOLS_MAX];
	uint64_t started, ended, late, havens;
	uint64_t fair_calls, fair_well;
	uint64_t violations;
} counts;

/* ---- storm_told.c ---- */

uint64_t below(uint64_t limit);
bool one_in(uint64_t n);

/* A promise was broken: the first twenty are printed. */
void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tell(bool good, const char *what);
void tell_counts(void);

/* ---- storm_hits.c ---- */

extern struct outage {
	int64_t from_ns, to_ns, longest_ns;	/* to 0: it goes on */
} outage;			/* the router's last */

void end_outage(int64_t now_ns);

/* How long, from then on, there was no router. */
int64_t away_ns(int64_t from_ns, int64_t now_ns);

unsigned kill_workers(unsigned pool, unsigned most);
void kill_router(void);
void stop_one(int64_t now_ns);
void continue_all(int64_t now_ns);	/* each at its time */

/* ---- storm_calls.c ---- */

/* A row per kind of call; the texts take one number. */
struct kind {
	const char *method, *arguments;
	uint64_t most;		/* of the number */
	unsigned weight;
	int fault;		/* -1: it is none */
	bool effect;
};

extern const struct kind kinds[];
extern const size_t kind_count;

struct pending {
	bool used;
	int64_t again_ns;	/* unused until then */
	uint64_t id;
	const struct kind *kind;
	uint64_t number, token;
	bool accepted, haven;
	bool fair;			/* nothing we do keeps it from ending well */
	int64_t deadline_ns, cancel_ns;
	size_t received;
	bool torn;		/* a byte was not what it must be */
	char tool[32];
	unsigned pool;
	uint8_t input[256];
	size_t input_length;
};

struct link {
	struct client client;
	bool open;
	int64_t opened_ns, again_ns;
	struct pending calls[IN_FLIGHT];
};

bool open_link(struct link *link);
void serve_link(struct link *link, int64_t now_ns, bool calls);

/* After the loss each call has ended: the client has seen to it. */
void close_link(struct link *link, int64_t now_ns);

/* Gone without a word; what becomes of its calls is not told any more. */
void drop_link(struct link *link, int64_t now_ns);

#endif
