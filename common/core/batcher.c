#include "common/core/batcher.h"

#include <assert.h>

#include "common/core/deadline.h"

void batcher_init(struct batcher *batcher, size_t items_max, size_t bytes_max,
		  int64_t wait_ns)
{
	assert(items_max > 0);
	batcher->items_max = items_max;
	batcher->bytes_max = bytes_max;
	batcher->wait_ns = wait_ns;
	batcher_clear(batcher);
}

bool batcher_fits(const struct batcher *batcher, size_t bytes)
{
	if (batcher->items == 0)
		return true;
	return batcher->bytes <= batcher->bytes_max &&
	       bytes <= batcher->bytes_max - batcher->bytes;
}

bool batcher_add(struct batcher *batcher, size_t bytes, int64_t now_ns)
{
	assert(batcher_fits(batcher, bytes));
	if (batcher->items == 0)
		batcher->write_ns = deadline_after(now_ns, batcher->wait_ns);
	batcher->items++;
	batcher->bytes += bytes;
	return batcher->items >= batcher->items_max ||
	       batcher->bytes >= batcher->bytes_max;
}

void batcher_clear(struct batcher *batcher)
{
	batcher->items = 0;
	batcher->bytes = 0;
	batcher->write_ns = DEADLINE_NEVER;
}

int64_t batcher_next_ns(const struct batcher *batcher)
{
	return batcher->write_ns;
}
