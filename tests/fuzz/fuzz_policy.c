/*
 * fuzz_policy.c - any bytes as a policy file. What is refused is refused with
 * a reason and never widens what a file may say; what is accepted can be
 * printed as a file that says the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/policy_file.h"

static char *print(const struct policy *policy)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	policy_print(policy, out);
	fclose(out);
	return text;
}

static void check_reads_back(const struct policy *policy, struct arena *arena)
{
	AUTO_FREE char *once = print(policy);
	struct policy again;
	struct error why;

	policy_init(&again, policy->name);
	int r = policy_parse(&again, "f", span_of_text(once), false, arena, &why);

	assert(r == 0);
	AUTO_FREE char *twice = print(&again);

	assert(strcmp(once, twice) == 0);
}

static void check_bounds(const struct policy *policy)
{
	assert(policy->bind_count <= POLICY_ROWS_MAX);
	assert(policy->hidden_count <= POLICY_ROWS_MAX);
	assert(policy->pass_env_count <= POLICY_ROWS_MAX);
	assert(policy->set_env_count <= POLICY_ROWS_MAX);
	assert(policy->limits.wall_ns >= 0 && policy->limits.cpu_ns >= 0);
	for (size_t i = 0; i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		assert(bind->source[0] == '/' && bind->target[0] == '/');
		assert(!strstr(bind->target, "/../") && bind->target[1]);
		assert(i == 0 || strcmp(bind[-1].target, bind->target) < 0);
	}
	for (int i = 0; i < SYSCALL_NUMBERS; i++)
		assert(!syscall_set_has(&policy->syscalls, i) ||
		       (syscall_name(i) && !syscall_is_opaque(i)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy;
	struct arena arena;
	struct error why = { .text = "" };

	arena_init(&arena, 16U << 20);
	policy_init(&policy, "f");
	int r = policy_parse(&policy, "f", (struct span){ data, size }, true,
			     &arena, &why);

	check_bounds(&policy);
	if (r == 0)
		check_reads_back(&policy, &arena);
	else
		assert(why.text[0] == 'f' && why.text[1] == ':');
	arena_release(&arena);
	return 0;
}
