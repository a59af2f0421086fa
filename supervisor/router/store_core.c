#include "supervisor/router/store_core.h"

#include <assert.h>
#include <string.h>

#include "common/core/list.h"
#include "common/wire/kind.h"

/* levels[i]: 1 + the level of the piece that begins there, and: is it free. */
#define LEVEL_FREE 0x80

void store_init(struct store *store, uint8_t *region, uint8_t *levels,
		size_t bytes)
{
	assert(bytes % STORE_PIECE_MOST == 0);
	*store = (struct store){ .region = region, .levels = levels,
				 .bytes = bytes };
	for (unsigned i = 0; i < STORE_LEVELS; i++)
		list_init(&store->free[i]);
}

static size_t index_of(const struct store *store, const void *piece)
{
	return (size_t)((const uint8_t *)piece - store->region) /
	       STORE_PIECE_LEAST;
}

static void *piece_at(const struct store *store, size_t index)
{
	return store->region + index * STORE_PIECE_LEAST;
}

static void set_free(struct store *store, void *piece, unsigned level)
{
	store->levels[index_of(store, piece)] =
		(uint8_t)((level + 1) | LEVEL_FREE);
	list_prepend(&store->free[level], piece);
}

static void *take_fresh(struct store *store)
{
	void *piece = store->region + store->fresh;

	if (store->fresh == store->bytes)
		return NULL;
	store->fresh += STORE_PIECE_MOST;
	return piece;
}

/* A piece of exactly that level, cut from a larger one if need be. */
static void *take_level(struct store *store, unsigned level)
{
	struct list *free = NULL;
	unsigned from = level;

	while (from < STORE_LEVELS &&
	       !(free = list_take_first(&store->free[from])))
		from++;
	uint8_t *piece = (uint8_t *)free;

	if (!piece) {
		from = STORE_LEVELS - 1;
		piece = take_fresh(store);
	}
	if (!piece)
		return NULL;
	while (from > level) {
		from--;
		set_free(store, piece + ((size_t)STORE_PIECE_LEAST << from),
			 from);
	}
	store->levels[index_of(store, piece)] = (uint8_t)(level + 1);
	return piece;
}

void *store_take(struct store *store, size_t bytes)
{
	unsigned level = 0;

	if (bytes > STORE_PIECE_MOST)
		return NULL;
	while (((size_t)STORE_PIECE_LEAST << level) < bytes)
		level++;

	void *piece = take_level(store, level);

	if (piece)
		store->used += (size_t)STORE_PIECE_LEAST << level;
	return piece;
}

void store_give(struct store *store, void *piece)
{
	size_t index = index_of(store, piece);
	unsigned level = store->levels[index] - 1U;

	assert(level < STORE_LEVELS);
	store->used -= (size_t)STORE_PIECE_LEAST << level;
	for (; level + 1 < STORE_LEVELS; level++) {
		size_t buddy = index ^ ((size_t)1 << level);

		if (store->levels[buddy] != ((level + 1) | LEVEL_FREE))
			break;
		list_remove(piece_at(store, buddy));
		store->levels[buddy] = 0;
		store->levels[index] = 0;
		index &= ~((size_t)1 << level);
	}
	set_free(store, piece_at(store, index), level);
}

/* ---- parcels ---- */

/* Where a field's bytes and their length stand in a message. */
static void *field_of(struct message *message, const struct field *field)
{
	return (char *)message + field->offset;
}

static bool borrows(const struct field *field)
{
	return field->type == FIELD_BYTES || field->type == FIELD_TEXT;
}

/* Text and bytes have one layout, a pointer and a length. */
_Static_assert(sizeof(struct span) == sizeof(struct message_text) &&
	       offsetof(struct span, length) ==
		       offsetof(struct message_text, length), "one layout");

static size_t borrowed(struct message *message, const struct kind *kind)
{
	size_t bytes = message->body.length;

	for (size_t i = 0; i < kind->field_count; i++) {
		if (borrows(&kind->fields[i]))
			bytes += ((struct span *)field_of(
				message, &kind->fields[i]))->length;
	}
	return bytes;
}

static uint8_t *keep(struct span *span, uint8_t *place)
{
	if (span->length)
		memcpy(place, span->data, span->length);
	span->data = place;
	return place + span->length;
}

struct parcel *parcel_new(struct store *store, const struct message *message)
{
	struct message copy = *message;
	const struct kind *kind = kind_of(message->kind);
	struct parcel *parcel = store_take(
		store, sizeof(*parcel) + borrowed(&copy, kind));

	if (!parcel)
		return NULL;

	uint8_t *place = (uint8_t *)(parcel + 1);

	place = keep(&copy.body, place);
	for (size_t i = 0; i < kind->field_count; i++) {
		if (borrows(&kind->fields[i]))
			place = keep(field_of(&copy, &kind->fields[i]), place);
	}
	*parcel = (struct parcel){ .message = copy,
				   .bytes = (uint32_t)copy.body.length };
	return parcel;
}

size_t parcels_room(const struct parcels *parcels)
{
	return parcels->bytes + parcels->count * (size_t)STORE_PIECE_LEAST;
}

void parcels_append(struct parcels *parcels, struct parcel *parcel)
{
	if (parcels->last)
		parcels->last->next = parcel;
	else
		parcels->first = parcel;
	parcels->last = parcel;
	parcels->count++;
	parcels->bytes += parcel->bytes;
}

void parcels_drop_next(struct parcels *parcels, struct parcel *parcel,
		       struct store *store)
{
	struct parcel *next = parcel->next;

	assert(next && next != parcels->last);
	parcel->next = next->next;
	parcels->count--;
	parcels->bytes -= next->bytes;
	store_give(store, next);
}

void parcels_drop_first(struct parcels *parcels, struct store *store)
{
	struct parcel *parcel = parcels->first;

	parcels->first = parcel->next;
	if (!parcels->first)
		parcels->last = NULL;
	parcels->count--;
	parcels->bytes -= parcel->bytes;
	store_give(store, parcel);
}

void parcels_clear(struct parcels *parcels, struct store *store)
{
	while (parcels->first)
		parcels_drop_first(parcels, store);
}
