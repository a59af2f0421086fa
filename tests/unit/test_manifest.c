/* What a manifest leaves unsaid. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/catalog.h"
#include "common/core/deadline.h"
#include "supervisor/catalog/assembly.h"

#define DAY_NS (24 * 3600 * NS_PER_S)

/* Adds "x.tool" and so on, of that worker with those words, and of these tools. */
static int add_as(struct assembly *assembly, const char *worker, const char *words,
		  const char *tools, bool builtin, struct error *why)
{
	struct manifest manifest;
	char text[1024], file[64];

	snprintf(file, sizeof(file), "%s.tool", worker);
	snprintf(text, sizeof(text), "worker %s { program = /bin/true %s }\n%s", worker,
		 words, tools);
	int r = manifest_parse(&manifest, file, span_of_text(text), why);

	manifest.builtin = builtin;
	if (r == 0)
		r = assembly_add(assembly, &manifest, why);
	manifest_release(&manifest);
	return r;
}

static int add(struct assembly *assembly, const char *worker, const char *tools,
	       struct error *why)
{
	return add_as(assembly, worker, "", tools, false, why);
}

/* A command takes the time it takes: that says nothing of what runs it. */
static void what_is_slow_follows_from_the_tool(void **state)
{
	static const struct { const char *worker, *tool; int64_t want_ns; } rows[] = {
		{ "", "", 10 * NS_PER_S },
		{ "", "deadline = 3m", 60 * NS_PER_S },
		{ "", "deadline = 3m slow = 5s", 5 * NS_PER_S },
		{ "", "deadline = 1ms", NS_PER_MS / 3 + 1 },
		{ "pool = per_call", "", DAY_NS },
		{ "pool = per_call", "slow = 5s", 5 * NS_PER_S },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assembly assembly = { 0 };
		struct error why;
		char tool[256];

		snprintf(tool, sizeof(tool), "tool x { help = h\n%s }\n", rows[i].tool);
		assert_int_equal(assembly_init(&assembly, &why), 0);
		int r = add_as(&assembly, "x", rows[i].worker, tool, false, &why);

		test_row(r == 0 && assembly.catalog->tools[0].slow_ns == rows[i].want_ns,
			 "%s %s: %s, %lld ns", rows[i].worker, rows[i].tool, r ? why.text : "",
			 (long long)assembly.catalog->tools[0].slow_ns);
		assembly_release(&assembly);
	}
}

static const char *fallback_of(const struct assembly *assembly, const char *tool)
{
	int row = catalog_find_tool(assembly->catalog, tool, strlen(tool));

	assert_true(row >= 0);
	return assembly->catalog->tools[row].fallback;
}

static void what_answers_for_another_has_no_effect(void **state)
{
	static const struct { const char *tool, *says; } rows[] = {
		{ "class = pure stale = 1h", NULL },
		{ "class = pure cache = 1s stale = 1h fallback = y", NULL },
		{ "class = idempotent fallback = y", NULL },
		{ "class = idempotent stale = 1h", "x.tool:3: tool x: stale is for tools of class pure, not idempotent" },
		{ "class = effectful stale = 1h", "stale is for" },
		{ "class = effectful fallback = y", "x.tool:3: tool x: fallback is for tools of class pure or idempotent, not effectful" },
		{ "fallback = y", "not effectful" },
		{ "class = pure stale = 25h", "stale" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assembly assembly = { 0 };
		struct error why = { 0 };
		char text[256];

		assert_int_equal(assembly_init(&assembly, &why), 0);
		snprintf(text, sizeof(text), "tool x { help = h\n%s }\n", rows[i].tool);
		int r = add(&assembly, "x", text, &why);

		test_row(rows[i].says ? r < 0 && strstr(why.text, rows[i].says) : r == 0,
			 "%s: %d %s", rows[i].tool, r, why.text);
		assembly_release(&assembly);
	}
}

#define PURE "help = h class = pure "

/* Tools a and b, and of a second manifest c and d; what becomes of a's fallback. */
static void a_fallback_is_judged_when_all_are_there(void **state)
{
	static const struct {
		const char *first, *second;
		const char *want;	/* a's */
		const char *says;	/* of the one that is dropped; NULL: none is */
	} rows[] = {
		{ "tool a { " PURE "fallback = c }", "tool c { " PURE "}", "c", NULL },
		{ "tool a { " PURE "fallback = a.b }\ntool a.b { " PURE "}", "tool c { " PURE "}", "a.b", NULL },
		{ "tool a { " PURE "fallback = d }", "tool c { " PURE "}", "",
		  "a.tool: tool a: fallback d: there is no such tool" },
		{ "tool a { " PURE "fallback = a }", "tool c { " PURE "}", "", "the tool itself" },
		{ "tool a { " PURE "fallback = c }", "tool c { " PURE "fallback = c.d }\ntool c.d { " PURE "}", "",
		  "fallback c: that tool has a fallback of its own" },
		{ "tool a { " PURE "fallback = c }", "tool c { " PURE "fallback = a }", "",
		  "fallback c: that tool has a fallback of its own" },
		{ "tool a { " PURE "fallback = c }", "tool c { help = h class = effectful }", "",
		  "calling that tool twice does more" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assembly assembly = { 0 };
		struct error why = { 0 }, more;

		assert_int_equal(assembly_init(&assembly, &why), 0);
		assert_int_equal(add(&assembly, "a", rows[i].first, &why), 0);
		assert_int_equal(add(&assembly, "c", rows[i].second, &why), 0);
		bool dropped = assembly_drop_fallback(&assembly, &why);

		test_row(dropped == (rows[i].says != NULL) &&
			 (!dropped || strstr(why.text, rows[i].says)) &&
			 !assembly_drop_fallback(&assembly, &more) &&
			 strcmp(fallback_of(&assembly, "a"), rows[i].want) == 0,
			 "%zu: '%s' %s", i, fallback_of(&assembly, "a"), why.text);
		size_t bytes = assembly_finish(&assembly);

		assert_int_equal(catalog_check(assembly.catalog, bytes, &why), 0);
		assembly_release(&assembly);
	}
}

/* Where calls go besides is for the owner to say, once they are under way. */
static void a_new_fallback_is_more_than_before(void **state)
{
	static const char with[] = "tool a { " PURE "fallback = a.b }\ntool a.b { " PURE "}";
	static const char without[] = "tool a { " PURE "}\ntool a.b { " PURE "}";
	static const struct {
		const char *before, *now;
		bool may_widen;
		const char *want;
	} rows[] = {
		{ with, with, false, "a.b" }, { without, with, true, "a.b" },
		{ with, without, false, "" }, { without, with, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assembly before = { 0 }, now = { .may_widen = rows[i].may_widen };
		struct error why;

		assert_int_equal(assembly_init(&before, &why), 0);
		assert_int_equal(add(&before, "a", rows[i].before, &why), 0);
		now.previous = before.catalog;
		assert_int_equal(assembly_init(&now, &why), 0);
		assert_int_equal(add(&now, "a", rows[i].now, &why), 0);
		while (assembly_drop_fallback(&now, &why))
			assert_non_null(strstr(why.text, "'cupel tools reload' permits it"));
		test_row(strcmp(fallback_of(&now, "a"), rows[i].want) == 0, "%zu: '%s'", i,
			 fallback_of(&now, "a"));
		assembly_release(&before);
		assembly_release(&now);
	}
}

/* What came with the program has been tried out; what is new has not. */
static void who_is_observed_at_first(void **state)
{
	static const struct { const char *words; bool builtin; uint32_t want; } rows[] = {
		{ "", true, BREAKER_ENFORCES },
		{ "", false, BREAKER_ROLLS_OUT },
		{ "breaker = rollout", true, BREAKER_ENFORCES },
		{ "breaker = enforce", false, BREAKER_ENFORCES },
		{ "breaker = observe", false, BREAKER_OBSERVES },
		{ "breaker = observe", true, BREAKER_OBSERVES },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assembly assembly = { 0 };
		struct error why;
		char tool[256];

		snprintf(tool, sizeof(tool), "tool x { help = h\n%s }\n", rows[i].words);
		assert_int_equal(assembly_init(&assembly, &why), 0);
		assert_int_equal(add_as(&assembly, "x", "", tool, rows[i].builtin, &why), 0);
		test_row(assembly.catalog->tools[0].breaker == rows[i].want, "%s, %d: %u",
			 rows[i].words, rows[i].builtin, assembly.catalog->tools[0].breaker);
		assembly_release(&assembly);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_slow_follows_from_the_tool),
		cmocka_unit_test(who_is_observed_at_first),
		cmocka_unit_test(what_answers_for_another_has_no_effect),
		cmocka_unit_test(a_fallback_is_judged_when_all_are_there),
		cmocka_unit_test(a_new_fallback_is_more_than_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
