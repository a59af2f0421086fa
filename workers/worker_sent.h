/*
 * worker_sent.h - the end of what a call has sent, for another router.
 *
 *	chunks 0 .. | first ................. | count of the call
 *	 forgotten  | kept, oldest first      |
 *	                      ^ cursor: what is sent again next
 *
 * A ring of whole chunks, each behind a word of its stream and length. Its memory
 * is the call's arena's, as much as was ever in it at most doubled, none without
 * chunks. Of chunks of four bytes or more it holds the last CREDIT_CALL_BYTES,
 * more than a client that takes its output can have missed. Where memory is short
 * the ring forgets more.
 */
#ifndef CUPEL_WORKERS_WORKER_SENT_H
#define CUPEL_WORKERS_WORKER_SENT_H

#include "common/arena.h"
#include "common/wire/message.h"

#define SENT_BYTES_MAX (2 * CREDIT_CALL_BYTES)
/* One that is sent again may find half of a window granted, and no more to come. */
#define SENT_CHUNK_BYTES_MAX (CREDIT_CALL_BYTES / 2)

struct sent {
	uint8_t *data;
	size_t room, start, bytes;	/* of the ring; where it begins, what is in it */
	size_t cursor;			/* bytes from there */
	uint32_t first, count;		/* chunks: the first that is kept; how many */
};

/* The call's next chunk, of SENT_CHUNK_BYTES_MAX at the most. */
void sent_keep(struct sent *sent, struct arena *memory, uint32_t stream,
	       struct span bytes);

/* Puts the cursor before that chunk of the call. False: it is forgotten, or not sent yet. */
bool sent_seek(struct sent *sent, uint32_t chunk);

/* Stream and bytes of the chunk behind the cursor, copied to buffer; then past it. */
struct span sent_peek(const struct sent *sent, uint8_t *buffer, uint32_t *ret_stream);
void sent_pass(struct sent *sent);

#endif
