/*
 * What a confined launch costs, beside the launchers people know and beside
 * no confinement at all. The peers get the same isolation as far as they have
 * it. Run from the top of the tree; cupel is taken from CUPEL_BIN.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/support/bench.h"

#define LAUNCHES 300
#define IDLE_RUNS 20

static char cupel[4096];

static const char *const by_cupel[] = {
	cupel, "run", "--quiet", "--workspace", "none", "--", "/bin/true", NULL,
};
static const char *const by_bwrap[] = {
	"bwrap", "--unshare-all", "--die-with-parent", "--new-session",
	"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
	"--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib",
	"--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
	"--tmpfs", "/tmp", "--", "/bin/true", NULL,
};
static const char *const by_firejail[] = {
	"firejail", "--quiet", "--noprofile", "--net=none", "--private", "--",
	"/bin/true", NULL,
};
static const char *const by_nothing[] = { "/bin/true", NULL };

/* Output to out_fd if that is not negative; dies on any failure. */
static void launch(const char *const argv[], int out_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&actions);
	if (out_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ) != 0 ||
	    (out_fd < 0 && waitpid(pid, &status, 0) != pid) ||
	    (out_fd < 0 && status != 0)) {
		fprintf(stderr, "bench_run: %s failed\n", argv[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&actions);
}

/*
 * ---- cold launches: one of each in turn, so that a slow moment hits all ----
 *
 * A launcher's namespaces are torn down beside whoever comes next, which costs
 * that one the more the heavier they were: so the order of each round is
 * drawn anew, from the same seed every time.
 */

enum { OURS, BWRAP, FIREJAIL, FLOOR, LAUNCHER_COUNT };

static const struct {
	const char *name;
	const char *const *argv;
} launchers[LAUNCHER_COUNT] = {
	[OURS] = { "cupel run -- /bin/true", by_cupel },
	[BWRAP] = { "bwrap", by_bwrap },
	[FIREJAIL] = { "firejail", by_firejail },
	[FLOOR] = { "posix_spawn", by_nothing },
};

static double ms[LAUNCHER_COUNT][LAUNCHES];
static bool quiet[LAUNCHES];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* That part in a hundred of the values lies below what is returned. */
static double percentile(const double *values, size_t count, size_t hundredth)
{
	static double sorted[LAUNCHES];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return sorted[count * hundredth / 100];
}

static double ms_of(const char *const argv[])
{
	int64_t start = bench_now_ns();

	launch(argv, -1);
	return (double)(bench_now_ns() - start) / 1e6;
}

static void shuffle(int order[LAUNCHER_COUNT])
{
	for (int k = LAUNCHER_COUNT - 1; k > 0; k--) {
		int other = (int)(random() % (k + 1)), kept = order[k];

		order[k] = order[other];
		order[other] = kept;
	}
}

/*
 * The bare launch says whether somebody else has the machine: a round counts
 * if the one in it and the one just before take no longer than they do on a
 * quiet machine and a half. Nothing of ours decides what counts.
 */
static size_t launch_in_turn(void)
{
	int order[LAUNCHER_COUNT] = { OURS, BWRAP, FIREJAIL, FLOOR };
	double usual;
	size_t count = 0;

	for (int i = 0; i < LAUNCHES; i++) {
		shuffle(order);
		for (int k = 0; k < LAUNCHER_COUNT; k++)
			ms[order[k]][i] = ms_of(launchers[order[k]].argv);
	}
	usual = percentile(ms[FLOOR], LAUNCHES, 10);
	for (int i = 1; i < LAUNCHES; i++) {
		quiet[i] = ms[FLOOR][i] <= 1.5 * usual && ms[FLOOR][i - 1] <= 1.5 * usual;
		count += quiet[i];
	}
	printf("  %zu of %d rounds were quiet%s\n", count, LAUNCHES,
	       count < LAUNCHES / 4 ? ": too few to believe the figures" : "");
	return count;
}

/* What launcher k took in the quiet rounds, or our ratio to it. */
static size_t take_quiet(int k, bool ratio, double ret[LAUNCHES])
{
	size_t count = 0;

	for (int i = 1; i < LAUNCHES; i++)
		if (quiet[i])
			ret[count++] = ratio ? ms[OURS][i] / ms[k][i] : ms[k][i];
	return count;
}

static bool cold_launches(void)
{
	static double values[LAUNCHES];
	size_t count = launch_in_turn();

	if (!count)
		return false;
	for (int k = 0; k < LAUNCHER_COUNT; k++) {
		take_quiet(k, false, values);
		printf("  %-28s p50 %8.2f ms   p99 %8.2f ms   least %8.2f ms\n",
		       launchers[k].name, percentile(values, count, 50),
		       percentile(values, count, 99), percentile(values, count, 0));
	}
	take_quiet(BWRAP, true, values);
	bool met = bench_figure("cold launch over bubblewrap's",
				percentile(values, count, 50), 0.6, "x");
	take_quiet(FIREJAIL, true, values);
	met &= bench_figure("cold launch over firejail's",
			    percentile(values, count, 50), 0.1, "x");
	take_quiet(FLOOR, true, values);
	bench_figure("cold launch over no confinement (no bar)",
		     percentile(values, count, 50), 99, "x");
	take_quiet(OURS, false, values);
	met &= bench_figure("cold launch, p99 over p50",
			    percentile(values, count, 99) / percentile(values, count, 50),
			    3.0, "x");
	return met;
}

/* From the first byte to the last, so that the launch itself does not count. */
static void stream(void *context, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		static char bytes[1 << 16];
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			exit(1);
		launch(context, ends[1]);
		close(ends[1]);
		while (read(ends[0], bytes, sizeof(bytes)) > 0)
			;
		close(ends[0]);
		while (wait(NULL) > 0)
			;
	}
}

static bool output(const char *figure, const char *limit, double ratio_max)
{
	const char *const confined[] = {
		cupel, "run", "--quiet", "--workspace", "none", "--limit", limit, "--",
		"head", "-c", "268435456", "/dev/zero", NULL,
	};
	const char *const bare[] = { "head", "-c", "268435456", "/dev/zero", NULL };

	return bench_pair(figure,
			  (struct bench_side){ "cupel run", stream, (void *)(uintptr_t)confined },
			  (struct bench_side){ "bare pipe", stream, (void *)(uintptr_t)bare },
			  ratio_max);
}

/* Proportional set size (proc(5), smaps_rollup) in KiB; 0 if it is gone. */
static long pss_kib(long pid)
{
	char path[64], line[128];
	long kib = 0;

	snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* The launcher and init; the keeper shares memory and must not count twice. */
static long tree_kib(pid_t launcher)
{
	char path[64];
	long kib = pss_kib(launcher), child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", launcher, launcher);
	FILE *file = fopen(path, "re");

	while (file && fscanf(file, "%ld", &child) == 1)
		if (syscall(SYS_kcmp, launcher, child, KCMP_VM, 0, 0) != 0)
			kib += pss_kib(child);
	if (file)
		fclose(file);
	return kib;
}

/* Of many at once, as pages of the program are shared by all of them. */
static bool memory_of_idle(void)
{
	const char *const idle[] = { cupel, "run", "--quiet", "--workspace", "none",
				     "--", "sleep", "30", NULL };
	pid_t runs[IDLE_RUNS];
	long kib = 0;
	int status;

	for (int i = 0; i < IDLE_RUNS; i++)
		if (posix_spawn(&runs[i], cupel, NULL, NULL,
				(char **)(uintptr_t)idle, environ) != 0)
			exit(1);
	sleep(1);
	for (int i = 0; i < IDLE_RUNS; i++)
		kib += tree_kib(runs[i]);
	for (int i = 0; i < IDLE_RUNS; i++)
		kill(runs[i], SIGTERM);
	for (int i = 0; i < IDLE_RUNS; i++)
		waitpid(runs[i], &status, 0);
	return kib > 0 && bench_figure("idle confined process, PSS of ours",
				       (double)kib / IDLE_RUNS, 400, "KiB");
}

int main(void)
{
	const char *bin = getenv("CUPEL_BIN");
	bool met;

	snprintf(cupel, sizeof(cupel), "%s/cupel", bin ? bin : "build/bin");
	met = cold_launches();
	met &= memory_of_idle();
	met &= output("256 MiB out, descriptors passed, time ratio", "output=none", 1 / 0.9);
	output("256 MiB out, relayed and counted (no bar)", "output=2G", 99);
	return !met;
}
