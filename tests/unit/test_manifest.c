/* What a manifest leaves unsaid. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/catalog.h"
#include "common/core/deadline.h"
#include "supervisor/catalog/assembly.h"

#define DAY_NS (24 * 3600 * NS_PER_S)

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
		struct manifest manifest;
		struct error why;
		char text[256];

		snprintf(text, sizeof(text), "worker x { program = /bin/true\n%s }\n"
			 "tool x { help = h\n%s }\n", rows[i].worker, rows[i].tool);
		assert_int_equal(assembly_init(&assembly, &why), 0);
		int r = manifest_parse(&manifest, "x.tool", span_of_text(text), &why);

		if (r == 0)
			r = assembly_add(&assembly, &manifest, &why);
		test_row(r == 0 && assembly.catalog->tools[0].slow_ns == rows[i].want_ns,
			 "%s %s: %s, %lld ns", rows[i].worker, rows[i].tool, r ? why.text : "",
			 (long long)assembly.catalog->tools[0].slow_ns);
		manifest_release(&manifest);
		assembly_release(&assembly);
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
		struct manifest manifest;
		struct error why;
		char text[256];

		snprintf(text, sizeof(text), "worker x { program = /bin/true }\n"
			 "tool x { help = h\n%s }\n", rows[i].words);
		assert_int_equal(assembly_init(&assembly, &why), 0);
		assert_int_equal(manifest_parse(&manifest, "x.tool", span_of_text(text), &why), 0);
		manifest.builtin = rows[i].builtin;
		assert_int_equal(assembly_add(&assembly, &manifest, &why), 0);
		test_row(assembly.catalog->tools[0].breaker == rows[i].want, "%s, %d: %u",
			 rows[i].words, rows[i].builtin, assembly.catalog->tools[0].breaker);
		manifest_release(&manifest);
		assembly_release(&assembly);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_slow_follows_from_the_tool),
		cmocka_unit_test(who_is_observed_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
