#include "workers/improve/cases.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "workers/improve/report_format.h"

void cases_init(struct cases *cases, struct arena *arena)
{
	*cases = (struct cases){ .arena = arena };
}

static int grow(struct cases *cases)
{
	size_t capacity = cases->capacity ? 2 * cases->capacity : 64;
	struct test_case *items = arena_alloc_array(cases->arena, capacity, sizeof(*items));

	if (!items)
		return -ENOMEM;
	if (cases->count)
		memcpy(items, cases->items, cases->count * sizeof(*items));
	cases->items = items;
	cases->capacity = capacity;
	return 0;
}

/* Of the arena no more than what is left of the text. */
static const char *keep(struct arena *arena, struct span text, size_t most)
{
	char kept[CASE_DETAIL_BYTES_MAX + 1];

	assert(most < sizeof(kept));
	if (text.length == 0)
		return "";
	text_escape(text, kept, most + 1);
	return arena_text(arena, "%s", kept);
}

static int append(struct cases *cases, const struct test_case *one)
{
	if (!one->name || !one->detail)
		return -ENOMEM;
	if (cases->count == cases->capacity && grow(cases) < 0)
		return -ENOMEM;
	cases->items[cases->count++] = *one;
	return 0;
}

/* All that are too many are one. */
static int append_rest(struct cases *cases)
{
	static const struct test_case rest = { "more cases than are read", CASE_FAILED, -1, "", "" };

	if (cases->too_many)
		return 0;
	cases->too_many = true;
	return append(cases, &rest);
}

int cases_add(struct cases *cases, struct span name, enum case_outcome outcome,
	      int64_t duration_ns, struct span detail)
{
	if (cases->count >= CASES_MAX)
		return append_rest(cases);
	return append(cases, &(struct test_case){
		keep(cases->arena, name, CASE_NAME_BYTES_MAX), outcome, duration_ns,
		keep(cases->arena, detail, CASE_DETAIL_BYTES_MAX), "" });
}

int cases_add_all(struct cases *cases, const struct cases *others)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < others->count; i++)
		r = cases->count < CASES_MAX ? append(cases, &others->items[i]) :
					       append_rest(cases);
	return r;
}

int cases_set_file(struct cases *cases, struct span file)
{
	const char *copy = keep(cases->arena, file, CASE_FILE_BYTES_MAX);

	if (!copy)
		return -ENOMEM;
	if (!cases->too_many)
		cases->items[cases->count - 1].file = copy;
	return 0;
}

int report_add(struct cases *cases, const char *test, struct span name,
	       enum case_outcome outcome, int64_t duration_ns, struct span detail)
{
	char full[CASE_NAME_BYTES_MAX];
	int length = snprintf(full, sizeof(full), "%s: %.*s", test,
			      (int)(name.length < sizeof(full) ? name.length : sizeof(full)),
			      (const char *)name.data);
	size_t used = (size_t)length < sizeof(full) ? (size_t)length : sizeof(full) - 1;

	return cases_add(cases, (struct span){ (uint8_t *)full, used }, outcome,
			 duration_ns, detail);
}

size_t cases_count(const struct cases *cases, enum case_outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < cases->count; i++)
		count += cases->items[i].outcome == outcome;
	return count;
}

bool case_is_bad(enum case_outcome outcome)
{
	return outcome != CASE_PASSED && outcome != CASE_SKIPPED;
}

size_t cases_count_bad(const struct cases *cases)
{
	return cases->count - cases_count(cases, CASE_PASSED) -
	       cases_count(cases, CASE_SKIPPED);
}

/* Equal names in the order of telling. */
static int by_name(const void *a, const void *b)
{
	const struct test_case *const *one = a, *const *other = b;
	int order = strcmp((*one)->name, (*other)->name);

	return order ? order : (*one > *other) - (*one < *other);
}

int cases_index(const struct cases *cases, struct arena *arena, struct case_index *ret)
{
	*ret = (struct case_index){
		arena_alloc_array(arena, cases->count + 1, sizeof(*ret->by)), cases->count };
	if (!ret->by)
		return -ENOMEM;
	for (size_t i = 0; i < ret->count; i++)
		ret->by[i] = &cases->items[i];
	qsort(ret->by, ret->count, sizeof(*ret->by), by_name);
	return 0;
}

static int name_and_case(const void *name, const void *element)
{
	const struct test_case *const *one = element;

	return strcmp(name, (*one)->name);
}

const struct test_case *cases_find(const struct case_index *index, const char *name)
{
	struct test_case **found = bsearch(name, index->by, index->count, sizeof(*index->by),
					   name_and_case);

	return found ? *found : NULL;
}

static int finding(struct cases *cases, const struct case_source *source,
		   const char *name, enum case_outcome outcome, const char *detail)
{
	return report_add(cases, source->test, span_of_text(name), outcome,
			  source->duration_ns, span_of_text(detail));
}

/* The test itself is the case. */
static int read_exit(struct cases *cases, const struct case_source *source)
{
	bool passed = source->exit_code == 0;

	return cases_add(cases, span_of_text(source->test),
			 passed ? CASE_PASSED : CASE_FAILED, source->duration_ns,
			 passed ? (struct span){ 0 } : span_of_text(source->end));
}

static enum test_format recognise(const struct case_source *source)
{
	if (source->format != TEST_AUTO)
		return source->format;
	if (junit_looks_like(source->report))
		return TEST_JUNIT;
	return tap_looks_like(source->report) ? TEST_TAP : TEST_EXIT;
}

/* A name that comes again gets its number, so that tellings can be matched. */
static int number_repeats(struct cases *cases)
{
	struct case_index index;
	const char *name = NULL;
	unsigned number = 1;

	if (cases_index(cases, cases->arena, &index) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < index.count; i++) {
		struct test_case *one = index.by[i];

		number = name && strcmp(name, one->name) == 0 ? number + 1 : 1;
		name = one->name;
		if (number > 1)
			one->name = arena_text(cases->arena, "%s#%u", name, number);
		if (!one->name)
			return -ENOMEM;
	}
	return 0;
}

static int judge(struct cases *cases, const struct case_source *source)
{
	enum test_format format = recognise(source);
	size_t first = cases->count;
	bool failed = false;
	char detail[64];
	int r;

	if (source->exit_code < 0)
		return finding(cases, source, "did not end by itself",
			       source->timed_out ? CASE_TIMEOUT : CASE_ERROR, source->end);
	if (format == TEST_EXIT)
		return read_exit(cases, source);
	r = format == TEST_TAP ? tap_read(cases, source->test, source->report) :
				 junit_read(cases, source->test, source->report);
	if (r == 0 && cases->count == first)
		return finding(cases, source, "no case at all", CASE_FAILED,
			       "its report tells of no case, which is no success");
	for (size_t i = first; i < cases->count; i++)
		failed |= case_is_bad(cases->items[i].outcome);
	snprintf(detail, sizeof(detail), "exit status %d", source->exit_code);
	if (r == 0 && !failed && source->exit_code != 0)
		return finding(cases, source, "failed although every case passed",
			       CASE_FAILED, detail);
	return r;
}

int cases_read(struct cases *cases, const struct case_source *source)
{
	int r = judge(cases, source);

	return r == 0 ? number_repeats(cases) : r;
}

/* ---- two tellings ---- */

static void count_change(struct case_difference *ret, const struct test_case *before,
			 const struct test_case *after)
{
	size_t *count = NULL;

	if (!after)
		count = &ret->vanished;
	else if (before->outcome == CASE_PASSED && case_is_bad(after->outcome))
		count = &ret->newly_failed;
	else if (before->outcome == CASE_PASSED && after->outcome == CASE_SKIPPED)
		count = &ret->newly_skipped;
	if (count && !ret->first)
		ret->first = before->name;
	if (!count && before->outcome != CASE_PASSED && after->outcome == CASE_PASSED)
		count = &ret->newly_passed;
	if (count)
		(*count)++;
}

int cases_compare(const struct cases *baseline, const struct cases *candidate,
		  const struct cases *flaky, struct case_difference *ret)
{
	static const struct cases none;
	struct case_index before, after, apart;
	size_t b = 0, a = 0;

	if (cases_index(baseline, candidate->arena, &before) < 0 ||
	    cases_index(candidate, candidate->arena, &after) < 0 ||
	    cases_index(flaky ? flaky : &none, candidate->arena, &apart) < 0)
		return -ENOMEM;
	*ret = (struct case_difference){ 0 };
	while (b < before.count || a < after.count) {
		int order = b == before.count ? 1 :
			    a == after.count ? -1 :
			    strcmp(before.by[b]->name, after.by[a]->name);

		if (order > 0)
			ret->added++;
		else if (!cases_find(&apart, before.by[b]->name))
			count_change(ret, before.by[b], order == 0 ? after.by[a] : NULL);
		b += order <= 0;
		a += order >= 0;
	}
	return 0;
}

const char *case_outcome_name(enum case_outcome outcome)
{
	static const char *const names[CASE_OUTCOME_COUNT] = {
		"passed", "failed", "skipped", "timeout", "error",
	};

	return names[outcome];
}
