#include "common/core/credit.h"

#include <assert.h>

bool credit_covers(const struct credit *credit, size_t bytes)
{
	assert(credit->bytes <= credit->window);
	return bytes <= credit->bytes;
}

bool credit_take(struct credit *credit, size_t bytes)
{
	if (!credit_covers(credit, bytes))
		return false;
	credit->bytes -= bytes;
	return true;
}

bool credit_add(struct credit *credit, size_t bytes)
{
	assert(credit->bytes <= credit->window);
	if (bytes > credit->window - credit->bytes)
		return false;
	credit->bytes += bytes;
	return true;
}
