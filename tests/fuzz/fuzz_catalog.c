/*
 * fuzz_catalog.c - any bytes as a catalogue: it is judged without a look
 * beyond them, and what is accepted can be used.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/catalog.h"
#include "common/cleanup.h"
#include "common/error.h"

static void use(const struct catalog *catalog)
{
	for (uint32_t i = 0; i < catalog->pool_count; i++)
		assert(catalog->pools[i].warm <= catalog->pools[i].size);
	for (uint32_t i = 0; i < catalog->tool_count; i++) {
		const struct catalog_tool *tool = &catalog->tools[i];

		assert(strlen(catalog_text(catalog, tool->help)) == tool->help.length);
		assert(strlen(catalog_text(catalog, tool->schema)) == tool->schema.length);
		assert(catalog_find_tool(catalog, tool->name, strlen(tool->name)) == (int)i);
		assert(tool->pool < catalog->pool_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Most of a block is empty rows: what comes in is laid over an empty one, its
 * rest the text, so that few bytes are enough to get far.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error why;
	size_t rows = size < 2 ? 0 : ((size_t)data[0] << 8 | data[1]) % (size - 1);
	size_t text = size < 2 ? 0 : size - 2 - rows;
	AUTO_FREE struct catalog *catalog = calloc(1, sizeof(*catalog) + text);

	assert(catalog);
	if (size >= 2 && rows <= sizeof(*catalog)) {
		memcpy(catalog, data + 2, rows);
		memcpy(catalog + 1, data + 2 + rows, text);
		catalog->magic = CATALOG_MAGIC;
		catalog->text_bytes = (uint32_t)text;
	}
	if (catalog_check(catalog, sizeof(*catalog) + text, &why) == 0)
		use(catalog);
	else
		assert(why.text[0]);
	return 0;
}
