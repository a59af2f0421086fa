#include "table.h"

#include <stdlib.h>
#include <string.h>

__attribute__((unused))
static unsigned hash_sum(const char *text, size_t length)
{
	unsigned hash = 0;

	for (size_t i = 0; i < length; i++)
		hash += (unsigned char)text[i];
	return hash;
}

__attribute__((unused))
static unsigned hash_djb2(const char *text, size_t length)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < length; i++)
		hash = hash * 33 + (unsigned char)text[i];
	return hash;
}

__attribute__((unused))
static unsigned hash_fnv(const char *text, size_t length)
{
	unsigned hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}

static struct entry *find(struct entry *entry, const struct request *request)
{
	while (entry && (entry->length != request->path_length ||
			 memcmp(entry->path, request->path, entry->length) != 0))
		entry = entry->next;
	return entry;
}

bool table_add(struct table *table, const struct request *request)
{
	unsigned hash = HASH(request->path, request->path_length);
	struct entry **slot = &table->slots[hash % TABLE_SLOTS];
	struct entry *entry = find(*slot, request);

	if (!entry) {
		entry = calloc(1, sizeof(*entry) + request->path_length + 1);
		if (!entry)
			return false;
		entry->length = request->path_length;
		memcpy(entry->path, request->path, entry->length);
		entry->next = *slot;
		*slot = entry;
		table->count++;
	}
	entry->requests++;
	entry->bytes += request->bytes;
	return true;
}

static int before(const void *a, const void *b)
{
	const struct entry *left = *(const struct entry *const *)a;
	const struct entry *right = *(const struct entry *const *)b;

	if (left->requests != right->requests)
		return left->requests > right->requests ? -1 : 1;
	return strcmp(left->path, right->path);
}

/* All of them in order, of which the first are taken. */
__attribute__((unused))
static size_t top_by_sort(const struct table *table, const struct entry **ret, size_t most)
{
	const struct entry **all = calloc(table->count + 1, sizeof(*all));
	size_t count = 0;

	for (size_t i = 0; all && i < TABLE_SLOTS; i++)
		for (const struct entry *entry = table->slots[i]; entry; entry = entry->next)
			all[count++] = entry;
	if (count)
		qsort(all, count, sizeof(*all), before);
	count = count < most ? count : most;
	for (size_t i = 0; i < count; i++)
		ret[i] = all[i];
	free(all);
	return count;
}

/* Only the best so far, in order. */
__attribute__((unused))
static size_t top_by_scan(const struct table *table, const struct entry **ret, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < TABLE_SLOTS; i++)
		for (const struct entry *entry = table->slots[i]; entry; entry = entry->next) {
			size_t place = count < most ? count++ : most;

			while (place > 0 && before(&entry, &ret[place - 1]) < 0) {
				if (place < most)
					ret[place] = ret[place - 1];
				place--;
			}
			if (place < most)
				ret[place] = entry;
		}
	return count;
}

size_t table_top(const struct table *table, const struct entry **ret, size_t most)
{
	return TOP(table, ret, most);
}
