/*
 * bench_pool - the supervisor as a whole: its start, its calls, its jobs, and
 * how soon it serves again after a death.
 *
 * A supervisor of the bench's own, from $CUPEL_BIN, in a folder of its own.
 * usage: bench_pool [FIGURE]... (all, if none is named)
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/json.h"
#include "common/wire/client.h"
#include "tests/support/bench.h"

#define DEATHS 12		/* of each kind: within the monitor's budget of restarts */
#define HEALTHY_US 12000000	/* such a run's end is followed at once */
#define CALLS 500		/* idle, and as many beside batch jobs, in each of */
#define ROUNDS 10
#define LAUNCHES 300
#define REFILL_US 10000		/* until a pool has its spares again */

static char folder[] = "/tmp/cupel-bench.XXXXXX";
static struct client links[2];
static pid_t supervisor;

static void die(const char *what)
{
	fprintf(stderr, "bench_pool: %s\n", what);
	exit(2);
}

/* ---- the supervisor ---- */

static FILE *open_manifest(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tools/%s.tool", folder, name);
	file = fopen(path, "we");
	if (!file)
		die(strerror(errno));
	return file;
}

static void make_folders(void)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tools", folder);
	if (chmod(folder, 0755) < 0 || mkdir(path, 0755) < 0)
		die(strerror(errno));
	file = open_manifest("batch");
	fputs("worker batch {\n\tprogram = cupel-job\n\tpolicy = tool\n"
	      "\tpool = per_call\n\tsize = 4\n\tbatch = true\n}\n"
	      "tool batch {\n\thelp = \"keep a processor busy\"\n\tclass = effectful\n}\n",
	      file);
	fclose(file);
}

/* Pools to die in: alone, 0 .. DEATHS - 1, or beside a spare. */
static void make_mortals(void)
{
	for (unsigned i = 0; i < 2 * DEATHS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "die%u", i);
		FILE *file = open_manifest(name);

		fprintf(file, "worker %s {\n\tprogram = cupel-echo\n\tsize = 2\n"
			"\twarm = %u\n}\n"
			"tool %s {\n\thelp = \"answer\"\n\tclass = pure\n}\n",
			name, 1 + i / DEATHS, name);
		fclose(file);
	}
}

static void start_supervisor(void)
{
	char program[512], run[64], state[64], tools[64];
	const char *bin = getenv("CUPEL_BIN");
	char *const argv[] = { program, (char *)(uintptr_t)"--run", run,
			       (char *)(uintptr_t)"--state", state,
			       (char *)(uintptr_t)"--tools", tools, NULL };

	snprintf(program, sizeof(program), "%s/cupeld", bin ? bin : "build/bin");
	snprintf(run, sizeof(run), "%s/run", folder);
	snprintf(state, sizeof(state), "%s/state", folder);
	snprintf(tools, sizeof(tools), "%s/tools", folder);
	if (posix_spawn(&supervisor, program, NULL, NULL, argv, environ) != 0)
		die("cupeld cannot be started");
}

static void open_link(struct client *client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/router.sock", folder);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (clock_now_ns() > until_ns)
			die("it does not serve");
		usleep(500);
	}
	if (client_init(client, fd, "bench", NULL) < 0)
		die("no link");
}

/* Anew for each figure: one that was silent for long has been cut. */
static void open_links(void)
{
	for (size_t i = 0; i < COUNT(links); i++) {
		if (links[i].channel.fd > 0)
			client_release(&links[i]);
		open_link(&links[i]);
	}
}

static long status_kib(pid_t pid, const char *file, const char *field)
{
	char path[64], line[256];
	long value = -1, sum = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream))
		if (strncmp(line, field, strlen(field)) == 0 &&
		    sscanf(strchr(line, ':') + 1, "%ld", &value) == 1)
			sum += value;
	if (stream)
		fclose(stream);
	return sum;
}

/* A worker is called as its pool is. */
static size_t find_below(pid_t pid, const char *pool, pid_t *ret, size_t count)
{
	char path[64], name[32] = "";
	int child;
	FILE *file, *words;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
		words = fopen(path, "re");
		if (words && fgets(name, sizeof(name), words) && count < 64 &&
		    strcmp(name, pool) == 0)
			ret[count++] = child;
		if (words)
			fclose(words);
		count = find_below(child, pool, ret, count);
	}
	if (file)
		fclose(file);
	return count;
}

/* ---- calls ---- */

static uint8_t echo_input[256];
static struct span true_input, spin_input;

static struct span pack(const char *text)
{
	static uint8_t room[4][512];
	static unsigned next;
	json_t *json;
	int r = json_parse(span_of_text(text), (struct json_limits){ 4096, 8 }, &json, NULL);

	if (r == 0)
		r = convert_from_json(json, room[next], sizeof(room[0]), NULL);
	if (r < 0)
		die(text);
	json_decref(json);
	return (struct span){ room[next++], (size_t)r };
}

static uint64_t begin(struct client *client, const char *tool, struct span input)
{
	const struct client_ask ask = {
		.tool = tool, .input = input,
		.deadline_ns = clock_now_ns() + 25 * NS_PER_S,
	};
	uint64_t call;
	struct error why;

	if (client_call(client, &ask, &call, &why) < 0)
		die(why.text);
	return call;
}

static void tell_failure(const struct client_event *event)
{
	if (event->result.code)
		fprintf(stderr, "bench_pool: error %u, %.*s\n", event->result.code,
			(int)event->result.reason.length, event->result.reason.data);
}

/* Of the call that ends next. */
static unsigned finish(struct client *client)
{
	struct client_event event = { 0 };

	do {
		if (client_wait(client, -1, clock_now_ns() + 30 * NS_PER_S, &event) < 0)
			die(client->why.text[0] ? client->why.text : "no answer");
	} while (event.kind != CLIENT_RESULT);
	if (event.result.code != ERROR_CANCELLED)
		tell_failure(&event);
	return event.result.code;
}

static void call_well(struct client *client, const char *tool, struct span input)
{
	begin(client, tool, input);
	if (finish(client) != 0)
		die(tool);
}

/* ---- launches ---- */

static void spawn_true(void)
{
	char *const argv[] = { (char *)(uintptr_t)"true", NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		die("posix_spawn");
}

static void job_true(void)
{
	call_well(&links[0], "job", true_input);
}

static pid_t spawn_bwrap(void)
{
	static const char *const argv[] = {
		"bwrap", "--unshare-all", "--die-with-parent", "--new-session",
		"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
		"--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib",
		"--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
		"--tmpfs", "/tmp", "--", "/bin/true", NULL,
	};
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char **)(uintptr_t)argv, environ) != 0)
		die("bwrap");
	return pid;
}

/* Whether its job has ended; sends what is to be sent. */
static bool has_ended(struct client *client)
{
	struct client_event event = { 0 };
	bool ended = false;

	while (client_next(client, clock_now_ns(), &event) == 0)
		if (event.kind == CLIENT_RESULT) {
			tell_failure(&event);
			if (event.result.code != 0)
				die("job");
			ended = true;
		}
	return ended;
}

/* Two clients, each with one job after the other; one process plays both. */
static void two_jobs(void *context, uint64_t count)
{
	struct pollfd polls[2] = { { links[0].channel.fd, POLLIN, 0 },
				   { links[1].channel.fd, POLLIN, 0 } };
	uint64_t begun = 0, done = 0;
	bool running[2] = { false };

	(void)context;
	while (done < count) {
		for (int i = 0; i < 2; i++) {
			if (running[i] && has_ended(&links[i])) {
				running[i] = false;
				done++;
			}
			if (!running[i] && begun < count) {
				begin(&links[i], "job", true_input);
				running[i] = true;
				begun++;
				has_ended(&links[i]);
			}
		}
		if (done < count)
			poll(polls, 2, 10000);
	}
}

static void two_bwraps(void *context, uint64_t count)
{
	int status;

	(void)context;
	for (uint64_t begun = 0, done = 0; done < count; done++) {
		while (begun < count && begun < done + 2) {
			spawn_bwrap();
			begun++;
		}
		if (wait(&status) < 0 || status != 0)
			die("bwrap failed");
	}
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double *values, size_t count, unsigned percent)
{
	qsort(values, count, sizeof(values[0]), compare);
	return values[(count - 1) * percent / 100];
}

static void time_calls(double us[CALLS])
{
	for (size_t i = 0; i < CALLS; i++) {
		int64_t from_ns = bench_now_ns();

		call_well(&links[0], "echo", (struct span){ echo_input, sizeof(echo_input) });
		us[i] = (double)(bench_now_ns() - from_ns) / 1e3;
	}
}

/* ---- deaths ---- */

static void call_mortal(unsigned pool, char name[16])
{
	snprintf(name, 16, "die%u", pool);
	call_well(&links[0], name, (struct span){ echo_input, sizeof(echo_input) });
}

static double death_ms(unsigned pool)
{
	char name[16];
	pid_t pids[64];
	int64_t from_ns;

	/* A retry is paid for by a share of all calls: one that works makes many. */
	for (int i = 0; i < 20; i++)
		call_well(&links[0], "echo", (struct span){ echo_input, sizeof(echo_input) });
	call_mortal(pool, name);
	if (find_below(supervisor, name, pids, 0) != 1 + pool / DEATHS)
		die("no worker to be killed");
	from_ns = bench_now_ns();
	kill(pids[0], SIGKILL);
	call_mortal(pool, name);
	return (double)(bench_now_ns() - from_ns) / 1e6;
}

/* Each in a pool of its own: the first death of a healthy worker. */
static bool death_figure(void)
{
	static const struct { const char *name; double bar; } kinds[] = {
		{ "kill -9 to next call served, slowest", 25 },
		{ "the same beside a warm spare, slowest", 5 },
	};
	double ms[DEATHS];
	bool met = true;

	make_mortals();
	usleep(HEALTHY_US);
	open_links();	/* which know the new catalog */
	for (unsigned kind = 0; kind < 2; kind++) {
		for (unsigned i = 0; i < DEATHS; i++) {
			ms[i] = death_ms(kind * DEATHS + i);
			usleep(REFILL_US);
		}
		printf("  kill -9, next call served: median %.1f ms of %d\n",
		       percentile(ms, DEATHS, 50), DEATHS);
		met &= bench_figure(kinds[kind].name, ms[DEATHS - 1], kinds[kind].bar, "ms");
	}
	return met;
}

/* ---- launches ---- */

static double launch_us(void (*launch)(void))
{
	usleep(REFILL_US);

	int64_t from_ns = bench_now_ns();

	launch();
	return (double)(bench_now_ns() - from_ns) / 1e3;
}

/* One at a time, when a worker waits: what a call costs, not what follows it. */
static bool job_figure(void)
{
	static double job[LAUNCHES], bare[LAUNCHES], ratio[LAUNCHES];

	for (size_t i = 0; i < LAUNCHES; i++) {
		job[i] = launch_us(job_true);
		bare[i] = launch_us(spawn_true);
		ratio[i] = job[i] / bare[i];
	}
	printf("  job: median %.0f us, p99 %.0f us; posix_spawn: %.0f us, %.0f us\n",
	       percentile(job, LAUNCHES, 50), percentile(job, LAUNCHES, 99),
	       percentile(bare, LAUNCHES, 50), percentile(bare, LAUNCHES, 99));
	return bench_figure("warm job of /bin/true, to posix_spawn",
			    percentile(ratio, LAUNCHES, 50), 1.4, "x");
}

/* One after the other as fast as may be: its worker's start and end as well. */
static bool jobs_figure(void)
{
	return bench_pair("two clients, job after job",
			  (struct bench_side){ "job", two_jobs, NULL },
			  (struct bench_side){ "bwrap", two_bwraps, NULL }, 0.4);
}

/* Clean pages are the program's file in the page cache, whoever maps them. */
static bool parked_figure(void)
{
	pid_t pids[64];
	size_t count;
	double kib = 0;
	char path[64], words[512] = "";
	int parent = 0;
	FILE *file;

	usleep(200000);
	count = find_below(supervisor, "job", pids, 0);
	if (count == 0)
		die("no job waits");
	for (size_t i = 0; i < count; i++) {
		kib += (double)status_kib(pids[i], "smaps_rollup", "Private_Dirty");
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pids[i]);
		file = fopen(path, "re");
		if (file && fgets(words, sizeof(words), file) &&
		    sscanf(strrchr(words, ')') + 2, "%*c %d", &parent) == 1 &&
		    parent != supervisor)
			kib += (double)status_kib(parent, "smaps_rollup", "Private_Dirty");
		if (file)
			fclose(file);
	}
	return bench_figure("idle parked job, its and its init's own memory",
			    kib / (double)count, 160, "KiB");
}

/* Two jobs that spin; nothing but their begin is waited for. */
static void begin_spins(uint64_t spins[2])
{
	struct client_event event;

	for (int i = 0; i < 2; i++)
		spins[i] = begin(&links[1], "batch", spin_input);
	for (int i = 0; i < 20; i++) {
		while (client_next(&links[1], clock_now_ns(), &event) == 0)
			if (event.kind == CLIENT_RESULT)
				die("a batch job has ended");
		usleep(10000);
	}
}

static void end_spins(const uint64_t spins[2])
{
	for (int i = 0; i < 2; i++)
		client_cancel(&links[1], spins[i]);
	for (int i = 0; i < 2; i++)
		finish(&links[1]);
}

static bool batch_figure(void)
{
	static double idle[ROUNDS][CALLS], busy[ROUNDS][CALLS];
	uint64_t spins[2];

	for (size_t i = 0; i < ROUNDS; i++) {
		time_calls(idle[i]);
		begin_spins(spins);
		time_calls(busy[i]);
		end_spins(spins);
	}
	double idle_us = percentile(idle[0], ROUNDS * CALLS, 99);
	double busy_us = percentile(busy[0], ROUNDS * CALLS, 99);

	printf("  warm call, p99: idle %.0f us, beside batch jobs %.0f us\n", idle_us, busy_us);
	return bench_figure("warm-call p99 beside batch jobs, to idle", busy_us / idle_us,
			    5, "x");
}

static bool boot_figure(void)
{
	int64_t from_ns = bench_now_ns();

	start_supervisor();
	open_link(&links[0]);
	call_well(&links[0], "echo", (struct span){ echo_input, sizeof(echo_input) });
	call_well(&links[0], "job", true_input);
	call_well(&links[0], "store.stats", pack("{}"));
	return bench_figure("boot until echo, job and store have served",
			    (double)(bench_now_ns() - from_ns) / 1e6, 300, "ms");
}

static bool memory_figure(void)
{
	return bench_figure("resident memory of the monitor",
			    (double)status_kib(supervisor, "status", "VmRSS"), 4096, "KiB");
}

/* However it ends. */
static void clean_up(void)
{
	char *const argv[] = { (char *)(uintptr_t)"rm", (char *)(uintptr_t)"-rf", folder, NULL };
	pid_t pid;

	if (supervisor) {
		kill(supervisor, SIGTERM);
		waitpid(supervisor, NULL, 0);
	}
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

static const struct {
	const char *name;
	bool (*run)(void);
} figures[] = {
	{ "parked", parked_figure }, { "batch", batch_figure }, { "job", job_figure },
	{ "jobs", jobs_figure }, { "death", death_figure }, { "memory", memory_figure },
};

static bool is_asked(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	bool met;

	setvbuf(stdout, NULL, _IOLBF, 0);
	memcpy(echo_input, "\xda\x00\xfd", 3);	/* str 16: 253 letters */
	memset(echo_input + 3, 'a', sizeof(echo_input) - 3);
	true_input = pack("{\"argv\":[\"/bin/true\"]}");
	spin_input = pack("{\"argv\":[\"/bin/sh\",\"-c\",\"while :; do :; done\"]}");
	if (!mkdtemp(folder))
		die(strerror(errno));
	atexit(clean_up);
	make_folders();
	met = boot_figure();
	for (size_t i = 0; i < COUNT(figures); i++) {
		if (!is_asked(figures[i].name, argc, argv))
			continue;
		open_links();
		met &= figures[i].run();
	}
	return met ? 0 : 1;
}
