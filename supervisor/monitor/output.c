/*
 * What a process writes to stdout and stderr becomes lines of the log: a line
 * that is a record stays one, of whoever has written it; any other is a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log_line.h"
#include "supervisor/monitor/monitor.h"

#define LINES_MAX 50		/* a second, of one process */
#define READS_LAST 64		/* of a pipe whose writers are dead */

#define LATE_NS (60 * NS_PER_S)	/* a flood waits in the pipe, but not so long */

/* Its own time if that can be: whoever lies would stand anywhere in the log. */
static void choose_time(struct span said, int64_t now_ns, char ret[CLOCK_TEXT_BYTES])
{
	char earliest[CLOCK_TEXT_BYTES];

	clock_text(now_ns - LATE_NS, earliest);
	clock_text(now_ns, ret);
	if (memcmp(said.data, earliest, said.length) >= 0 &&
	    memcmp(said.data, ret, said.length) <= 0)
		memcpy(ret, said.data, said.length);
}

/* Only what is the same in all fields is a repeat, and counted as such. */
static void tell_apart(const struct log_line *said, char ret[LINE_BYTES])
{
	bool alone = said->fields.length == said->message.length + strlen(",\"msg\":\"\"");
	struct span text = alone ? said->message : said->fields;

	memcpy(ret, text.data, text.length);
	ret[text.length] = '\0';
}

/* Level, message and fields are its own; who it is and when that was, ours. */
static bool write_record(struct output *output, struct log *log)
{
	const struct span text = { (const uint8_t *)output->text, output->length };
	char line[LOG_LINE_BYTES], time[CLOCK_TEXT_BYTES], message[LINE_BYTES];
	struct log_record record = { .wall_ns = clock_wall_ns(), .now_ns = clock_now_ns(),
				     .component = output->name, .message = message };
	char origin[32] = "";
	struct log_line said;
	int length;

	if (log_line_parse(text, &said) < 0)
		return false;
	record.level = said.level;
	tell_apart(&said, message);
	choose_time(said.time, record.wall_ns, time);
	if (output->generation)
		snprintf(origin, sizeof(origin), ",\"generation\":%u", output->generation);
	length = snprintf(line, sizeof(line),
			  "{\"ts\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"pid\":%.*s%s%.*s}\n",
			  time, log_level_name(said.level), output->name,
			  (int)said.pid.length, (const char *)said.pid.data, origin,
			  (int)said.fields.length, (const char *)said.fields.data);
	log_put(log, &record, (struct span){ (const uint8_t *)line, (size_t)length });
	return true;
}

/* The line is the message: so repeats of it are counted, not written. */
static void write_line(struct output *output)
{
	struct log log = output->monitor->log;

	output->text[output->length] = '\0';
	log.component = output->name;
	if (output->length > 0 && !write_record(output, &log))
		log_write(&log, output->level, output->text, NULL);
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

int output_open(struct monitor *monitor, struct output *output, uint32_t generation,
		int *ret_theirs, struct error *why)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int ours = ends[0];
	AUTO_CLOSE int theirs = ends[1];

	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return error_set(why, -errno, "fcntl: %s", strerror(errno));
	output->source = (struct loop_source){ .fd = ours, .ready = on_ready,
					       .owner = output };
	output->monitor = monitor;
	output->generation = generation;
	output->length = output->lines = 0;
	output->paused = false;
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
	loop_close(&monitor->loop, &output->source);
}
