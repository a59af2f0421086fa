/*
 * How often the decision calls equals different on this machine as it is now:
 * two copies of one program, run in turn as the decision asks, whole processes
 * by their processor time.
 *
 *	live_equals BASE CANDIDATE COMMAND [ARGUMENT...]
 *
 * BASE and CANDIDATE are folders, copies of each other, in which the command is
 * run. Ends after DECISIONS decisions or SECONDS_MAX seconds; fewer than
 * DECISIONS_LEAST are no result.
 */
#include "tests/support/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "workers/improve/decision_core.h"

#define DECISIONS 48
#define DECISIONS_LEAST 40
#define SECONDS_MAX 1500
#define ACCEPTED_MAX 2		/* of 48 at 1 %: more has odds of 1 in 80 */
#define PAIRS_MAX 35

static struct decision decision;

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Processor seconds of the command, in the folder. */
static double run(const char *folder, char **command)
{
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (chdir(folder) == 0 && null >= 0 && dup2(null, STDOUT_FILENO) >= 0)
			execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0) {
		fprintf(stderr, "%s: %s failed\n", folder, command[0]);
		exit(EXIT_FAILURE);
	}
	return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static void decide(uint64_t seed, char **folders, char **command)
{
	struct decision_plan plan = decision_plan_default;

	plan.seed = seed;
	decision_init(&decision, &plan);
	while (decision_look(&decision) == DECISION_CONTINUE) {
		double costs[2];
		bool swapped = decision.candidate_first;

		for (int n = 0; n < 2; n++)
			costs[swapped ? 1 - n : n] =
				run(folders[swapped ? 1 - n : n], command);
		decision_add_pair(&decision, &(struct decision_value){ costs[0],
								       costs[1] });
	}
	printf("  %2d: %-8s %2u pairs, gain %+5.1f %%, at least %+5.1f %%\n", (int)seed,
	       decision_verdict_name(decision.verdict), decision.pairs,
	       100 * decision_latest(&decision)->gain,
	       100 * decision_latest(&decision)->gain_lower);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int64_t end = bench_now_ns() + SECONDS_MAX * NS_PER_S;
	unsigned accepted = 0, pairs = 0, count = 0;
	bool met;

	if (argc < 4) {
		fprintf(stderr, "usage: live_equals BASE CANDIDATE COMMAND...\n");
		return 64;
	}
	for (; count < DECISIONS && bench_now_ns() < end; count++) {
		decide(count + 1, argv + 1, argv + 3);
		accepted += decision.verdict == DECISION_ACCEPT;
		pairs += decision.pairs;
	}
	met = bench_least("live: decisions over equals", count, DECISIONS_LEAST, "");
	met &= bench_figure("live: equals called better", accepted, ACCEPTED_MAX, "");
	met &= bench_figure("live: mean pairs over equals", (double)pairs / count,
			    PAIRS_MAX, "");
	return met ? EXIT_SUCCESS : EXIT_FAILURE;
}
