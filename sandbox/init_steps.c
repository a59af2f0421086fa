#include "sandbox/init_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/counter.h"

#define DESCRIPTORS_MAX (3 + SANDBOX_INHERITED_MAX + 3)

int init_failed(struct init *init, const char *what)
{
	return error_set(&init->why, -errno, "%s: %s", what, strerror(errno));
}

int init_walk(struct init *init, const struct init_step *steps, size_t count)
{
	int64_t before = clock_now_ns();

	for (size_t i = 0; i < count; i++) {
		init->why.text[0] = '\0';	/* of what was no failure */
		int r = steps[i].run(init);
		int64_t after = clock_now_ns();

		init->report.phase_ns[steps[i].phase] += after - before;
		before = after;
		if (r < 0) {
			init->report.failed_errno = -r;
			snprintf(init->report.failed_step,
				 sizeof(init->report.failed_step), "%s", steps[i].name);
			if (!init->why.text[0])
				error_set(&init->why, r, "%s: %s", steps[i].name, strerror(-r));
			return r;
		}
	}
	return 0;
}

/*
 * What the command gets comes first, in its order; then, closed by the exec,
 * what this process keeps. Everything else goes.
 */
int init_settle_descriptors(struct init *init)
{
	const struct sandbox_plan *plan = init->plan;
	int kept[DESCRIPTORS_MAX], count = 0;

	for (size_t i = 0; i < COUNT(plan->stdio); i++)
		kept[count++] = plan->stdio[i];
	for (uint32_t i = 0; i < plan->inherited_count; i++)
		kept[count++] = plan->inherited[i];
	AUTO_CLOSE int counter = plan->counter && !plan->program_is_script ? counter_open() : -1;

	init->report.enforced.counter = counter >= 0;
	if (counter >= 0)
		kept[count++] = counter;
	int passed_on = count + plan->program_is_script;
	int *const ours[] = { &init->program, &init->control, &init->upper };
	int place[COUNT(ours)] = { -1, -1, -1 };

	for (size_t i = 0; i < COUNT(ours); i++)
		if (*ours[i] >= 0) {
			kept[count] = *ours[i];
			place[i] = count++;
		}
	for (int i = 0; i < count; i++) {
		kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, count);
		if (kept[i] < 0)
			return init_failed(init, "duplicate a descriptor");
	}
	/* A failure is told over one of them: each is valid at any moment. */
	for (size_t i = 0; i < COUNT(ours); i++)
		*ours[i] = place[i] < 0 ? -1 : kept[place[i]];
	for (int i = 0; i < count; i++)
		if (dup3(kept[i], i, i < passed_on ? 0 : O_CLOEXEC) < 0)
			return init_failed(init, "place a descriptor");
	for (size_t i = 0; i < COUNT(ours); i++)
		*ours[i] = place[i];
	if (close_range((unsigned)count, ~0U, 0) < 0)
		return init_failed(init, "close_range");
	return 0;
}
