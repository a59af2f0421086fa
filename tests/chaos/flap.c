/*
 * flap - an upstream that is down and up by turns, behind its breaker.
 *
 *	flap SOCKET SECONDS
 *
 * Twenty calls a second of echo.fail, which all fail while the upstream is down
 * and all come through while it is up (by a fault that is their caller's). Ten
 * times a second the breaker's state is looked at. Must hold:
 *	- from CLOSED or RAMP it opens within 6 s of the upstream's going down
 *	- it leaves HALF_OPEN within 30 s, and OPEN in twice the cap of its time
 *	- retries add no more than a tenth to the calls that went out, beyond the
 *	  one a second, ten at once, that are always allowed
 *	- once the upstream is up for good, it comes back in twice that cap
 * Goes on after SECONDS until it was seen to open and to come back, for at most
 * five times as long. Prints "ok - ..." and "not ok - ..." lines and figures.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/core/breaker.h"
#include "common/core/random.h"
#include "common/json.h"
#include "common/wire/client.h"

#define TOOL "echo.fail"
#define CALL_NS (50 * NS_PER_MS)	/* between two */
#define LOOK_NS (100 * NS_PER_MS)
#define DETECT_NS (6 * NS_PER_S)
#define CALL_MS 3000
#define BACK_NS (2 * breaker_limits_default.open_max_ns)

static struct client client;
static struct random chance;
static uint8_t inputs[2][64];		/* down, up */
static size_t input_bytes[2];
static uint64_t look;			/* the call that looks; 0: none */
static char report[1 << 16];
static size_t report_bytes;
static uint64_t looked;

static struct {
	enum breaker_state state;
	int64_t since_ns;		/* seen in that state */
	int64_t longest_ns[BREAKER_STATE_COUNT];
	uint64_t times[BREAKER_STATE_COUNT];
	int64_t down_ns;		/* undetected since; 0: it is up, or known */
	int64_t slowest_ns;		/* detection */
	uint64_t detected;
	uint64_t calls, refused, out, extra;
} told;

/* ---- calls ---- */

static void pack(const char *text, size_t index)
{
	json_t *json = NULL;
	struct error why;
	int r = json_parse(span_of_text(text), (struct json_limits){ 64, 2 }, &json, &why);

	if (r == 0)
		r = convert_from_json(json, inputs[index], sizeof(inputs[0]), &why);
	if (r < 0)
		exit(70);
	input_bytes[index] = (size_t)r;
	json_decref(json);
}

static uint64_t ask(const char *tool, struct span input)
{
	const struct client_ask ask = { .tool = tool, .input = input,
		.deadline_ns = clock_now_ns() + CALL_MS * NS_PER_MS };
	uint64_t id = 0;

	return client_call(&client, &ask, &id, NULL) == 0 ? id : 0;
}

static void leave(int64_t now_ns)
{
	int64_t lasted_ns = now_ns - told.since_ns;

	if (lasted_ns > told.longest_ns[told.state])
		told.longest_ns[told.state] = lasted_ns;
	told.since_ns = now_ns;
}

static void see(enum breaker_state state, int64_t now_ns)
{
	if (state == told.state)
		return;
	leave(now_ns);
	told.state = state;
	told.times[state]++;
	if (state == BREAKER_OPEN && told.down_ns) {
		if (now_ns - told.down_ns > told.slowest_ns)
			told.slowest_ns = now_ns - told.down_ns;
		told.detected++;
		told.down_ns = 0;
	}
}

/* The report of all there is holds a row for the tool. */
static void read_report(int64_t now_ns)
{
	const char *row, *state;

	report[report_bytes] = '\0';
	row = strstr(report, "\"name\":\"" TOOL "\"");
	state = row ? strstr(row, "\"breaker\":\"") : NULL;
	if (!state) {
		printf("not ok - the status tells of %s\n", TOOL);
		exit(1);
	}
	state += strlen("\"breaker\":\"");
	for (enum breaker_state i = 0; i < BREAKER_STATE_COUNT; i++) {
		size_t length = strlen(breaker_state_name(i));

		if (strncmp(state, breaker_state_name(i), length) == 0 && state[length] == '"')
			see(i, now_ns);
	}
}

static void keep(struct span bytes)
{
	if (report_bytes + bytes.length >= sizeof(report))
		exit(70);
	if (bytes.length)
		memcpy(report + report_bytes, bytes.data, bytes.length);
	report_bytes += bytes.length;
}

static void take(const struct client_event *event, int64_t now_ns)
{
	if (event->call == look && event->kind == CLIENT_CHUNK)
		keep(event->body);
	if (event->kind != CLIENT_RESULT)
		return;
	if (event->call == look) {
		keep(event->body);
		if (event->result.code == ERROR_OK)
			read_report(now_ns);
		looked += event->result.code == ERROR_OK;
		look = 0;
		return;
	}
	if (event->result.attempts > 0 && told.state == BREAKER_OPEN)
		leave(now_ns);		/* a probe, if nobody looked meanwhile */
	told.calls++;
	told.refused += event->result.code == ERROR_BREAKER_OPEN;
	told.out += event->result.attempts > 0;
	told.extra += event->result.attempts > 1 ? event->result.attempts - 1 : 0;
}

static void turn(bool up)
{
	static int64_t call_ns, look_ns;
	int64_t now_ns = clock_now_ns();
	struct pollfd polled = { client.channel.fd, POLLIN, 0 };
	struct client_event event;
	int r;

	if (now_ns >= call_ns) {
		ask(TOOL, (struct span){ inputs[up], input_bytes[up] });
		call_ns = now_ns + CALL_NS;
	}
	if (now_ns >= look_ns && !look) {
		report_bytes = 0;
		look = ask("router.status", (struct span){ 0 });
		look_ns = now_ns + LOOK_NS;
	}
	while ((r = client_next(&client, clock_now_ns(), &event)) == 0)
		take(&event, clock_now_ns());
	if (r != -EAGAIN) {
		printf("not ok - the link is lost: %s\n", client.why.text);
		exit(1);
	}
	polled.events |= client_events(&client) & EPOLLOUT ? POLLOUT : 0;
	poll(&polled, 1, 10);
}

/* ---- the upstream ---- */

static bool is_open_to_calls(void)
{
	return told.state == BREAKER_CLOSED || told.state == BREAKER_RAMP;
}

static void be(bool up)
{
	int64_t now_ns = clock_now_ns();
	int64_t until_ns = now_ns + DETECT_NS + (int64_t)random_below(&chance, 4000) * NS_PER_MS;

	told.down_ns = !up && is_open_to_calls() ? now_ns : 0;
	while (clock_now_ns() < until_ns)
		turn(up);
	if (told.down_ns) {	/* not seen at all */
		told.slowest_ns = until_ns - now_ns;
		told.detected++;
		told.down_ns = 0;
	}
}

static void flap(int64_t seconds)
{
	int64_t began_ns = clock_now_ns();

	for (bool up = true; clock_now_ns() - began_ns < seconds * NS_PER_S ||
	     ((!told.detected || !told.times[BREAKER_RAMP]) &&
	      clock_now_ns() - began_ns < 5 * seconds * NS_PER_S); up = !up)
		be(up);
}

/* How long it takes to come back, once all is well; BACK_NS: it does not. */
static int64_t come_back_ns(void)
{
	int64_t began_ns = clock_now_ns();

	while (!is_open_to_calls() && clock_now_ns() - began_ns < BACK_NS)
		turn(true);
	return clock_now_ns() - began_ns;
}

static void tell(bool good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t began_ns = clock_now_ns(), back_ns;
	uint64_t seconds;

	if (argc != 3)
		return fputs("usage: flap SOCKET SECONDS\n", stderr), 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    client_init(&client, fd, "flap", NULL) < 0)
		return perror(argv[1]), 69;
	random_init(&chance, 1);
	pack("{\"code\":14}", 0);
	pack("{\"code\":3}", 1);
	told.since_ns = began_ns;
	flap(atoll(argv[2]));
	back_ns = come_back_ns();
	leave(clock_now_ns());
	seconds = (uint64_t)((clock_now_ns() - began_ns) / NS_PER_S);

	printf("# %llu s, %llu calls, %llu refused, %llu went out, and %llu again\n",
	       (unsigned long long)seconds, (unsigned long long)told.calls,
	       (unsigned long long)told.refused, (unsigned long long)told.out,
	       (unsigned long long)told.extra);
	for (int i = 0; i < BREAKER_STATE_COUNT; i++)
		printf("# %-12s %4llu times, %6lld ms at most\n", breaker_state_name(i),
		       (unsigned long long)told.times[i],
		       (long long)(told.longest_ns[i] / NS_PER_MS));
	printf("# seen after %lld ms at most, of %llu times; back after %lld ms\n",
	       (long long)(told.slowest_ns / NS_PER_MS), (unsigned long long)told.detected,
	       (long long)(back_ns / NS_PER_MS));
	tell(looked > seconds, "its state was looked at");
	tell(told.times[BREAKER_OPEN] && told.times[BREAKER_HALF_OPEN] &&
	     told.times[BREAKER_RAMP], "the breaker opens, tries and comes back");
	tell(told.detected && told.slowest_ns <= DETECT_NS, "it opens within 6 s");
	tell(told.longest_ns[BREAKER_HALF_OPEN] <= breaker_limits_default.lease_ns + NS_PER_S &&
	     told.longest_ns[BREAKER_OPEN] <= BACK_NS, "it is stuck in no state");
	tell(told.extra > 0, "calls were tried again");
	tell(told.extra <= told.out / 10 + seconds + 10, "within the budget");
	tell(back_ns < BACK_NS, "and comes back once all is well");
	return 0;
}
