/*
 * bench_router.c - what the router costs and holds: the real program between
 * clients, workers and a monitor that are made up (tests/support/router_rig.h).
 *
 * The floor of a routed call is the same worker on a link without a router.
 * In that figure all processes share a processor, as in bench_wire.c, so that
 * only work counts, not how the kernel spreads it; in the others they run
 * where the kernel puts them.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/core/deadline.h"
#include "tests/support/bench.h"
#include "tests/support/router_rig.h"

#define BODY_BYTES 256
#define IN_FLIGHT 32
#define WORKER_CALLS 64
#define THROUGHPUT_CALLS 40000
#define THROUGHPUT_ROUNDS 7
#define KILLS 200
#define CLIENTS 8
#define OVERLOAD 10
#define OVERLOAD_ROUNDS 7
#define OVERLOAD_NS (400 * NS_PER_MS)
#define OVERLOAD_DEADLINE_NS (200 * NS_PER_MS)
#define TIMES 65536

enum { POOL_FAST, POOL_HUNG, POOL_SLOW, POOL_STORE };
enum { SLOT_FAST, SLOT_HUNG, SLOT_SLOW, SLOT_SLOW_TOO, SLOT_STORE };

static struct catalog catalog;
static struct router_rig rig;
static struct router_rig_peer client, direct;
static uint64_t next_id = 1;
static uint8_t body[BODY_BYTES];

static struct message call_of(const char *tool)
{
	memcpy(body, &next_id, sizeof(next_id));	/* no call is another's equal */
	return (struct message){
		.kind = MESSAGE_CALL, .call_id = next_id++,
		.deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(tool), .attempt = 1,
			  .priority = 1 },
		.body = { body, sizeof(body) } };
}

static void share_a_processor(bool share)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < (share ? 1U : CPU_SETSIZE); i++)
		CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setaffinity(rig.router, sizeof(set), &set);
	for (int i = 0; i < ROUTER_RIG_SLOTS; i++) {
		if (rig.slots[i].pid > 0)
			sched_setaffinity(rig.slots[i].pid, sizeof(set), &set);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double *values, size_t count, unsigned percent)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(*values), compare);
	return values[(count - 1) * percent / 100];
}

/* ---- one at a time ---- */

static void routed(void *context, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct message message = call_of(ROUTER_RIG_ECHO);

		router_rig_send(context, &message);
		router_rig_wait(context, message.call_id, &message);
		if (message.result.code != ERROR_OK)
			abort();
	}
	router_rig_drain_control(&rig);
}

static void unrouted(void *context, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct message message = call_of(ROUTER_RIG_ECHO);
		uint64_t id = message.call_id;

		message.generation = 1;
		message.deadline_ns = bench_now_ns() + NS_PER_S;
		router_rig_send(context, &message);
		router_rig_wait(context, id, &message);
		router_rig_send(context, &(struct message){
			.kind = MESSAGE_RESULT_ACK, .call_id = id,
			.generation = 1 });
	}
}

static bool one_at_a_time(void)
{
	bool met;

	share_a_processor(true);
	pid_t worker = router_rig_direct(&direct, WORKER_CALLS);
	met = bench_pair("routed call of 256 B, one in flight",
			 (struct bench_side){ "routed", routed, &client },
			 (struct bench_side){ "direct", unrouted, &direct },
			 3.0);
	router_rig_peer_end(&direct);
	waitpid(worker, NULL, 0);
	share_a_processor(false);
	return met;
}

/* ---- many in flight ---- */

static double calls_per_s(unsigned total)
{
	int64_t start_ns = bench_now_ns();
	unsigned sent = 0, done = 0;
	struct pollfd poll_fd = { .fd = client.channel.fd, .events = POLLIN };
	struct message message;

	while (done < total) {
		while (sent < total && sent - done < IN_FLIGHT) {
			message = call_of(ROUTER_RIG_ECHO);
			router_rig_send(&client, &message);
			sent++;
		}
		channel_flush(&client.channel);
		poll(&poll_fd, 1, -1);
		while (router_rig_take(&client, &message))
			done += message.kind == MESSAGE_RESULT &&
				message.result.code == ERROR_OK;
	}
	router_rig_drain_control(&rig);
	return total * 1e9 / (double)(bench_now_ns() - start_ns);
}

static bool many_in_flight(void)
{
	double rates[THROUGHPUT_ROUNDS];

	calls_per_s(THROUGHPUT_CALLS);
	for (int i = 0; i < THROUGHPUT_ROUNDS; i++)
		rates[i] = calls_per_s(THROUGHPUT_CALLS);
	return bench_least("calls a second, 32 in flight",
			   percentile(rates, THROUGHPUT_ROUNDS, 50), 100000,
			   "/s");
}

/* How each call ended goes to a store that only takes it in, or does not. */
static void record(bool enabled)
{
	char text[4096];

	router_rig_own(&client, next_id++, "router.tool", enabled ?
		       "enable " ROUTER_RIG_STORE : "disable " ROUTER_RIG_STORE,
		       text, sizeof(text));
}

/* The router's own processor time for as many calls. */
static double work_of_calls(double *ret_rate)
{
	struct timespec before, after;
	clockid_t clock;

	clock_getcpuclockid(rig.router, &clock);
	clock_gettime(clock, &before);
	*ret_rate = calls_per_s(THROUGHPUT_CALLS);
	clock_gettime(clock, &after);
	return (double)(after.tv_sec - before.tv_sec) * 1e9 +
	       (double)(after.tv_nsec - before.tv_nsec);
}

static bool with_records(void)
{
	double work[THROUGHPUT_ROUNDS], rates[THROUGHPUT_ROUNDS], rate, least;

	for (int i = 0; i < THROUGHPUT_ROUNDS; i++) {
		least = work_of_calls(&rate);
		record(true);
		work[i] = work_of_calls(&rates[i]) / least;
		rates[i] /= rate;
		record(false);
	}
	printf("  %-40s %12.2f x\n", "calls a second recorded, to those not",
	       percentile(rates, THROUGHPUT_ROUNDS, 50));
	return bench_figure("the router's work on a call, recorded to not",
			    percentile(work, THROUGHPUT_ROUNDS, 50), 1.2, "x");
}

/* ---- a worker is killed ---- */

/* The monitor speaks as soon as its pidfd does; meanwhile the caller waits. */
static void wait_for_death(uint64_t call_id, struct message *ret)
{
	struct pollfd poll_fds[] = {
		{ .fd = client.channel.fd, .events = POLLIN },
		{ .fd = rig.slots[SLOT_HUNG].pidfd, .events = POLLIN },
	};

	for (;;) {
		while (router_rig_take(&client, ret)) {
			if (ret->call_id == call_id &&
			    ret->kind == MESSAGE_RESULT)
				return;
		}
		poll(poll_fds, 2, 10000);
		if (poll_fds[1].revents) {
			router_rig_worker_down(&rig, SLOT_HUNG);
			poll_fds[1].fd = -1;
			poll_fds[1].revents = 0;
		}
	}
}

static double kill_one(void)
{
	char text[256];
	struct message message;
	int64_t start_ns;
	uint64_t id;

	router_rig_worker_up(&rig, SLOT_HUNG, POOL_HUNG, 1);
	message = call_of(ROUTER_RIG_HANG);
	id = message.call_id;
	router_rig_send(&client, &message);
	channel_flush(&client.channel);
	do {
		struct pollfd poll_fd = { .fd = client.channel.fd,
					  .events = POLLIN };

		poll(&poll_fd, 1, 10000);
	} while (!router_rig_take(&client, &message));
	if (message.kind != MESSAGE_ACCEPT)
		abort();
	start_ns = bench_now_ns();
	kill(rig.slots[SLOT_HUNG].pid, SIGKILL);
	wait_for_death(id, &message);
	start_ns = bench_now_ns() - start_ns;
	if (message.result.code != ERROR_CRASH_OUTCOME_UNKNOWN)
		abort();
	router_rig_own(&client, next_id++, "router.breaker", "reset " ROUTER_RIG_HANG, text,
		sizeof(text));
	return (double)start_ns / 1e6;
}

static bool killed(void)
{
	static double ms[KILLS];

	for (int i = 0; i < KILLS; i++)
		ms[i] = kill_one();
	printf("  %-42s %10.2f ms\n", "kill -9 to the caller's error, median",
	       percentile(ms, KILLS, 50));
	return bench_figure("kill -9 to the caller's error, p99",
			    percentile(ms, KILLS, 99), 10, "ms");
}

/* ---- overload ---- */

static struct router_rig_peer crowd[CLIENTS];
static int64_t times[TIMES];
static double reject_ms[1 << 20];
static size_t rejects, expired;
static unsigned pending;

static void send_one(unsigned index)
{
	struct message message = call_of(ROUTER_RIG_WORK);

	times[message.call_id % TIMES] = bench_now_ns();
	message.deadline_ns = times[message.call_id % TIMES] +
			      OVERLOAD_DEADLINE_NS;
	router_rig_send(&crowd[index], &message);
	pending++;
}

static unsigned take_results(unsigned index)
{
	struct message message;
	unsigned good = 0;

	while (router_rig_take(&crowd[index], &message)) {
		if (message.kind != MESSAGE_RESULT)
			continue;
		pending--;
		if (message.result.code == ERROR_OK)
			good++;
		else if (message.result.code == ERROR_DEADLINE_EXCEEDED)
			expired++;
		else
			reject_ms[rejects++ % COUNT(reject_ms)] =
				(double)(bench_now_ns() -
				times[message.call_id % TIMES]) / 1e6;
	}
	return good;
}

static unsigned turn(int timeout_ms)
{
	struct pollfd poll_fds[CLIENTS];
	unsigned good = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		channel_flush(&crowd[i].channel);
		poll_fds[i] = (struct pollfd){ .fd = crowd[i].channel.fd,
					       .events = POLLIN };
	}
	poll(poll_fds, CLIENTS, timeout_ms);
	for (unsigned i = 0; i < CLIENTS; i++)
		good += take_results(i);
	router_rig_drain_control(&rig);
	return good;
}

static void settle(void)
{
	while (pending > 0)
		turn(100);
}

/* As many as are ever served: a few always wait, never more. */
static double peak(void)
{
	int64_t start_ns = bench_now_ns(), end_ns = start_ns + OVERLOAD_NS;
	unsigned good = 0, next = 0;

	while (bench_now_ns() < end_ns) {
		while (pending < CLIENTS)
			send_one(next++ % CLIENTS);
		good += turn(10);
	}
	settle();
	return good * 1e9 / OVERLOAD_NS;
}

/* Calls come as by a clock, whatever becomes of those before. */
static double goodput(double offered_per_s)
{
	int64_t start_ns = bench_now_ns(), now_ns;
	unsigned good = 0, sent = 0;

	while ((now_ns = bench_now_ns()) < start_ns + OVERLOAD_NS) {
		unsigned due = (unsigned)(offered_per_s *
			(double)(now_ns - start_ns) / 1e9);

		for (; sent < due; sent++)
			send_one(sent % CLIENTS);
		good += turn(0);
	}
	settle();
	return good * 1e9 / OVERLOAD_NS;
}

static bool overload(void)
{
	double ratios[OVERLOAD_ROUNDS], highest = 0;
	bool met;

	router_rig_worker_up(&rig, SLOT_SLOW, POOL_SLOW, 1);
	router_rig_worker_up(&rig, SLOT_SLOW_TOO, POOL_SLOW, 1);
	for (unsigned i = 0; i < CLIENTS; i++)
		router_rig_connect(&rig, &crowd[i]);
	peak();
	for (int i = 0; i < OVERLOAD_ROUNDS; i++) {
		double best = peak();

		ratios[i] = goodput(OVERLOAD * best) / best * 100;
		highest = best > highest ? best : highest;
	}
	printf("  %-42s %10.0f /s     rejected %zu, too late %zu\n", "peak",
	       highest, rejects, expired);
	met = bench_least("goodput at 10 x the peak's load",
			  percentile(ratios, OVERLOAD_ROUNDS, 50), 90, "%");
	met &= bench_figure("reject under that load, p99",
			    percentile(reject_ms, rejects, 99), 5, "ms");
	for (unsigned i = 0; i < CLIENTS; i++)
		router_rig_peer_end(&crowd[i]);
	return met;
}

int main(void)
{
	bool met;

	router_rig_add_pool(&catalog, "fast", 1, WORKER_CALLS);
	router_rig_add_pool(&catalog, "hung", 1, 1);
	router_rig_add_pool(&catalog, "slow", 2, 1);
	router_rig_add_tool(&catalog, ROUTER_RIG_ECHO, POOL_FAST, 256);
	router_rig_add_tool(&catalog, ROUTER_RIG_HANG, POOL_HUNG, 16);
	router_rig_add_pool(&catalog, "store", 1, 1);
	router_rig_add_tool(&catalog, ROUTER_RIG_STORE, POOL_STORE, 16);
	router_rig_add_tool(&catalog, ROUTER_RIG_WORK, POOL_SLOW, 64);
	router_rig_start(&rig, &catalog);
	router_rig_worker_up(&rig, SLOT_FAST, POOL_FAST, WORKER_CALLS);
	router_rig_worker_up(&rig, SLOT_STORE, POOL_STORE, 1);
	router_rig_connect(&rig, &client);
	record(false);
	met = one_at_a_time();
	met &= many_in_flight();
	met &= with_records();
	met &= killed();
	met &= overload();
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
	return !met;
}
