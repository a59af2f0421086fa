/*
 * storm - many calls, and everything that can befall them, on real processes.
 *
 *	storm SUPERVISOR SOCKET POOLS SECONDS KILLS TOKENS BOOT
 *
 * Calls the tools of storm0 .. stormN-1 (each an echo, see chaos.sh) through
 * several links at once, while it kills and stops workers and the router of
 * that supervisor, lets workers crash, hang and flood, cancels calls and loses
 * links. It is as fast as what it hits: most blows to a pool come after the pool
 * has served again. Ends after SECONDS, or later, when KILLS workers have been
 * killed and each fault was seen to fire; on a machine that is too slow for so
 * many, after four times as long, with BLOWS_LEAST to each pool.
 *
 * What must hold is no count of successes:
 *	- each call has exactly one result, by its deadline and 2 s, or as soon as a
 *	  router that was killed is back: in 2 s and twice the BOOT (ms) of all. Of a
 *	  thousand calls one may be late for each whole second that BOOT took
 *	- a result that says so is right: the bytes are those asked for
 *	- an effect is executed at most once; once if it is said to have ended
 *	  well, never if it is said not to have begun: TOKENS gets a line
 *	  "token once|never|maybe" per effect, to be held against the log
 *	- no result of the pool "haven", whose workers nobody touches, is lost:
 *	  the routers that die may not take any along
 *	- after a blow the pool serves again, and in the end all do
 * Prints "ok - ..." and "not ok - ..." lines, and how often what happened. All
 * chance is from CUPEL_SEED; time is real.
 */
#include "tests/chaos/storm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/core/deadline.h"

#define LINKS 4
#define ROUTER_NS (20 * NS_PER_S)	/* more deaths than that cool it down, too */
#define RENEW_NS (500 * NS_PER_MS)	/* a pool that serves nobody; doubling */
#define DEAD_NS (60 * NS_PER_S + 20 * given.boot_ns)	/* so long, and it counts as dead */
#define BLOWS_LEAST 10
#define LONGER 4

static struct link links[LINKS];
static uint64_t blows[POOLS_MAX];

static void wait_for_words(void)
{
	struct pollfd polled[LINKS];
	nfds_t count = 0;

	for (size_t i = 0; i < LINKS; i++) {
		if (!links[i].open)
			continue;
		uint32_t wanted = client_events(&links[i].client);

		polled[count++] = (struct pollfd){ .fd = links[i].client.channel.fd,
			.events = (short)((wanted & EPOLLIN ? POLLIN : 0) |
					  (wanted & EPOLLOUT ? POLLOUT : 0)) };
	}
	poll(polled, count, 2);
}

/* ---- the operator, who keeps pools from cooling down ---- */

static struct link operator;

/* Nobody waits for what comes of it. */
static void order(const char *tool, const char *word, unsigned pool,
		  const char *method)
{
	static char words[CLIENT_CALLS_MAX * 2][48];
	static unsigned next;
	char *text = words[next++ % (CLIENT_CALLS_MAX * 2)];
	uint64_t call;

	snprintf(text, sizeof(words[0]), "%s storm%u%s", word, pool, method);
	const struct client_ask ask = {
		.tool = tool, .input = span_of_text(text),
		.deadline_ns = clock_now_ns() + NS_PER_S,
	};

	if (operator.open)
		client_call(&operator.client, &ask, &call, NULL);
}

/* On probation, with one worker; or as if it had just been started. */
static void renew(unsigned pool)
{
	if (one_in(2)) {
		order("router.pool", "reset", pool, "");
	} else {
		order("router.pool", "disable", pool, "");
		order("router.pool", "enable", pool, "");
	}
	for (size_t i = 0; i < kind_count; i++)
		order("router.breaker", "reset", pool, kinds[i].method);
}

static void serve_operator(int64_t now_ns)
{
	struct client_event event;
	int r;

	if (!operator.open && (now_ns < operator.again_ns || !open_link(&operator)))
		return;
	while ((r = client_next(&operator.client, now_ns, &event)) == 0)
		;
	if (r != -EAGAIN)
		close_link(&operator, now_ns);
}

/* ---- the storm ---- */

/*
 * A pool is renewed, then some of its workers are killed: as a rule once it has
 * served a call, of which it is reminded by being renewed again and again.
 */
struct target {
	bool renewed, hasty;
	uint64_t served;		/* by then */
	int64_t next_ns, begun_ns, renewed_ns, patience_ns;
};

static void begin_round(struct target *target, unsigned pool, int64_t now_ns)
{
	*target = (struct target){
		.hasty = one_in(3), .served = counts.served[pool], .begun_ns = now_ns,
		.patience_ns = RENEW_NS, .next_ns = now_ns + 10 * NS_PER_MS,
	};
}

/* It serves nobody yet, or has nobody to be killed. */
static void remind(struct target *target, unsigned pool, int64_t now_ns)
{
	if (now_ns - target->begun_ns > DEAD_NS) {
		violated("storm%u: it serves nobody for %lld s", pool,
			 (long long)(DEAD_NS / NS_PER_S));
		begin_round(target, pool, now_ns);
	} else if (now_ns - target->renewed_ns > target->patience_ns) {
		target->patience_ns *= 2;
		target->renewed = false;
	}
}

static void aim(struct target *target, unsigned pool, int64_t now_ns)
{
	if (now_ns < target->next_ns)
		return;
	target->next_ns = now_ns + 5 * NS_PER_MS;
	if (target->begun_ns == 0)
		begin_round(target, pool, now_ns);
	if (!target->renewed) {
		renew(pool);
		target->renewed = true;
		target->renewed_ns = now_ns;
		target->next_ns = now_ns + (int64_t)below(one_in(8) ? 1000 : 150) * NS_PER_MS;
	} else if ((target->hasty || counts.served[pool] > target->served) &&
		   kill_workers(pool, 1 + (unsigned)below(6)) > 0) {
		blows[pool] += !target->hasty;
		begin_round(target, pool, now_ns);
	} else {
		remind(target, pool, now_ns);
	}
}

/* Of what comes by itself; in time, not in turns, of which there may be few. */
static bool is_due(int64_t *due_ns, unsigned most_ms, int64_t now_ns)
{
	if (now_ns < *due_ns)
		return false;
	*due_ns = now_ns + (int64_t)below(most_ms) * NS_PER_MS;
	return true;
}

static void rage(int64_t now_ns, bool router)
{
	static struct target targets[POOLS_MAX];
	static int64_t stop_ns, drop_ns;

	continue_all(now_ns);
	for (unsigned i = 0; i < given.pools; i++)
		aim(&targets[i], i, now_ns);
	if (is_due(&stop_ns, 1500, now_ns))
		stop_one(now_ns);
	if (is_due(&drop_ns, 3000, now_ns))
		drop_link(&links[below(LINKS)], now_ns);
	if (router && outage.to_ns)
		kill_router();
}

static bool is_busy(void)
{
	for (size_t i = 0; i < LINKS; i++)
		if (links[i].open && client_running(&links[i].client) > 0)
			return true;
	return false;
}

static bool all_fired(void)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		if (counts.fired[i] == 0)
			return false;
	return true;
}

static bool all_hit(void)
{
	for (unsigned i = 0; i < given.pools; i++)
		if (blows[i] < BLOWS_LEAST)
			return false;
	return true;
}

static void storm(int64_t seconds, uint64_t kills)
{
	int64_t now_ns = given.began_ns = clock_now_ns();
	int64_t least_ns = seconds * NS_PER_S, router_ns = given.began_ns + least_ns / 6;

	while (now_ns - given.began_ns < least_ns ||
	       ((counts.fired[FAULT_KILL] < kills || !all_fired()) &&
		now_ns - given.began_ns < LONGER * least_ns)) {
		for (size_t i = 0; i < LINKS; i++)
			serve_link(&links[i], now_ns, true);
		rage(now_ns, now_ns >= router_ns);
		if (now_ns >= router_ns)
			router_ns = now_ns + ROUTER_NS;
		serve_operator(now_ns);
		wait_for_words();
		now_ns = clock_now_ns();
	}
	printf("# it lasted %lld ms\n", (long long)((now_ns - given.began_ns) / NS_PER_MS));
	continue_all(DEADLINE_NEVER);
	for (int64_t until_ns = now_ns + 10 * NS_PER_S; is_busy() && now_ns < until_ns;
	     now_ns = clock_now_ns()) {
		for (size_t i = 0; i < LINKS; i++)
			serve_link(&links[i], now_ns, false);
		wait_for_words();
	}
}

/* The storm may have left the operator without a link: its word is to arrive. */
static void renew_all(void)
{
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;

	for (int64_t now_ns; (now_ns = clock_now_ns()) < until_ns; usleep(2000)) {
		serve_operator(now_ns);
		if (operator.open)
			break;
	}
	for (unsigned i = 0; i < given.pools; i++)
		renew(i);
	while (operator.open && client_running(&operator.client) > 0 &&
	       clock_now_ns() < until_ns) {
		serve_operator(clock_now_ns());
		usleep(2000);
	}
}

/* Whether a pool answers within half a minute of calm. */
static bool serves_again(struct link *link, unsigned pool)
{
	char tool[32];
	int64_t until_ns = clock_now_ns() + 30 * NS_PER_S;
	struct client_event event = { 0 };
	uint64_t call = 0;
	int r;

	snprintf(tool, sizeof(tool), "storm%u", pool);
	const struct client_ask ask = {
		.tool = tool, .input = { (const uint8_t *)"\xc0", 1 },	/* nil */
		.deadline_ns = until_ns,
	};

	while (clock_now_ns() < until_ns) {
		if (!link->open && !open_link(link)) {
			usleep(20000);
			continue;
		}
		r = client_call(&link->client, &ask, &call, NULL);
		while (r == 0 && (event.kind != CLIENT_RESULT || event.call != call))
			r = client_wait(&link->client, -1, until_ns, &event);
		if (r == 0 && event.result.code == ERROR_OK)
			return true;
		if (r < 0 && r != -EAGAIN)
			close_link(link, 0);
		usleep(100000);
	}
	printf("# %s: %.*s\n", tool, (int)event.result.reason.length,
	       event.result.reason.data);
	return false;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("CUPEL_SEED");
	unsigned well = 0;

	if (argc != 8)
		return fputs("usage: storm SUPERVISOR SOCKET POOLS SECONDS KILLS TOKENS BOOT\n",
			     stderr), 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	given.supervisor = (pid_t)atoi(argv[1]);
	given.socket_path = argv[2];
	given.pools = (unsigned)atoi(argv[3]) % (POOLS_MAX + 1);
	given.boot_ns = atoll(argv[7]) * NS_PER_MS;
	given.tokens = fopen(argv[6], "we");
	if (!given.tokens)
		return perror(argv[6]), 66;
	random_init(&given.chance, seed ? strtoull(seed, NULL, 10) : 1);
	printf("# CUPEL_SEED=%s\n", seed ? seed : "1");
	storm(atoll(argv[4]), strtoull(argv[5], NULL, 10));
	renew_all();
	for (unsigned i = 0; i < given.pools; i++)
		well += serves_again(&links[0], i);
	fclose(given.tokens);

	tell_counts();
	tell(all_fired(), "every fault has been seen to fire");
	tell(counts.fired[FAULT_KILL] >= strtoull(argv[5], NULL, 10) ||
	     (all_hit() && clock_now_ns() - given.began_ns >= LONGER * atoll(argv[4]) * NS_PER_S),
	     "so many workers were killed, or as many as there was time for");
	printf("# away for %lld ms at most, a start of all %s ms\n",
	       (long long)(outage.longest_ns / NS_PER_MS), argv[7]);
	tell(outage.to_ns && outage.longest_ns <= 2 * NS_PER_S + 2 * given.boot_ns,
	     "a router that was killed was back in time");
	tell(counts.started == counts.ended, "each call has one result");
	printf("# %llu of %llu calls that were taken on, and could, ended well\n",
	       (unsigned long long)counts.fair_well, (unsigned long long)counts.fair_calls);
	tell(counts.fair_well > counts.fair_calls / 5, "of the calls taken on, a fifth ended well");
	tell(counts.late <= counts.started / 1000 * (uint64_t)(given.boot_ns / NS_PER_S),
	     "each in time, but for what the machine is slow");
	tell(counts.havens > 0, "calls ended well where no worker was touched");
	tell(counts.violations == 0, "no promise was broken");
	tell(well == given.pools, "every pool serves again");
	tell(kill(given.supervisor, 0) == 0, "the monitor is the same");
	return 0;
}
