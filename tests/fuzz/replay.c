/*
 * replay.c - the main of a fuzz target in an ordinary build: no fuzzer, but
 * every file of tests/fuzz/corpus/NAME, NAME being the program's own, and a
 * bounded number of damaged copies of each, so that `make check` keeps what
 * fuzzing has found. Speaks TAP, a line per file.
 *
 * A crash ends the program after the comment that names the file; the same
 * CUPEL_SEED makes the same copies in the same order.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/core/random.h"

#define CUTS_MAX 1024		/* proper prefixes of a file that are tried */
#define FLIPS 1024		/* copies of a file with a few bytes changed */
#define FLIPPED_BYTES_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds a copy that ends where its memory does: ASan sees one byte too far. */
static void feed(const uint8_t *data, size_t size)
{
	AUTO_FREE uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
}

/* Every prefix of a small file, evenly spaced ones of a large one. */
static void feed_prefixes(const uint8_t *data, size_t size)
{
	size_t step = size / CUTS_MAX + 1;

	for (size_t cut = 0; cut < size; cut += step)
		feed(data, cut);
}

static void feed_flipped(uint8_t *data, size_t size, struct random *random)
{
	for (int copy = 0; size > 0 && copy < FLIPS; copy++) {
		size_t at[FLIPPED_BYTES_MAX];
		uint8_t kept[FLIPPED_BYTES_MAX];
		size_t count = 1 + random_below(random, FLIPPED_BYTES_MAX);

		for (size_t i = 0; i < count; i++) {
			at[i] = random_below(random, size);
			kept[i] = data[at[i]];
			data[at[i]] = (uint8_t)random_next(random);
		}
		feed(data, size);
		while (count-- > 0)
			data[at[count]] = kept[count];
	}
}

/* The whole file in memory the caller frees, or NULL with errno set. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	uint8_t *data = NULL;

	if (!file)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0) {
		size_t size = (size_t)ftell(file);

		rewind(file);
		data = malloc(size + 1);
		if (data)
			*ret_size = fread(data, 1, size, file);
	}
	fclose(file);
	return data;
}

static void replay(int number, const char *path, struct random *random)
{
	size_t size = 0;
	AUTO_FREE uint8_t *data = read_file(path, &size);

	if (!data) {
		printf("not ok %d - %s: %s\n", number, path, strerror(errno));
		return;
	}
	printf("# %s\n", path);
	fflush(stdout);
	feed(data, size);
	feed_prefixes(data, size);
	feed_flipped(data, size, random);
	printf("ok %d - %s\n", number, path);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	const char *text = getenv("CUPEL_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
	struct dirent **entries = NULL;
	struct random random;
	char folder[PATH_MAX], path[PATH_MAX + NAME_MAX + 1];

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s",
		 program_invocation_short_name);
	printf("# CUPEL_SEED=%" PRIu64 "\n", seed);
	random_init(&random, seed);

	int count = scandir(folder, &entries, is_input, alphasort);

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder,
			 entries[i]->d_name);
		replay(i + 1, path, &random);
		free(entries[i]);
	}
	free(entries);
	if (count <= 0)
		printf("not ok 1 - %s holds an input\n", folder);
	printf("1..%d\n", count > 0 ? count : 1);
	return count <= 0;
}
