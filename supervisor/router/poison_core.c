#include "supervisor/router/poison_core.h"

#include <stddef.h>

static bool is_live(const struct poison_row *row, int64_t now_ns)
{
	return row->deaths > 0 && now_ns - row->died_ns < POISON_WINDOW_NS;
}

static struct poison_row *row_for(struct poison *poison,
				  struct signature signature)
{
	struct poison_row *oldest = &poison->rows[0];

	for (unsigned i = 0; i < POISON_ROWS; i++) {
		struct poison_row *row = &poison->rows[i];

		if (row->deaths > 0 && signature_is(row->signature, signature))
			return row;
		if (row->deaths == 0 || (oldest->deaths > 0 &&
					 row->died_ns < oldest->died_ns))
			oldest = row;
	}
	*oldest = (struct poison_row){ .signature = signature };
	return oldest;
}

bool poison_death(struct poison *poison, struct signature signature,
		  int64_t now_ns)
{
	struct poison_row *row = row_for(poison, signature);

	if (!is_live(row, now_ns))
		row->deaths = 0;
	row->deaths++;
	row->died_ns = now_ns;
	return row->deaths >= 2;
}

int64_t poison_until_ns(const struct poison *poison,
			struct signature signature, int64_t now_ns)
{
	for (unsigned i = 0; i < POISON_ROWS; i++) {
		const struct poison_row *row = &poison->rows[i];

		if (row->deaths >= 2 && is_live(row, now_ns) &&
		    signature_is(row->signature, signature))
			return row->died_ns + POISON_WINDOW_NS;
	}
	return 0;
}
