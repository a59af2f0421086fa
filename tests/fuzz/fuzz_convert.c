/*
 * fuzz_convert.c - msgpack from strangers to JSON and back: what has a tree
 * has bytes, and those bytes have an equal tree.
 */
#include <stdlib.h>

#include "common/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[1 << 20];
	json_auto_t *json = NULL;
	json_auto_t *again = NULL;
	struct error why;
	int length;

	if (size > sizeof(buffer) / 2)
		return 0;
	if (convert_to_json((struct span){ data, size }, &json, &why) < 0)
		return 0;
	/* A float 32 comes back as a float 64: at most twice the bytes. */
	length = convert_from_json(json, buffer, sizeof(buffer), &why);
	if (length < 0 ||
	    convert_to_json((struct span){ buffer, (size_t)length }, &again,
			    &why) < 0 ||
	    !json_equal(json, again))
		abort();
	return 0;
}
