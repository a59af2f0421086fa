/*
 * cupel-router - routes calls between clients and workers.
 *
 * usage: cupel-router [DIRECTORY]
 *
 * Started by cupeld with the descriptors of enum router_descriptor; stderr is
 * its log. DIRECTORY is on the file system whose room its health watches. It
 * confines itself before it reads anything from anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "sandbox/service.h"
#include "supervisor/router/shell.h"

#define ALL_UP_NS (2 * NS_PER_S)	/* the monitor's word of that, at the latest */

static struct shell shell;

/* ---- the core's sink, other than links and control ---- */

static void note(void *owner, const struct router_note *note)
{
	static const enum log_level levels[] = {
		[NOTE_INFO] = LEVEL_INFO, [NOTE_WARNING] = LEVEL_WARNING,
		[NOTE_ERROR] = LEVEL_ERROR,
	};
	struct shell *self = owner;
	struct log_context outer = log_push(&self->log, (struct log_context){
		.call = note->call });

	log_write(&self->log, levels[note->level], note->message,
		  LOG_FIELDS(log_text("name", note->name),
			     log_text("detail", note->detail)));
	log_pop(&self->log, outer);
}

static void leave(void *owner)
{
	struct shell *self = owner;

	loop_stop(&self->loop);
}

/* ---- the turn ---- */

static void on_wakeup(void *owner, int64_t now_ns)
{
	struct shell *self = owner;
	struct router_sample sample;

	self->now_ns = now_ns;
	links_hurry(self);
	links_listen(self, now_ns);
	router_step(self->router, &(struct router_event){ .kind = ROUTER_TICK },
		    now_ns);
	if (now_ns < self->sampler.next_ns)
		return;
	self->sampler.next_ns = now_ns + SAMPLE_NS;
	sample_take(&self->sampler, &sample);
	memcpy(sample.works, self->works, sizeof(sample.works));
	router_step(self->router, &(struct router_event){
		.kind = ROUTER_SAMPLE, .sample = &sample }, now_ns);
}

static void on_settled(void *owner, int64_t now_ns)
{
	struct shell *self = owner;
	int64_t next_ns;

	self->now_ns = now_ns;
	links_settle(self);
	control_flush(self);
	next_ns = deadline_earlier(router_next_ns(self->router),
				   self->listen_ns);
	if (self->again_count > 0 || self->dirty_count > 0)
		next_ns = now_ns;
	loop_set_wakeup(&self->loop, next_ns);
}

/* ---- start ---- */

static int start_router(struct shell *self, struct error *why)
{
	const struct router_size *size = &router_size_default;
	const struct router_sink sink = {
		.owner = self, .send = links_send, .close = links_close,
		.control = control_write, .keep = ledger_keep,
		.keep_breaker = ledger_keep_breaker, .note = note, .leave = leave,
	};
	uint64_t seed;
	void *memory;

	self->catalog = control_map_catalog(ROUTER_CATALOG_FD,
					    &self->catalog_bytes, why);
	if (!self->catalog)
		return -EBADMSG;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return error_set(why, -EIO, "getrandom: %s", strerror(errno));
	memory = mmap(NULL, router_bytes(size), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return error_set(why, -errno, "memory: %s", strerror(errno));
	self->router = router_init(memory, size, self->catalog, &sink, seed,
				   clock_now_ns());
	ledger_open(self, clock_now_ns());
	ledger_recall_breakers(self, clock_now_ns());
	return legacy_open(self, clock_now_ns(), why);
}

static int start_loop(struct shell *self, struct error *why)
{
	int r = loop_init(&self->loop, on_wakeup, self, why);

	if (r < 0)
		return r;
	self->loop.settled = on_settled;
	self->listener = (struct loop_source){
		.fd = ROUTER_LISTEN_FD, .ready = links_accept, .owner = self,
		.phase = LOOP_CHANNELS };
	/* First it is to know who lives: control.c, CONTROL_ALL_UP. */
	self->listen_ns = clock_now_ns() + ALL_UP_NS;
	r = loop_add(&self->loop, &self->listener, 0, why);
	if (r == 0)
		r = control_init(self, why);
	loop_set_wakeup(&self->loop, 1);	/* a first look at everything */
	return r;
}

/* What will be read of the machine was opened right after what we were given. */
static int confine(struct shell *self, struct error *why)
{
	struct service service = { .descriptors_end = ROUTER_DESCRIPTORS_END };

	for (int i = 0; i < SAMPLE_FD_COUNT; i++) {
		if (self->sampler.fds[i] >= (int)service.descriptors_end)
			service.descriptors_end =
				(unsigned)self->sampler.fds[i] + 1;
	}
	return service_confine(&service, why);
}

int main(int argc, char **argv)
{
	struct error why;
	int r;

	log_init(&shell.log, "router", LEVEL_INFO,
		 (struct log_sink){ .fd = STDERR_FILENO });
	/* A terminal's interrupt is for the monitor, who tells us. */
	signal(SIGINT, SIG_IGN);
	shell.owner_uid = geteuid();
	/* The monitor reads so many lines a second: lose one, but never wait. */
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	/* Whoever made it, systemd(1) perhaps: to accept must never wait. */
	fcntl(ROUTER_LISTEN_FD, F_SETFL, O_NONBLOCK);
	sample_open(&shell.sampler, argc > 1 ? argv[1] : NULL);
	r = confine(&shell, &why);
	if (r == 0)
		r = links_init(&shell, &why);
	if (r == 0)
		r = start_router(&shell, &why);
	if (r == 0)
		r = start_loop(&shell, &why);
	if (r == 0)
		r = loop_run(&shell.loop, &why);
	if (r < 0) {
		log_write(&shell.log, LEVEL_CRITICAL, "the router ends",
			  LOG_FIELDS(log_text("reason", why.text)));
		return 1;
	}
	links_settle(&shell);
	return shell.exit_status;
}
