#include "workers/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/stack.h"
#include "workers/worker_life.h"

#define LAST_WORDS_NS NS_PER_S	/* at most, to write what is queued at the end */

/* ---- beats ---- */

void life_beat(struct life *life, enum beat_kind kind, uint64_t value)
{
	const struct beat beat = { .kind = kind, .value = value };

	if (send(life->beat.fd, &beat, sizeof(beat),
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		life_leave(life, 0, NULL);
}

void life_beat_if_due(struct life *life, int64_t now_ns)
{
	if (now_ns < life->beat_due_ns)
		return;
	life->beat_due_ns = now_ns + BEAT_INTERVAL_NS;
	life_beat(life, BEAT_ALIVE, life->turns);
}

void worker_beat_still(struct worker *worker)
{
	life_beat_if_due((struct life *)worker, clock_now_ns());
}

void worker_busy_until(struct worker *worker, int64_t until_ns)
{
	life_beat((struct life *)worker, BEAT_BUSY_UNTIL, (uint64_t)until_ns);
}

/* Ends a call beyond its deadline; returns when to look again. */
static int64_t expire(struct worker_call *call, int64_t now_ns)
{
	if (call->stop != ERROR_OK)
		return DEADLINE_NEVER;
	if (!deadline_passed(call->deadline_ns, now_ns))
		return call->deadline_ns;
	call_stop(call, ERROR_DEADLINE_EXCEEDED);
	return DEADLINE_NEVER;
}

static int64_t wake(struct worker_call *call, int64_t now_ns)
{
	if (call->wake_ns == 0 || call->state_ != CALL_SERVED)
		return DEADLINE_NEVER;
	if (now_ns >= call->wake_ns) {
		call->wake_ns = 0;
		call->tool->woken(call);
	}
	return call->wake_ns ? call->wake_ns : DEADLINE_NEVER;
}

/* Each call's own times; returns the nearest that is left. */
static int64_t look_at_calls(struct life *life, int64_t now_ns)
{
	int64_t nearest_ns = DEADLINE_NEVER;
	struct list *link = life->calls.next;

	while (link != &life->calls) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		link = link->next;
		nearest_ns = deadline_earlier(nearest_ns, wake(call, now_ns));
		if (call->state_ != CALL_KEPT)
			nearest_ns = deadline_earlier(nearest_ns,
						      expire(call, now_ns));
	}
	return nearest_ns;
}

static void cancel_all(struct life *life)
{
	struct list *link = life->calls.next;

	while (link != &life->calls) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		link = link->next;
		call_stop(call, ERROR_CANCELLED);
	}
}

/* Returns when to ask again. */
static int64_t say_taken(struct life *life, int64_t now_ns)
{
	if (life->taken_ns == 0 || now_ns < life->taken_ns)
		return life->taken_ns ? life->taken_ns : DEADLINE_NEVER;
	life->taken_ns = 0;
	life_beat(life, BEAT_TAKEN, 0);
	return DEADLINE_NEVER;
}

/* Not beside calls, unless these never end. Returns when to ask again. */
static int64_t use_pause(struct life *life, int64_t now_ns)
{
	const struct worker_program *program = life->worker.program;
	bool pause = list_is_empty(&life->calls);

	if (!program->idle || life->serving || life->draining)
		return DEADLINE_NEVER;
	if (now_ns >= deadline_after(life->idle_ns, pause ? 0 : LIFE_IDLE_MOST_NS))
		life->idle_ns = program->idle(&life->worker, now_ns);
	return pause ? life->idle_ns : DEADLINE_NEVER;
}

void life_tick(struct life *life, int64_t now_ns)
{
	bool outer = life->busy;
	int64_t nearest_ns;

	life->busy = true;
	life_beat_if_due(life, now_ns);
	if (life->draining && now_ns >= life->drain_ns) {
		life->drain_ns = DEADLINE_NEVER;
		cancel_all(life);
	}
	nearest_ns = deadline_earlier(look_at_calls(life, now_ns),
				      life->beat_due_ns);
	nearest_ns = deadline_earlier(nearest_ns, say_taken(life, now_ns));
	nearest_ns = deadline_earlier(nearest_ns, use_pause(life, now_ns));
	if (life->away_ns && now_ns >= life->away_ns)
		life_leave(life, 0, NULL);
	else if (life->away_ns)
		nearest_ns = deadline_earlier(nearest_ns, life->away_ns);
	if (life->draining)
		nearest_ns = deadline_earlier(nearest_ns, life->drain_ns);
	loop_set_wakeup(&life->loop, nearest_ns);
	life->busy = outer;
}

/* ---- the loop's handlers ---- */

static void on_wakeup(void *owner, int64_t now_ns)
{
	struct life *life = owner;

	life->turns++;
	life_tick(life, now_ns);
	link_turn(life);
}

static void on_link(void *owner, uint32_t events, int64_t now_ns)
{
	struct life *life = owner;

	(void)events;
	link_turn(life);
	life_tick(life, now_ns);
}

static void on_beat(void *owner, uint32_t events, int64_t now_ns)
{
	struct life *life = owner;

	(void)events;
	link_hear_monitor(life);
	link_turn(life);
	life_tick(life, now_ns);
}

static void on_signal(void *owner, const struct signalfd_siginfo *signal,
		      int64_t now_ns)
{
	(void)signal;
	(void)now_ns;
	life_leave(owner, 0, NULL);
}

/* ---- leaving ---- */

void life_leave(struct life *life, int exit_code, const char *reason)
{
	if (life->leaving && (life->exit_code || !exit_code))
		return;
	life->leaving = true;
	life->exit_code = exit_code;
	loop_stop(&life->loop);
	if (reason)
		log_write(&life->worker.log, LEVEL_ERROR, "the worker leaves",
			  LOG_FIELDS(log_text("reason", reason)));
}

static void write_last_words(struct life *life)
{
	int64_t until_ns = clock_now_ns() + LAST_WORDS_NS;

	while (link_write(life) == -EAGAIN && clock_now_ns() < until_ns)
		usleep(1000);
}

/* ---- starting ---- */

/* The descriptors are ours; what a tool starts must not have them. */
static int take_descriptors(struct error *why)
{
	for (int fd = WORKER_LINK_FD; fd < WORKER_DESCRIPTORS_END; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && fd <= WORKER_BEAT_FD)
			return error_set(why, -EBADF,
					 "descriptor %d is not open: a worker is started by cupeld(8)",
					 fd);
	return 0;
}

static int agree(struct life *life, struct error *why)
{
	const struct worker_program *program = life->worker.program;
	const struct worker_contract *contract = program->contract;

	if (program->tool_count == 1 && !program->tools->name)
		return 0;	/* it serves every name */
	if (contract->count != program->tool_count)
		return error_set(why, -EINVAL, "%zu tools, and %zu in the manifest",
				 program->tool_count, contract->count);
	for (size_t i = 0; i < program->tool_count; i++) {
		size_t row = 0;

		while (row < contract->count && strcmp(program->tools[i].name,
						       contract->promises[row].name) != 0)
			row++;
		if (row == contract->count)
			return error_set(why, -EINVAL, "%s is not in the manifest",
					 program->tools[i].name);
	}
	return 0;
}

static int load_schemas(struct life *life, struct error *why)
{
	const struct worker_contract *contract = life->worker.program->contract;
	const struct json_limits limits = { 1U << 20, 32 };
	int r = 0;

	life->schemas = calloc(contract->count, sizeof(json_t *));
	if (!life->schemas)
		return error_set(why, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < contract->count; i++)
		r = json_parse(span_of_text(contract->promises[i].schema), limits,
			       &life->schemas[i], why);
	return r;
}

static int watch(struct life *life, struct error *why)
{
	sigset_t terminate;
	int r;

	life->link = (struct loop_source){ WORKER_LINK_FD, on_link, life,
					   LOOP_CHANNELS };
	life->beat = (struct loop_source){ WORKER_BEAT_FD, on_beat, life,
					   LOOP_CHANNELS };
	life->link_events = EPOLLIN;
	r = loop_init(&life->loop, on_wakeup, life, why);
	if (r == 0)
		r = loop_add(&life->loop, &life->link, life->link_events, why);
	if (r == 0)
		r = loop_add(&life->loop, &life->beat, EPOLLIN, why);
	sigemptyset(&terminate);
	sigaddset(&terminate, SIGTERM);
	return r < 0 ? r : loop_handle_signals(&life->loop, &terminate,
					       on_signal, why);
}

static int announce(struct life *life, struct error *why)
{
	const struct worker_program *program = life->worker.program;
	int r = link_hello(life, why);

	life_beat(life, BEAT_HELLO, !program->client);
	if (r == 0 && program->start)
		r = program->start(&life->worker, why);
	if (r == 0 && program->self_test)
		r = program->self_test(&life->worker, why);
	return r;
}

static void init(struct life *life, const struct worker_program *program)
{
	static uint8_t in[FRAME_BYTES_MAX], out[LIFE_OUT_BYTES];
	struct buffer buffers[2];

	buffer_init(&buffers[0], in, sizeof(in));
	buffer_init(&buffers[1], out, sizeof(out));
	channel_init(&life->channel, WORKER_LINK_FD, WORKER_TO_ROUTER,
		     buffers[0], buffers[1]);
	life->worker.program = program;
	life->worker.loop = &life->loop;
	list_init(&life->calls);
	list_init(&life->kept);
	list_init(&life->free);
	json_object_seed(0);
	log_init(&life->worker.log, program->name, LEVEL_INFO,
		 (struct log_sink){ .fd = STDERR_FILENO });
}

static int fail(struct life *life, int exit_code, const struct error *why)
{
	log_write(&life->worker.log, LEVEL_ERROR, "the worker cannot start",
		  LOG_FIELDS(log_text("reason", why->text)));
	return exit_code;
}

int worker_main(const struct worker_program *program)
{
	static struct life life;
	struct error why = { 0 };

	init(&life, program);
	signal(SIGPIPE, SIG_IGN);
	crash_init();
	if (take_descriptors(&why) < 0 || agree(&life, &why) < 0 ||
	    load_schemas(&life, &why) < 0)
		return fail(&life, WORKER_EXIT_CONTRACT, &why);
	if (watch(&life, &why) < 0 || announce(&life, &why) < 0)
		return fail(&life, WORKER_EXIT_BROKEN, &why);
	life.idle_ns = clock_now_ns() + LIFE_IDLE_NS;
	life_tick(&life, clock_now_ns());
	stack_forget();		/* it may wait for long */
	malloc_trim(0);
	if (!life.leaving && loop_run(&life.loop, &why) < 0)
		life_leave(&life, WORKER_EXIT_BROKEN, why.text);
	life.busy = true;
	cancel_all(&life);
	write_last_words(&life);
	if (program->stop)
		program->stop(&life.worker);
	return life.exit_code;
}
