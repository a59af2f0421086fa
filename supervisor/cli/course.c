#include "supervisor/cli/course.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/convert.h"
#include "common/text.h"
#include "supervisor/cli/grid.h"

#define QUIET_NS NS_PER_S	/* before there is a progress line */
#define REDRAW_NS (NS_PER_S / 5)
#define LINE_COLUMNS 79

void course_release(struct course *course)
{
	answer_release(&course->answer);
	answer_release(&course->streams[1]);
	answer_release(&course->streams[2]);
}

/* ---- progress, on a terminal ---- */

static void clear_line(struct course *course)
{
	if (course->line_shown)
		fputs("\r\033[K", stderr);
	course->line_shown = false;
}

/* Of the budget, or of this step if it goes on as it did. */
static void time_left(const struct course *course, int64_t now_ns, char ret[40])
{
	const struct message_progress *progress = &course->progress;
	double left = (double)(course->budget_ns - (now_ns - course->started_ns));

	ret[0] = '\0';
	if (!course->budget_ns && progress->done && progress->done < progress->total)
		left = (double)(now_ns - course->step_ns) *
		       (double)(progress->total - progress->done) / (double)progress->done;
	else if (!course->budget_ns)
		return;
	snprintf(ret, 40, ", %s%s left", course->budget_ns ? "" : "~",
		 quantity_age(left / NS_PER_S).text);
}

/* "improve: 1m02s, 3m58s left, 37 %, +31.0 % (24.1 to 38.3), pair 22, level: 2 to 3" */
static void draw_line(struct course *course, int64_t now_ns)
{
	int64_t spent_ns = now_ns - course->started_ns;
	char line[200], left[40], share[32] = "";

	if (!course->shows_progress || spent_ns < QUIET_NS)
		return;
	time_left(course, now_ns, left);
	if (course->progress.total)
		snprintf(share, sizeof(share), ", %.0f %%", 100.0 *
			 (double)course->progress.done / (double)course->progress.total);
	int used = snprintf(line, sizeof(line), "%s%.40s: %s%s%s%s",
			    course->cancelled ? "cancelling " : "", course->name,
			    quantity_age((double)spent_ns / NS_PER_S).text, left, share,
			    course->note[0] ? ", " : "");

	fprintf(stderr, "\r%s%.*s\033[K", line,
		used < LINE_COLUMNS ? LINE_COLUMNS - used : 0, course->note);
	fflush(stderr);
	course->line_shown = true;
}

static void on_progress(struct course *course, const struct message_progress *progress)
{
	struct span note = { (const uint8_t *)progress->note.data, progress->note.length };

	if (progress->total != course->progress.total || progress->done < course->progress.done)
		course->step_ns = clock_now_ns();
	course->progress = *progress;
	text_escape(note, course->note, sizeof(course->note));
}

/* ---- what comes back ---- */

static int on_chunk(struct course *course, const struct client_event *event)
{
	if (event->stream == 0)
		return answer_append(&course->answer, event->body);
	if (!course->passes_on)
		return answer_append(&course->streams[event->stream], event->body);
	clear_line(course);
	FILE *out = event->stream == 1 ? stdout : stderr;

	fwrite(event->body.data, 1, event->body.length, out);
	fflush(out);
	return 0;
}

static int on_event(struct course *course, const struct client_event *event)
{
	int r = 0;

	if (event->call != course->call)
		return 0;
	if (event->kind == CLIENT_ACCEPTED)
		course->accepted = true;
	else if (event->kind == CLIENT_PROGRESS)
		on_progress(course, &event->progress);
	else if (event->kind == CLIENT_CHUNK)
		r = on_chunk(course, event);
	else if (event->kind == CLIENT_RESULT) {
		r = answer_append(&course->answer, event->body);
		answer_take(&course->answer, event);
		course->over = true;
	}
	return r;
}

/* The first asks for the end; false at the second: leave. */
static bool on_interrupt(struct course *course, int signal_fd)
{
	struct signalfd_siginfo signal;

	if (read(signal_fd, &signal, sizeof(signal)) < 0 || course->cancelled)
		return !course->cancelled;
	course->cancelled = true;
	client_cancel(course->client, course->call);
	clear_line(course);
	fputs("cupel: cancelling; once more to leave at once\n", stderr);
	return true;
}

static int follow(struct course *course, int signal_fd, struct error *why)
{
	struct client_event event;

	while (!course->over && !(course->leaves && course->accepted)) {
		int64_t now_ns = clock_now_ns();
		int r = client_wait(course->client, signal_fd,
				    course->shows_progress ?
				    deadline_after(now_ns, REDRAW_NS) : DEADLINE_NEVER, &event);

		if (r == -EINTR && !on_interrupt(course, signal_fd))
			return error_set_code(why, r, ERROR_CANCELLED,
					      "left before the call had ended");
		if (r == 0)
			r = on_event(course, &event);
		else if (r == -EINTR || r == -ETIMEDOUT)
			r = 0;
		if (r < 0)
			return error_set(why, r, "%s", course->client->why.text[0] ?
					 course->client->why.text : strerror(-r));
		draw_line(course, clock_now_ns());
	}
	return 0;
}

/* ---- the call ---- */

/* From here on they are ours to read. */
static int block_signals(struct error *why)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_set(why, -errno, "signalfd: %s", strerror(errno)) : fd;
}

int course_run(struct course *course, struct client *client,
	       const struct client_ask *ask, struct error *why)
{
	course->client = client;
	course->started_ns = course->step_ns = clock_now_ns();
	int r = client_call(client, ask, &course->call, why);

	if (r < 0)
		return r;
	AUTO_CLOSE int signal_fd = block_signals(why);

	r = signal_fd < 0 ? signal_fd : follow(course, signal_fd, why);
	clear_line(course);
	return r;
}

int course_pack(json_t *json, uint8_t **ret, size_t *ret_length,
		struct error *why)
{
	size_t text = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t room = 3 * text + 64;	/* "1e5," becomes nine bytes */
	int r;

	*ret = malloc(room);
	r = *ret ? convert_from_json(json, *ret, room, why) :
		   error_set(why, -ENOMEM, "out of memory");
	if (r >= 0)
		*ret_length = (size_t)r;
	return r < 0 ? r : 0;
}

static int result_json(const struct course *course, json_t **ret, struct error *why)
{
	const struct answer *answer = &course->answer;
	const struct span bytes = { (const uint8_t *)answer->text, answer->length };

	if (answer->code != ERROR_OK) {
		error_set_code(why, -EPROTO, answer->code, "%s", answer->reason[0] ?
			       answer->reason : error_row((int)answer->code)->name);
		why->origin = answer->origin;
		return -EPROTO;
	}
	return convert_to_json(bytes, ret, why);
}

int course_ask(struct course *course, struct client *client, const char *tool,
	       uint32_t workspace, json_t *arguments, int64_t timeout_ns,
	       json_t **ret, struct error *why)
{
	AUTO_FREE uint8_t *input = NULL;
	struct client_ask ask = { .tool = tool, .workspace = workspace };
	int r = arguments ? course_pack(arguments, &input, &ask.input.length, why) :
			    error_set(why, -ENOMEM, "out of memory");

	json_decref(arguments);
	ask.input.data = input;
	ask.deadline_ns = timeout_ns ? deadline_after(clock_now_ns(), timeout_ns) :
				       DEADLINE_NEVER;
	if (r == 0)
		r = course_run(course, client, &ask, why);
	return r < 0 ? r : result_json(course, ret, why);
}
