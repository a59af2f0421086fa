/*
 * late - how long after its deadline a call's result comes, on real processes.
 *
 *	late SOCKET ROUTER CALLS ROUNDS
 *
 * In each round CALLS calls, IN_FLIGHT at a time, of echo.sleep and echo.hang
 * that would take far longer than they may; some wait for a worker until their
 * deadline. What a result may be late by is told against a floor in the same
 * moments: a process that knows the same deadlines and writes a word at each.
 *
 * Promised are 50 ms for 999 of 1,000 and 250 ms at most. A round in which the
 * machine looked elsewhere proves nothing: the best of them counts. Then the
 * router, by its pid, is stopped for STOP_MS in the midst of one more, which
 * must show. Prints "ok - ..." and "not ok - ..." lines and the figures.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/core/error_code.h"
#include "common/core/random.h"
#include "common/json.h"
#include "common/wire/client.h"

#define IN_FLIGHT 24		/* more than two workers of eight take */
#define CALLS_MAX 100000
#define MOST_MS 50
#define EVER_MS 250
#define STOP_MS 400

/* How late, in ns, in the order in which they came. */
struct lateness {
	int64_t ns[CALLS_MAX];
	size_t count;
};

static struct lateness ours, floors;
static struct client client;
static struct random chance;
static int64_t deadlines_ns[CLIENT_CALLS_MAX];
static int floor_fd;

/* ---- the floor ---- */

static void keep_time(int fd)
{
	int64_t due_ns[IN_FLIGHT * 2];
	struct pollfd polled = { fd, POLLIN, 0 };
	size_t count = 0;

	for (;;) {
		int64_t next_ns = DEADLINE_NEVER, now_ns, left_ns;

		for (size_t i = 0; i < count; i++)
			next_ns = deadline_earlier(next_ns, due_ns[i]);
		left_ns = deadline_remaining(next_ns, clock_now_ns());
		ppoll(&polled, 1, next_ns == DEADLINE_NEVER ? NULL : &(struct timespec){
			left_ns / NS_PER_S, left_ns % NS_PER_S }, NULL);
		if (polled.revents & POLLHUP)
			_exit(0);
		if (polled.revents & POLLIN && count < IN_FLIGHT * 2 &&
		    read(fd, &due_ns[count], sizeof(due_ns[0])) == sizeof(due_ns[0]))
			count++;
		now_ns = clock_now_ns();
		for (size_t i = 0; i < count;) {
			if (due_ns[i] > now_ns) {
				i++;
				continue;
			}
			if (write(fd, &due_ns[i], sizeof(due_ns[0])) < 0)
				_exit(1);
			due_ns[i] = due_ns[--count];
		}
	}
}

static void start_floor(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		exit(71);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		keep_time(ends[1]);
	}
	close(ends[1]);
	floor_fd = ends[0];
}

static void note(struct lateness *lateness, int64_t deadline_ns)
{
	if (lateness->count < CALLS_MAX)
		lateness->ns[lateness->count++] = clock_now_ns() - deadline_ns;
}

static void hear_floor(void)
{
	int64_t deadline_ns;

	while (recv(floor_fd, &deadline_ns, sizeof(deadline_ns), MSG_DONTWAIT) ==
	       sizeof(deadline_ns))
		note(&floors, deadline_ns);
}

/* ---- calls ---- */

static const struct {
	const char *tool, *arguments;
} kinds[] = {
	{ "echo.sleep", "{\"ms\":90000}" }, { "echo.sleep", "{\"ms\":90000}" },
	{ "echo.sleep", "{\"ms\":90000}" }, { "echo.hang", "{\"ms\":300}" },
};

static uint8_t inputs[COUNT(kinds)][64];
static size_t input_bytes[COUNT(kinds)];

static void pack_inputs(void)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		json_t *json = NULL;
		struct error why;
		int r = json_parse(span_of_text(kinds[i].arguments),
				   (struct json_limits){ 64, 2 }, &json, &why);

		if (r == 0)
			r = convert_from_json(json, inputs[i], sizeof(inputs[i]), &why);
		if (r < 0)
			exit(70);
		input_bytes[i] = (size_t)r;
		json_decref(json);
	}
}

static void ask(const char *tool, struct span input, int64_t deadline_ns, bool counts)
{
	const struct client_ask ask = { .tool = tool, .input = input,
		.deadline_ns = deadline_ns, .flags = CALL_NO_RETRY };
	uint64_t id;

	if (client_call(&client, &ask, &id, NULL) == 0)
		deadlines_ns[id % CLIENT_CALLS_MAX] = counts ? deadline_ns : 0;
}

static void start_one(void)
{
	size_t kind = random_below(&chance, COUNT(kinds));
	int64_t deadline_ns = clock_now_ns() +
			      (int64_t)(20 + random_below(&chance, 130)) * NS_PER_MS;

	ask(kinds[kind].tool, (struct span){ inputs[kind], input_bytes[kind] },
	    deadline_ns, true);
	if (write(floor_fd, &deadline_ns, sizeof(deadline_ns)) < 0)
		exit(71);
}

/* Deadlines are failures, and breakers are not what is looked at. */
static void reset_breakers(void)
{
	static const char *const words[] = { "reset echo.sleep", "reset echo.hang" };

	for (size_t i = 0; i < COUNT(words); i++)
		ask("router.breaker", span_of_text(words[i]), clock_now_ns() + NS_PER_S, false);
}

/* False: it was refused, which says nothing. */
static bool take_result(const struct client_event *event)
{
	int64_t deadline_ns = deadlines_ns[event->call % CLIENT_CALLS_MAX];

	if (!deadline_ns || event->result.code != ERROR_DEADLINE_EXCEEDED)
		return false;
	note(&ours, deadline_ns);
	return true;
}

static void wait_for_words(void)
{
	struct pollfd polled[] = {
		{ client.channel.fd, POLLIN, 0 }, { floor_fd, POLLIN, 0 },
	};

	if (client_events(&client) & EPOLLOUT)
		polled[0].events |= POLLOUT;
	poll(polled, COUNT(polled), 50);
}

static void round_of(size_t calls, pid_t stopped)
{
	struct client_event event;
	int64_t stop_ns = clock_now_ns() + 300 * NS_PER_MS, go_ns = DEADLINE_NEVER;
	size_t results = 0;
	int r;

	ours.count = floors.count = 0;
	while (ours.count < calls) {
		while (client_running(&client) < IN_FLIGHT)
			start_one();
		wait_for_words();
		hear_floor();
		while ((r = client_next(&client, clock_now_ns(), &event)) == 0)
			if (event.kind == CLIENT_RESULT && take_result(&event) &&
			    ++results % 4 == 0)
				reset_breakers();
		if (r != -EAGAIN) {
			printf("not ok - the link is lost: %s\n", client.why.text);
			exit(1);
		}
		if (stopped && clock_now_ns() >= stop_ns) {
			kill(stopped, SIGSTOP);
			go_ns = stop_ns + STOP_MS * NS_PER_MS;
			stop_ns = DEADLINE_NEVER;
		}
		if (clock_now_ns() >= go_ns) {
			kill(stopped, SIGCONT);
			go_ns = DEADLINE_NEVER;
		}
	}
}

/* ---- what it comes to ---- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t part_ms(const struct lateness *sorted, unsigned of_1000)
{
	return sorted->ns[(sorted->count - 1) * of_1000 / 1000] / NS_PER_MS;
}

/* Whether this round kept the promise. */
static bool judge(const char *what)
{
	int64_t most_ms, ever_ms;

	qsort(ours.ns, ours.count, sizeof(ours.ns[0]), by_size);
	qsort(floors.ns, floors.count, sizeof(floors.ns[0]), by_size);
	most_ms = part_ms(&ours, 999) - part_ms(&floors, 999);
	ever_ms = part_ms(&ours, 1000) - part_ms(&floors, 1000);
	printf("# %s: %zu deadlines, ms after: half %lld, 999 of 1000 %lld, all %lld; the floor %lld, %lld, %lld\n",
	       what, ours.count, (long long)part_ms(&ours, 500), (long long)part_ms(&ours, 999),
	       (long long)part_ms(&ours, 1000), (long long)part_ms(&floors, 500),
	       (long long)part_ms(&floors, 999), (long long)part_ms(&floors, 1000));
	return most_ms <= MOST_MS && ever_ms <= EVER_MS;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), kept = 0;
	size_t calls;

	if (argc != 5)
		return fputs("usage: late SOCKET ROUTER CALLS ROUNDS\n", stderr), 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	calls = strtoull(argv[3], NULL, 10);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    client_init(&client, fd, "late", NULL) < 0)
		return perror(argv[1]), 69;
	random_init(&chance, 1);
	pack_inputs();
	start_floor();
	for (int i = 0; i < atoi(argv[4]) && !kept; i++) {
		round_of(calls, 0);
		kept += judge("deadlines");
	}
	printf("%sok - results come by their deadline and %d ms, %d ms at most\n",
	       kept ? "" : "not ", MOST_MS, EVER_MS);
	round_of(calls, (pid_t)atoi(argv[2]));
	printf("%sok - a router that is late would be seen\n",
	       judge("a router that stands still") ? "not " : "");
	return 0;
}
