/*
 * messages.h - messages of every kind for tests: made up, compared, encoded.
 */
#ifndef CUPEL_TESTS_SUPPORT_MESSAGES_H
#define CUPEL_TESTS_SUPPORT_MESSAGES_H

#include "common/core/random.h"
#include "common/wire/kind.h"

#define MESSAGES_KIND_COUNT 24

/* Every kind there is, in the order of their numbers. */
extern const uint8_t messages_kinds[MESSAGES_KIND_COUNT];

enum messages_size {
	MESSAGES_SMALLEST,	/* every field as small as its row permits */
	MESSAGES_RANDOM,	/* drawn, often at a limit; bodies to 300 bytes */
	MESSAGES_LARGEST,	/* every field at its limit */
};

/*
 * A valid message of that kind; random may be NULL unless it is drawn. Spans
 * and texts point into static storage that never changes.
 */
struct message messages_make(unsigned kind, enum messages_size size,
			     struct random *random);

bool messages_equal(const struct message *a, const struct message *b);

#endif
