/*
 * store_core.h - the bytes that wait in the router: arguments of calls that
 * wait, results that are kept, output for a slow client.
 *
 * One region of fixed size is all there is, whoever sends however much. It is
 * divided by halving (buddy system): a piece is 1 KiB .. 256 KiB, a power of
 * two, in one run. What was never handed out was never touched, so an idle
 * router holds none of it.
 *
 * A parcel is a message with all it borrowed copied beside it. Parcels stand
 * in line, the first in first out.
 *
 * Pure; the caller's storage. Source: K. C. Knowlton, A Fast Storage Allocator,
 * CACM 8 (1965).
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_STORE_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_STORE_CORE_H

#include "common/core/list.h"
#include "common/wire/message.h"

#define STORE_PIECE_LEAST 1024
#define STORE_PIECE_MOST 262144
#define STORE_LEVELS 9		/* 1 KiB << 8 is 256 KiB */

struct store {
	uint8_t *region;
	uint8_t *levels;	/* of the piece that begins there; see .c */
	size_t bytes;		/* a multiple of STORE_PIECE_MOST */
	size_t fresh;		/* never handed out from here on */
	size_t used;
	struct list free[STORE_LEVELS];
};

/* region is bytes long, levels bytes / STORE_PIECE_LEAST, all zero. */
void store_init(struct store *store, uint8_t *region, uint8_t *levels,
		size_t bytes);

/* At least so many bytes, not zeroed; NULL if there are none. */
void *store_take(struct store *store, size_t bytes);
void store_give(struct store *store, void *piece);

struct parcel {
	struct parcel *next;
	uint32_t bytes;		/* of the body */
	uint32_t place;		/* where it stood among all that came */
	struct message message;	/* borrows from the bytes behind it */
};

/* What a message keeps waiting beyond its body at the most. */
#define PARCEL_BYTES_MOST (sizeof(struct parcel) + MESSAGE_BODY_BYTES_MAX)

/* A copy of the message and of all it borrows; NULL if there is no room. */
struct parcel *parcel_new(struct store *store, const struct message *message);

struct parcels {
	struct parcel *first, *last;
	uint32_t count;
	size_t bytes;		/* of all bodies */
};

/* What they take of the store, or nearly. */
size_t parcels_room(const struct parcels *parcels);

void parcels_append(struct parcels *parcels, struct parcel *parcel);

/* Frees the one behind; there is one, which is not the last. */
void parcels_drop_next(struct parcels *parcels, struct parcel *parcel,
		       struct store *store);

/* Frees the first; there is one. */
void parcels_drop_first(struct parcels *parcels, struct store *store);
void parcels_clear(struct parcels *parcels, struct store *store);

#endif
