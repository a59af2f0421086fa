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
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/core/error_code.h"
#include "common/core/random.h"
#include "common/json.h"
#include "common/wire/client.h"

#define WORKER "cupel-echo"
#define HAVEN "haven"
#define ROUTER "cupel-router"
#define LINKS 4
#define IN_FLIGHT 8		/* on each */
#define ROUTER_NS (20 * NS_PER_S)	/* more deaths than that cool it down, too */
#define PIDS_MAX 512
#define POOLS_MAX 16
#define LATE_NS (3 * NS_PER_S)	/* 2 s are promised, one is the test's own */
#define FLOOD_BYTES_MAX 600000
#define PATIENCE_MS 20		/* of what a refusal asks for */
#define RENEW_NS (500 * NS_PER_MS)	/* a pool that serves nobody; doubling */
#define DEAD_NS (60 * NS_PER_S + 20 * boot_ns)	/* so long, and it counts as dead */
#define BLOWS_LEAST 10
#define LONGER 4

enum fault {
	FAULT_KILL, FAULT_STOP, FAULT_ROUTER, FAULT_CRASH, FAULT_HANG,
	FAULT_FLOOD, FAULT_CANCEL, FAULT_LINK, FAULT_FAIL, FAULT_DEADLINE,
	FAULT_COUNT
};

static const char *const fault_names[FAULT_COUNT] = {
	"workers killed", "workers stopped", "routers killed",
	"workers told to crash", "workers told to hang", "floods",
	"calls cancelled", "links lost", "calls told to fail",
	"calls with too short a time",
};

/* A row per kind of call; the texts take one number. */
static const struct kind {
	const char *method, *arguments;
	uint64_t most;		/* of the number */
	unsigned weight;
	int fault;		/* -1: it is none */
	bool effect;
} kinds[] = {
	{ "", "{\"number\":%llu}", 1000000, 30, -1, false },
	{ ".sleep", "{\"ms\":%llu}", 60, 20, -1, false },
	{ ".burn", "{\"ms\":%llu}", 4, 6, -1, false },
	{ ".progress", "{\"steps\":3,\"ms\":%llu}", 10, 4, -1, false },
	{ ".effect", "{\"token\":\"%s\",\"ms\":%llu}", 25, 25, -1, true },
	{ ".flood", "{\"bytes\":%llu}", FLOOD_BYTES_MAX, 6, FAULT_FLOOD, false },
	{ ".crash", "{\"signal\":11,\"phase\":%llu}", 200, 1, FAULT_CRASH, false },
	{ ".crash", "{\"exit\":3,\"accept\":false,\"phase\":%llu}", 200, 1, FAULT_CRASH, false },
	{ ".hang", "{\"ms\":%llu}", 400, 2, FAULT_HANG, false },
	{ ".hang", "{\"beats\":\"alive\",\"ms\":%llu}", 9000, 1, FAULT_HANG, false },
	{ ".fail", "{\"code\":2,\"reason\":\"%llu\"}", 9, 2, FAULT_FAIL, false },
	{ ".fail", "{\"code\":14,\"busy\":true,\"reason\":\"%llu\"}", 9, 2, FAULT_FAIL, false },
};

struct pending {
	bool used;
	int64_t again_ns;	/* unused until then */
	uint64_t id;
	const struct kind *kind;
	uint64_t number, token;
	bool accepted, haven;
	bool fair;			/* nothing we do keeps it from ending well */
	int64_t deadline_ns, cancel_ns;
	size_t received;
	bool torn;		/* a byte was not what it must be */
	char tool[32];
	unsigned pool;
	uint8_t input[256];
	size_t input_length;
};

struct link {
	struct client client;
	bool open;
	int64_t opened_ns, again_ns;
	struct pending calls[IN_FLIGHT];
};

struct stopped {
	pid_t pid;
	int64_t until_ns;
};

static struct link links[LINKS];
static struct stopped stopped[8];
static struct random chance;
static uint64_t fired[FAULT_COUNT], ends[ERROR_CODE_COUNT];
static uint64_t fair_calls, fair_well;
static uint64_t served[POOLS_MAX], blows[POOLS_MAX];
static struct {
	int64_t from_ns, to_ns, longest_ns;	/* to 0: it goes on */
} outage = { 0, 1, 0 };		/* the router's last */
static int64_t began_ns;
static uint64_t started_calls, ended_calls, tokens, violations, late_calls, havens;
static int64_t boot_ns;
static const char *socket_path;
static pid_t supervisor;
static unsigned pools;
static FILE *token_file;

static void violated(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static void violated(const char *format, ...)
{
	va_list list;

	if (violations++ >= 20)
		return;
	va_start(list, format);
	printf("# violated at %lld ms: ", (long long)((clock_now_ns() - began_ns) / NS_PER_MS));
	vprintf(format, list);
	putchar('\n');
	va_end(list);
}

static uint64_t below(uint64_t limit)
{
	return random_below(&chance, limit);
}

static bool one_in(uint64_t n)
{
	return below(n) == 0;
}

/* ---- processes ---- */

static bool is_named(pid_t pid, const char *name)
{
	char path[64], comm[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

/* Of that name, below a process. */
static size_t find_below(pid_t pid, const char *name, pid_t *ret, size_t count)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		if (is_named(child, name) && count < PIDS_MAX)
			ret[count++] = child;
		count = find_below(child, name, ret, count);
	}
	if (file)
		fclose(file);
	return count;
}

/* A worker is called by its pool. */
static bool is_called(pid_t pid, const char *wanted)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fread(name, 1, sizeof(name) - 1, file) == 0)
		name[0] = '\0';
	fclose(file);
	return strcmp(name, wanted) == 0;
}

static bool is_of_pool(pid_t pid, unsigned pool)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "storm%u", pool);
	return is_called(pid, wanted);
}

/* 0 if there is none, or it is one to be let alone. */
static pid_t any_process(const char *name)
{
	pid_t pids[PIDS_MAX];
	size_t count = find_below(supervisor, name, pids, 0);
	pid_t pid = count ? pids[below(count)] : 0;

	return pid && is_called(pid, HAVEN) ? 0 : pid;
}

static unsigned kill_workers(unsigned pool, unsigned most)
{
	pid_t pids[PIDS_MAX];
	size_t count = find_below(supervisor, WORKER, pids, 0);
	unsigned killed = 0;

	for (size_t i = 0; i < count && killed < most; i++)
		if (is_of_pool(pids[i], pool) && kill(pids[i], SIGKILL) == 0)
			killed++;
	fired[FAULT_KILL] += killed;
	return killed;
}

static void kill_router(void)
{
	pid_t pid = any_process(ROUTER);

	if (pid <= 0 || kill(pid, SIGKILL) < 0)
		return;
	fired[FAULT_ROUTER]++;
	outage.from_ns = clock_now_ns();
	outage.to_ns = 0;
}

static void end_outage(int64_t now_ns)
{
	outage.to_ns = now_ns;
	if (now_ns - outage.from_ns > outage.longest_ns)
		outage.longest_ns = now_ns - outage.from_ns;
}

/* How long, from then on, there was no router. */
static int64_t away_ns(int64_t from_ns, int64_t now_ns)
{
	int64_t to_ns = outage.to_ns ? outage.to_ns : now_ns;

	from_ns = from_ns > outage.from_ns ? from_ns : outage.from_ns;
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

static void stop_one(int64_t now_ns)
{
	for (size_t i = 0; i < sizeof(stopped) / sizeof(stopped[0]); i++) {
		if (stopped[i].pid)
			continue;
		stopped[i].pid = any_process(WORKER);
		if (stopped[i].pid <= 0 || kill(stopped[i].pid, SIGSTOP) < 0) {
			stopped[i].pid = 0;
			return;
		}
		stopped[i].until_ns = now_ns + (int64_t)below(one_in(4) ? 12000 : 400) * NS_PER_MS;
		fired[FAULT_STOP]++;
		return;
	}
}

/* Each at its time. */
static void continue_all(int64_t now_ns)
{
	for (size_t i = 0; i < sizeof(stopped) / sizeof(stopped[0]); i++)
		if (stopped[i].pid && now_ns >= stopped[i].until_ns) {
			if (is_named(stopped[i].pid, WORKER))
				kill(stopped[i].pid, SIGCONT);
			stopped[i].pid = 0;
		}
}

/* ---- calls ---- */

static const struct kind *choose_kind(void)
{
	unsigned sum = 0, at;
	const struct kind *kind = kinds;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += kinds[i].weight;
	for (at = (unsigned)below(sum); at >= kind->weight; kind++)
		at -= kind->weight;
	return kind;
}

static void pack_input(struct pending *call)
{
	char text[200], token[32];
	json_t *json = NULL;
	struct error why;
	int r;

	snprintf(token, sizeof(token), "storm-%llu", (unsigned long long)call->token);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (call->kind->effect)
		snprintf(text, sizeof(text), call->kind->arguments, token,
			 (unsigned long long)call->number);
	else
		snprintf(text, sizeof(text), call->kind->arguments,
			 (unsigned long long)call->number);
#pragma GCC diagnostic pop
	r = json_parse(span_of_text(text), (struct json_limits){ 4096, 8 }, &json, &why);
	if (r == 0)
		r = convert_from_json(json, call->input, sizeof(call->input), &why);
	if (r < 0) {
		printf("not ok - %s: %s\n", text, why.text);
		exit(1);
	}
	json_decref(json);
	call->input_length = (size_t)r;
}

static void start_call(struct link *link, struct pending *call, int64_t now_ns)
{
	const struct kind *kind = choose_kind();
	bool haven = kind->fault < 0 && one_in(4);
	bool hurried = one_in(20);
	struct error why;

	*call = (struct pending){ .kind = kind, .number = below(kind->most) + 1,
				  .haven = haven };
	if (kind->effect)
		call->token = ++tokens;
	call->deadline_ns = now_ns + (hurried ? (int64_t)below(20) + 1 :
				      (int64_t)below(4000) + 300) * NS_PER_MS;
	if (one_in(15))
		call->cancel_ns = now_ns + (int64_t)below(30) * NS_PER_MS;
	call->pool = (unsigned)below(pools);
	call->fair = !haven && !hurried && !call->cancel_ns &&
		     (kind->fault < 0 || kind->fault == FAULT_FLOOD);
	if (haven)
		snprintf(call->tool, sizeof(call->tool), HAVEN "%s", kind->method);
	else
		snprintf(call->tool, sizeof(call->tool), "storm%u%s", call->pool,
			 kind->method);
	pack_input(call);
	const struct client_ask ask = {
		.tool = call->tool,
		.input = { call->input, call->input_length },
		.deadline_ns = call->deadline_ns,
		.priority = (uint32_t)below(8),
	};

	if (client_call(&link->client, &ask, &call->id, &why) < 0) {
		if (kind->effect)
			fprintf(token_file, "storm-%llu never\n", (unsigned long long)call->token);
		return;
	}
	call->used = true;
	started_calls++;
	if (kind->fault >= 0)
		fired[kind->fault]++;
	if (hurried)
		fired[FAULT_DEADLINE]++;
}

static struct pending *find_call(struct link *link, uint64_t id)
{
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (link->calls[i].used && link->calls[i].id == id)
			return &link->calls[i];
	return NULL;
}

static void take_chunk(struct pending *call, struct span body)
{
	size_t at = call->received % 65536;

	for (size_t i = 0; i < body.length; i++, at = (at + 1) % 65536)
		if (body.data[i] != 'a' + at % 26)
			call->torn = true;
	call->received += body.length;
}

/* Never: only what certainly was not executed. */
static const char *effect_of(const struct pending *call, int code,
			     enum error_origin origin)
{
	if (code == ERROR_OK)
		return "once";
	if (code == ERROR_CRASH_NOT_STARTED || code == ERROR_BREAKER_OPEN ||
	    code == ERROR_QUEUE_FULL || code == ERROR_SHED ||
	    code == ERROR_DRAINING || code == ERROR_POISON)
		return "never";
	(void)call;
	(void)origin;
	return "maybe";
}

static void take_result(struct pending *call, const struct client_event *event,
			int64_t now_ns)
{
	unsigned code = event->result.code;
	int64_t away = away_ns(call->deadline_ns, now_ns);
	int64_t late_ns = now_ns - call->deadline_ns - away;
	bool is_flood = strcmp(call->kind->method, ".flood") == 0;

	ended_calls++;
	ends[code < ERROR_CODE_COUNT ? code : ERROR_UNKNOWN]++;
	served[call->pool] += code == ERROR_OK && !call->haven;
	/* Refusals cost nothing: how many there are depends on the machine. */
	fair_calls += call->fair && code != ERROR_SHED && code != ERROR_BREAKER_OPEN;
	fair_well += call->fair && code == ERROR_OK;
	if (late_ns > LATE_NS ||
	    (event->result.origin == ORIGIN_CLIENT && code == ERROR_DEADLINE_EXCEEDED && !away)) {
		late_calls++;
		printf("# late: %s, by %lld ms\n", call->tool, (long long)(late_ns / NS_PER_MS));
	}
	if (code == ERROR_INVALID_ARGUMENT || code == ERROR_NOT_FOUND ||
	    code == ERROR_UNIMPLEMENTED || code == ERROR_PROTOCOL || code == ERROR_INTERNAL)
		violated("%s: %s: %.*s", call->tool, error_row((int)code)->name,
			 (int)event->result.reason.length, event->result.reason.data);
	if (code == ERROR_OK && is_flood &&
	    (call->received != call->number || call->torn))
		violated("%s: %zu bytes of %llu%s", call->tool, call->received,
			 (unsigned long long)call->number, call->torn ? ", torn" : "");
	if (code == ERROR_OK && !is_flood && strcmp(call->kind->method, ".burn") != 0 &&
	    strcmp(call->kind->method, ".progress") != 0 &&
	    !span_equal(event->body, (struct span){ call->input, call->input_length }))
		violated("%s: the answer of another call", call->tool);
	if (code == ERROR_OK &&
	    (call->kind->fault == FAULT_FAIL || call->kind->fault == FAULT_CRASH))
		violated("%s: ended well", call->tool);
	if (call->haven && (code == ERROR_UNAVAILABLE || code == ERROR_DATA_LOSS ||
			    code == ERROR_CRASH_OUTCOME_UNKNOWN ||
			    code == ERROR_CRASH_NOT_STARTED))
		violated("%s: lost, with a router: %s: %.*s", call->tool,
			 error_row((int)code)->name, (int)event->result.reason.length,
			 event->result.reason.data);
	havens += call->haven && code == ERROR_OK;
	if (call->kind->effect)
		fprintf(token_file, "storm-%llu %s\n", (unsigned long long)call->token,
			effect_of(call, (int)code, (enum error_origin)event->result.origin));
	call->used = false;
	if (event->result.retry_after_ms > 0)
		call->again_ns = now_ns + NS_PER_MS *
			(event->result.retry_after_ms < PATIENCE_MS ?
			 event->result.retry_after_ms : PATIENCE_MS);
}

static void take_event(struct link *link, const struct client_event *event,
		       int64_t now_ns)
{
	struct pending *call;

	if (event->call == 0)
		return;
	call = find_call(link, event->call);
	if (!call) {
		violated("a word about a call that is over");
		return;
	}
	if (event->kind == CLIENT_ACCEPTED)
		call->accepted = true;
	else if (event->kind == CLIENT_CHUNK)
		take_chunk(call, event->body);
	else if (event->kind == CLIENT_RESULT)
		take_result(call, event, now_ns);
}

/* ---- links ---- */

/* A descriptor, or a negative errno. */
static int connect_to_router(void *owner)
{
	struct link *link = owner;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	link->opened_ns = clock_now_ns();
	return fd;
}

static bool open_link(struct link *link)
{
	int fd = connect_to_router(link);

	if (fd < 0)
		return false;
	link->open = client_init(&link->client, fd, "storm", NULL) == 0;
	client_reconnect_by(&link->client, connect_to_router, link);
	return link->open;
}

/* After the loss each call has ended: the client has seen to it. */
static void close_link(struct link *link, int64_t now_ns)
{
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (link->calls[i].used) {
			violated("%s: no result on a lost link", link->calls[i].tool);
			link->calls[i].used = false;
		}
	client_release(&link->client);
	link->open = false;
	link->again_ns = now_ns + 20 * NS_PER_MS;
}

/* Gone without a word; what becomes of its calls is not told any more. */
static void drop_link(struct link *link, int64_t now_ns)
{
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct pending *call = &link->calls[i];

		if (call->used && call->kind->effect)
			fprintf(token_file, "storm-%llu maybe\n", (unsigned long long)call->token);
		if (call->used)
			ended_calls++;
		call->used = false;
	}
	fired[FAULT_LINK]++;
	close_link(link, now_ns);
}

static void serve_link(struct link *link, int64_t now_ns, bool calls)
{
	struct client_event event;
	int r;

	if (!link->open && now_ns < link->again_ns)
		return;
	if (!link->open && !open_link(link)) {
		link->again_ns = now_ns + 20 * NS_PER_MS;
		return;
	}
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct pending *call = &link->calls[i];

		if (!call->used && calls && now_ns >= call->again_ns)
			start_call(link, call, now_ns);
		if (call->used && call->cancel_ns && now_ns >= call->cancel_ns) {
			client_cancel(&link->client, call->id);
			call->cancel_ns = 0;
			fired[FAULT_CANCEL]++;
		}
	}
	while ((r = client_next(&link->client, clock_now_ns(), &event)) == 0)
		take_event(link, &event, clock_now_ns());
	if (!outage.to_ns && link->client.welcome && !link->client.away &&
	    link->opened_ns > outage.from_ns)
		end_outage(clock_now_ns());
	if (r != -EAGAIN) {
		if (r != -EPIPE)
			violated("a link ended: %s", link->client.why.text);
		else
			printf("# a link was closed: %s\n", link->client.why.text);
		/* The rest of the results, made by the client. */
		while (client_next(&link->client, clock_now_ns(), &event) == 0)
			take_event(link, &event, clock_now_ns());
		close_link(link, now_ns);
	}
}

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
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
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
		.hasty = one_in(3), .served = served[pool], .begun_ns = now_ns,
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
	} else if ((target->hasty || served[pool] > target->served) &&
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
	for (unsigned i = 0; i < pools; i++)
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
		if (fired[i] == 0)
			return false;
	return true;
}

static bool all_hit(void)
{
	for (unsigned i = 0; i < pools; i++)
		if (blows[i] < BLOWS_LEAST)
			return false;
	return true;
}

static void storm(int64_t seconds, uint64_t kills)
{
	int64_t now_ns = began_ns = clock_now_ns();
	int64_t least_ns = seconds * NS_PER_S, router_ns = began_ns + least_ns / 6;

	while (now_ns - began_ns < least_ns ||
	       ((fired[FAULT_KILL] < kills || !all_fired()) &&
		now_ns - began_ns < LONGER * least_ns)) {
		for (size_t i = 0; i < LINKS; i++)
			serve_link(&links[i], now_ns, true);
		rage(now_ns, now_ns >= router_ns);
		if (now_ns >= router_ns)
			router_ns = now_ns + ROUTER_NS;
		serve_operator(now_ns);
		wait_for_words();
		now_ns = clock_now_ns();
	}
	printf("# it lasted %lld ms\n", (long long)((now_ns - began_ns) / NS_PER_MS));
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
	for (unsigned i = 0; i < pools; i++)
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

/* ---- what is told ---- */

static void tell(bool good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
}

static void tell_counts(void)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		printf("# %8llu %s\n", (unsigned long long)fired[i], fault_names[i]);
	for (int i = 0; i < ERROR_CODE_COUNT; i++)
		if (ends[i])
			printf("# %8llu calls ended in %s\n",
			       (unsigned long long)ends[i], error_row(i)->name);
}

int main(int argc, char **argv)
{
	const char *seed = getenv("CUPEL_SEED");
	unsigned well = 0;

	if (argc != 8)
		return fputs("usage: storm SUPERVISOR SOCKET POOLS SECONDS KILLS TOKENS BOOT\n",
			     stderr), 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	supervisor = (pid_t)atoi(argv[1]);
	socket_path = argv[2];
	pools = (unsigned)atoi(argv[3]) % (POOLS_MAX + 1);
	boot_ns = atoll(argv[7]) * NS_PER_MS;
	token_file = fopen(argv[6], "we");
	if (!token_file)
		return perror(argv[6]), 66;
	random_init(&chance, seed ? strtoull(seed, NULL, 10) : 1);
	printf("# CUPEL_SEED=%s\n", seed ? seed : "1");
	storm(atoll(argv[4]), strtoull(argv[5], NULL, 10));
	renew_all();
	for (unsigned i = 0; i < pools; i++)
		well += serves_again(&links[0], i);
	fclose(token_file);

	tell_counts();
	tell(all_fired(), "every fault has been seen to fire");
	tell(fired[FAULT_KILL] >= strtoull(argv[5], NULL, 10) ||
	     (all_hit() && clock_now_ns() - began_ns >= LONGER * atoll(argv[4]) * NS_PER_S),
	     "so many workers were killed, or as many as there was time for");
	printf("# away for %lld ms at most, a start of all %s ms\n",
	       (long long)(outage.longest_ns / NS_PER_MS), argv[7]);
	tell(outage.to_ns && outage.longest_ns <= 2 * NS_PER_S + 2 * boot_ns,
	     "a router that was killed was back in time");
	tell(started_calls == ended_calls, "each call has one result");
	printf("# %llu of %llu calls that were taken on, and could, ended well\n",
	       (unsigned long long)fair_well, (unsigned long long)fair_calls);
	tell(fair_well > fair_calls / 5, "of the calls taken on, a fifth ended well");
	tell(late_calls <= started_calls / 1000 * (uint64_t)(boot_ns / NS_PER_S),
	     "each in time, but for what the machine is slow");
	tell(havens > 0, "calls ended well where no worker was touched");
	tell(violations == 0, "no promise was broken");
	tell(well == pools, "every pool serves again");
	tell(kill(supervisor, 0) == 0, "the monitor is the same");
	return 0;
}
