#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/catalog.h"
#include "common/core/retry.h"
#include "common/error.h"

#define TEXT "\0help\0{}\0-v\0x\0\0"

static struct {
	struct catalog catalog;
	char text[sizeof(TEXT)];
} block;

#define BYTES (sizeof(struct catalog) + sizeof(TEXT))

static const struct catalog_text help = { 1, 4 }, schema = { 6, 2 },
				 arguments = { 9, 5 };

static void add_pool(const char *name)
{
	struct catalog_pool *pool = &block.catalog.pools[block.catalog.pool_count++];

	*pool = (struct catalog_pool){
		.program = "/bin/true", .policy = "strict", .kind = POOL_ONDEMAND,
		.arguments = arguments, .size = 2, .warm = 1, .calls_max = 8,
		.client_role = ROLE_COUNT, .start_ns = 1,
	};
	strcpy(pool->name, name);
}

static void add_tool(const char *name, uint32_t pool)
{
	struct catalog_tool *tool = &block.catalog.tools[block.catalog.tool_count++];

	*tool = (struct catalog_tool){
		.help = help, .schema = schema, .pool = pool, .class = TOOL_PURE,
		.roles = 1, .queue = 1, .deadline_ns = 1, .deadline_max_ns = 2,
		.slow_ns = 1, .cache_ns = 1, .coalesce = 1, .output_bytes = 1,
	};
	strcpy(tool->name, name);
}

static int make(void **state)
{
	(void)state;
	memset(&block, 0, sizeof(block));
	block.catalog.magic = CATALOG_MAGIC;
	block.catalog.generation = 1;
	block.catalog.text_bytes = sizeof(TEXT);
	memcpy(block.text, TEXT, sizeof(TEXT));
	add_pool("echo");
	add_pool("fs");
	add_tool("echo", 0);
	add_tool("echo.sleep", 0);
	add_tool("fs.read", 1);
	add_tool("fs.write", 1);
	return 0;
}

static void a_whole_one_is_accepted(void **state)
{
	struct error why = { 0 };
	int r = catalog_check(&block.catalog, BYTES, &why);

	(void)state;
	test_row(r == 0, "%s", why.text);
}

/* A member of another value, and what is said of it. */
#define WRONG(place, value, words)                                            \
	{ #place " = " #value, offsetof(struct catalog, place),               \
	  sizeof(((struct catalog *)0)->place), (uint64_t)(value), words }

static void each_member_has_its_range(void **state)
{
	static const struct {
		const char *name;
		size_t offset, bytes;
		uint64_t value;
		const char *says;
	} cases[] = {
		WRONG(magic, 1, "not one"),
		WRONG(generation, 0, "generation 0"),
		WRONG(pool_count, CATALOG_POOLS_MAX + 1, "33 pools"),
		WRONG(tool_count, CATALOG_TOOLS_MAX + 1, "513 tools"),
		WRONG(tool_count, UINT32_MAX, "tools"),
		WRONG(pool_count, 0, "tool 'echo': pool"),
		WRONG(pool_count, 3, "pool 2 has no proper name"),
		WRONG(text_bytes, 0, "bytes of text"),
		WRONG(text_bytes, sizeof(TEXT) + 1, "bytes of text"),
		WRONG(pools[0].name[0], 0, "pool 0 has no proper name"),
		WRONG(pools[0].name[0], '/', "pool 0 has no proper name"),
		WRONG(pools[0].name[0], 'z', "'fs' does not follow 'zcho'"),
		WRONG(pools[0].program[0], 'b', "program"),
		WRONG(pools[0].policy[0], 0, "policy"),
		WRONG(pools[0].arguments.offset, UINT32_MAX, "arguments"),
		WRONG(pools[0].arguments.length, UINT32_MAX, "arguments"),
		WRONG(pools[0].arguments.length, 4, "arguments"),
		WRONG(pools[0].kind, POOL_KIND_COUNT, "kind"),
		WRONG(pools[0].kind, POOL_PER_CALL, "calls_max"),
		WRONG(pools[0].flags, 128, "flags"),
		WRONG(pools[0].flags, POOL_WORKSPACE, "workspace_mode"),
		WRONG(pools[0].workspace_mode, 1, "workspace_mode"),
		WRONG(pools[0].workspace_mode, CATALOG_WORKSPACE_MODE_MAX + 1, "workspace_mode"),
		WRONG(pools[0].size, 0, "size"),
		WRONG(pools[0].size, CATALOG_POOL_SIZE_MAX + 1, "size"),
		WRONG(pools[0].warm, 3, "warm"),
		WRONG(pools[0].calls_max, 0, "calls_max"),
		WRONG(pools[0].client_role, ROLE_COUNT + 1, "client_role"),
		WRONG(pools[0].recycle_age_ns, -1, "recycle_age_ns"),
		WRONG(pools[0].idle_ns, -1, "idle_ns"),
		WRONG(pools[0].start_ns, 0, "start_ns"),
		WRONG(tools[0].name[4], ' ', "tool 0 has no proper name"),
		WRONG(tools[1].name[4], 0, "'echo' does not follow 'echo'"),
		WRONG(tools[0].help.offset, sizeof(TEXT), "help"),
		WRONG(tools[0].help.length, 3, "help"),
		WRONG(tools[0].help.length, 7, "help"),
		WRONG(tools[0].schema.offset, UINT32_MAX, "schema"),
		WRONG(tools[0].probe.length, sizeof(TEXT), "probe"),
		WRONG(tools[0].pool, 2, "pool"),
		WRONG(tools[0].class, TOOL_CLASS_COUNT, "class"),
		WRONG(tools[0].class, TOOL_IDEMPOTENT, "coalesce"),
		WRONG(tools[0].roles, 1U << ROLE_COUNT, "roles"),
		WRONG(tools[0].queue, CATALOG_QUEUE_MAX + 1, "queue"),
		WRONG(tools[0].concurrency, CATALOG_QUEUE_MAX + 1, "concurrency"),
		WRONG(tools[0].coalesce, 2, "coalesce"),
		WRONG(tools[0].deadline_ns, 0, "deadline_ns"),
		WRONG(tools[0].deadline_ns, 3, "deadline_ns"),
		WRONG(tools[0].idle_ns, -1, "idle_ns"),
		WRONG(tools[0].slow_ns, 0, "slow_ns"),
		WRONG(tools[0].cache_ns, -1, "cache_ns"),
		WRONG(tools[0].stale_ns, -1, "stale_ns"),
		WRONG(tools[0].output_bytes, 0, "output_bytes"),
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error why = { 0 };
		int r;

		make(state);
		memcpy((char *)&block.catalog + cases[i].offset, &cases[i].value,
		       cases[i].bytes);
		r = catalog_check(&block.catalog, BYTES, &why);
		test_row(r == -EBADMSG && strstr(why.text, cases[i].says),
			 "%s: got %d \"%s\"", cases[i].name, r, why.text);
	}
}

static void a_fallback_is_one_step_to_no_more_effect(void **state)
{
	static const struct {
		unsigned class, other_class;
		const char *fallback, *others, *fault;
	} cases[] = {
		{ TOOL_PURE, TOOL_PURE, "", "", NULL },
		{ TOOL_PURE, TOOL_PURE, "fs.read", "", NULL },
		{ TOOL_IDEMPOTENT, TOOL_PURE, "fs.read", "", NULL },
		{ TOOL_IDEMPOTENT, TOOL_IDEMPOTENT, "fs.read", "", NULL },
		{ TOOL_PURE, TOOL_IDEMPOTENT, "fs.read", "", "does more" },
		{ TOOL_IDEMPOTENT, TOOL_EFFECTFUL, "fs.read", "", "does more" },
		{ TOOL_EFFECTFUL, TOOL_PURE, "fs.read", "", "pure or idempotent" },
		{ TOOL_PURE, TOOL_PURE, "fs.reed", "", "no such tool" },
		{ TOOL_PURE, TOOL_PURE, "echo", "", "itself" },
		{ TOOL_PURE, TOOL_PURE, "fs.read", "echo.sleep", "of its own" },
		{ TOOL_PURE, TOOL_PURE, "fs.read", "echo", "of its own" },
	};
	struct catalog_tool *tool = &block.catalog.tools[0];
	struct catalog_tool *other = &block.catalog.tools[2];

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *fault;
		struct error why = { 0 };
		int r;

		make(state);
		tool->class = cases[i].class;
		other->class = cases[i].other_class;
		tool->coalesce = other->coalesce = 0;
		tool->cache_ns = other->cache_ns = 0;
		strcpy(tool->fallback, cases[i].fallback);
		strcpy(other->fallback, cases[i].others);
		fault = catalog_fallback_fault(&block.catalog, tool);
		r = catalog_check(&block.catalog, BYTES, &why);
		test_row(cases[i].fault ? fault && strstr(fault, cases[i].fault) && r < 0 :
			 !fault && r == 0, "%zu: %s; %s", i, fault ? fault : "-", why.text);
	}
	make(state);
	memset(tool->fallback, 'a', CATALOG_NAME_BYTES);
	assert_int_equal(catalog_check(&block.catalog, BYTES, NULL), -EBADMSG);
	make(state);
	tool->class = TOOL_IDEMPOTENT;
	tool->coalesce = 0;
	tool->cache_ns = 0;
	tool->stale_ns = 1;
	assert_int_equal(catalog_check(&block.catalog, BYTES, NULL), -EBADMSG);
}

static void names_and_texts_end(void **state)
{
	struct error why;

	memset(block.catalog.pools[0].name, 'a', CATALOG_NAME_BYTES);
	assert_int_equal(catalog_check(&block.catalog, BYTES, &why), -EBADMSG);
	make(state);
	memset(block.catalog.pools[0].program, '/', CATALOG_PATH_BYTES);
	assert_int_equal(catalog_check(&block.catalog, BYTES, &why), -EBADMSG);
	make(state);
	block.text[0] = 'x';
	assert_int_equal(catalog_check(&block.catalog, BYTES, &why), -EBADMSG);
	make(state);
	block.text[5] = 'x';
	assert_int_equal(catalog_check(&block.catalog, BYTES, &why), -EBADMSG);
}

/* On the heap, exactly as long as said: for the address sanitizer to see. */
static void a_part_of_one_is_none(void **state)
{
	struct error why;

	(void)state;
	for (size_t bytes = 0; bytes < BYTES; bytes += bytes < 64 ? 1 : 97) {
		AUTO_FREE void *part = malloc(bytes ? bytes : 1);

		memcpy(part, &block, bytes);
		assert_int_equal(catalog_check(part, bytes, &why), -EBADMSG);
	}
}

/* Whatever a block holds: if it is accepted, every lookup stays within it. */
static void any_bytes_are_judged_within_the_block(void **state)
{
	struct random random;
	unsigned accepted = 0;

	test_random_init(&random, "any_bytes_are_judged_within_the_block");
	for (unsigned round = 0; round < 20000; round++) {
		AUTO_FREE struct catalog *copy = malloc(BYTES);

		make(state);
		memcpy(copy, &block, BYTES);
		for (uint64_t n = random_below(&random, 4); n > 0; n--)
			((uint8_t *)copy)[random_below(&random, 2) ?
				random_below(&random, BYTES) :
				BYTES - 1 - random_below(&random, sizeof(TEXT))] =
				(uint8_t)random_next(&random);
		if (catalog_check(copy, BYTES, NULL) < 0)
			continue;
		accepted++;
		for (uint32_t i = 0; i < copy->tool_count; i++) {
			const struct catalog_tool *tool = &copy->tools[i];

			assert_int_equal(strlen(catalog_text(copy, tool->help)), tool->help.length);
			assert_int_equal(catalog_find_tool(copy, tool->name,
							   strlen(tool->name)), i);
		}
	}
	assert_in_range(accepted, 100, 19000);
}

static void tools_are_found_by_name(void **state)
{
	static const struct {
		const char *name;
		int want;
		const char *nearest;
	} cases[] = {
		{ "echo", 0, "echo" },
		{ "echo.sleep", 1, "echo.sleep" },
		{ "fs.read", 2, "fs.read" },
		{ "fs.write", 3, "fs.write" },
		{ "", -ENOENT, NULL },
		{ "ech", -ENOENT, "echo" },
		{ "echo.slep", -ENOENT, "echo.sleep" },
		{ "fs.raed", -ENOENT, "fs.read" },
		{ "something.else.altogether", -ENOENT, NULL },
	};
	char longest[CATALOG_NAME_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *name = cases[i].name, *nearest;
		int r = catalog_find_tool(&block.catalog, name, strlen(name));

		test_row(r == cases[i].want, "%s: got %d", name, r);
		nearest = catalog_nearest_tool(&block.catalog, name, strlen(name));
		test_row(cases[i].nearest ? nearest && strcmp(nearest, cases[i].nearest) == 0
					  : !nearest,
			 "%s: nearest is %s", name, nearest ? nearest : "none");
	}
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(catalog_find_tool(&block.catalog, longest, sizeof(longest)), -ENOENT);
	assert_null(catalog_nearest_tool(&block.catalog, longest, sizeof(longest)));
	assert_int_equal(catalog_find_tool(&block.catalog, "echo\0x", 6), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_one_is_accepted, make),
		cmocka_unit_test_setup(each_member_has_its_range, make),
		cmocka_unit_test_setup(a_fallback_is_one_step_to_no_more_effect, make),
		cmocka_unit_test_setup(names_and_texts_end, make),
		cmocka_unit_test_setup(a_part_of_one_is_none, make),
		cmocka_unit_test_setup(any_bytes_are_judged_within_the_block, make),
		cmocka_unit_test_setup(tools_are_found_by_name, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
