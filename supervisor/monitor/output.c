/* What a process writes to stdout and stderr becomes lines of the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "supervisor/monitor/monitor.h"

#define LINES_MAX 50		/* a second, of one process */
#define READS_LAST 64		/* of a pipe whose writers are dead */

/* The line is the message: so repeats of it are counted, not written. */
static void write_line(struct output *output)
{
	struct log log = output->monitor->log;

	output->text[output->length] = '\0';
	if (output->length > 0) {
		log.component = output->name;
		log_write(&log, output->level, output->text, NULL);
	}
	output->length = 0;
	output->lines++;
}

static void take_text(struct output *output, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n' && text[i] != '\0')
			output->text[output->length++] = text[i];
		if (text[i] == '\n' || output->length == LINE_BYTES - 1)
			write_line(output);
	}
}

static void pause_output(struct monitor *monitor, struct output *output, bool paused)
{
	output->paused = paused;
	loop_modify(&monitor->loop, &output->source, paused ? 0 : EPOLLIN, NULL);
}

/* One read a turn; the rest of a flood waits in the pipe, and its writer too. */
static void read_output(struct monitor *monitor, struct output *output)
{
	char text[4096];
	ssize_t length = read(output->source.fd, text, sizeof(text));

	if (length > 0)
		take_text(output, text, (size_t)length);
	if (output->lines > LINES_MAX)
		pause_output(monitor, output, true);
	if (length == 0 || (length < 0 && errno != EAGAIN))
		output_close(monitor, output);
}

static void on_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct output *output = owner;

	(void)events;
	(void)now_ns;
	read_output(output->monitor, output);
}

int output_open(struct monitor *monitor, struct output *output, const char *name,
		int *ret_theirs, struct error *why)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int ours = ends[0];
	AUTO_CLOSE int theirs = ends[1];

	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return error_set(why, -errno, "fcntl: %s", strerror(errno));
	*output = (struct output){ .source = { .fd = ours, .ready = on_ready,
					       .owner = output },
				    .monitor = monitor, .level = LEVEL_INFO };
	snprintf(output->name, sizeof(output->name), "%s", name);
	int r = loop_add(&monitor->loop, &output->source, EPOLLIN, why);

	if (r < 0) {
		output->source.fd = -1;
		return r;
	}
	fd_take(&ours);
	*ret_theirs = fd_take(&theirs);
	return 0;
}

void output_tick(struct monitor *monitor, struct output *output)
{
	output->lines = 0;
	if (output->source.fd >= 0 && output->paused)
		pause_output(monitor, output, false);
}

void output_close(struct monitor *monitor, struct output *output)
{
	char text[4096];
	ssize_t length;

	if (output->source.fd < 0)
		return;
	for (int n = 0; n < READS_LAST && output->lines <= LINES_MAX; n++) {
		length = read(output->source.fd, text, sizeof(text));
		if (length <= 0)
			break;
		take_text(output, text, (size_t)length);
	}
	if (output->length > 0)
		write_line(output);
	loop_remove(&monitor->loop, &output->source);
	close(output->source.fd);
	output->source.fd = -1;
}
