/*
 * fuzz_frame.c - a stream of frames, as it arrives byte by byte: what is said
 * of fewer bytes must hold when there are more.
 */
#include <stdlib.h>

#include "common/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct span frame_bytes, const struct frame *frame)
{
	if (frame->envelope.data != frame_bytes.data + FRAME_HEADER_BYTES ||
	    frame->envelope.length + FRAME_HEADER_BYTES != frame_bytes.length ||
	    frame->kind == 0 || frame->kind >= FRAME_KIND_COUNT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t start = 0;

	for (size_t end = 0; end <= size; end++) {
		struct frame frame, again;
		struct span seen = { data + start, end - start };
		struct span all = { data + start, size - start };
		int r = frame_next(seen, &frame);

		if (r == 0)
			continue;
		if (frame_next(all, &again) != r)
			abort();
		if (r < 0)
			break;
		check_frame((struct span){ seen.data, (size_t)r }, &frame);
		start += (size_t)r;
	}
	return 0;
}
