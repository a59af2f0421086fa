#include "workers/improve/command.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"

#define START_NS (20 * NS_PER_S)	/* beyond the command's own time */

static json_t *argv_of(const struct config_list *argv)
{
	json_t *ret = json_array();

	if (argv->count == 1 && strchr(argv->items[0], ' ')) {
		json_array_append_new(ret, json_string("/bin/sh"));
		json_array_append_new(ret, json_string("-c"));
	}
	for (size_t i = 0; i < argv->count; i++)
		json_array_append_new(ret, json_string(argv->items[i]));
	return ret;
}

static void write_line(const struct config_list *argv, char ret[SESSION_COMMAND_BYTES])
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < argv->count && used + 1 < SESSION_COMMAND_BYTES; i++) {
		if (i)
			ret[used++] = ' ';
		used += text_escape(span_of_text(argv->items[i]), ret + used,
				    SESSION_COMMAND_BYTES - used);
	}
}

int commands_held(void)
{
	cpu_set_t ours;

	return sched_getaffinity(0, sizeof(ours), &ours) == 0 && CPU_COUNT(&ours) > 1 ? 2 : 1;
}

int command_begin(struct session *session, struct ask *ask,
		  const struct command *command)
{
	json_t *order = json_pack("{s:o, s:{s:I}}", "argv", argv_of(&command->argv),
				  "limits", "wall_ms",
				  (json_int_t)(command->timeout_ns / NS_PER_MS));

	if (command->environment)
		json_object_set(order, "env", command->environment);
	if (command->collect)
		json_object_set(order, "collect", command->collect);
	int r = session_begin(session, ask, command->tool, command->workspace, order,
			      (START_NS + command->timeout_ns) * (command->held ? 2 : 1),
			      command->held);

	write_line(&command->argv, ask->command);
	return r;
}

/* null, or a missing field, is what was not measured: -1. */
static int64_t integer_of(const json_t *verdict, const char *name)
{
	const json_t *value = json_object_get(verdict, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* A row of executions; what the verdict does not say is NULL. */
static void keep_execution(struct session *session, const struct ask *ask)
{
	static const char *const columns[][2] = {
		{ "cause", "cause" }, { "exit_code", "exit_code" }, { "wall_ns", "wall_ns" },
		{ "user_ns", "user_ns" }, { "system_ns", "system_ns" },
		{ "rss_bytes", "maxrss_bytes" },
	};
	json_t *row;

	const char *where = json_string_value(json_object_get(ask->answer, "workspace"));

	if (!session->workspace)
		return;
	session->confirmed |= where && strcmp(where, session->workspace) == 0;
	row = json_pack("{s:s}", "command", ask->command);
	if (!session->executions)
		session->executions = json_array();
	for (size_t i = 0; i < COUNT(columns); i++)
		json_object_set(row, columns[i][0], json_object_get(ask->answer, columns[i][1]));
	json_array_append_new(session->executions, row);
}

int commands_record(struct session *session, struct error *why)
{
	json_t *rows = session->executions;

	if (json_array_size(rows) == 0)
		return 0;
	session->executions = NULL;
	return session_ask(session, "store.execution", 0,
			   json_pack("{s:I, s:o}", "session", (json_int_t)session->id,
				     "executions", rows), NULL, why);
}

int command_outcome(struct session *session, const struct ask *ask,
		    struct command_outcome *ret, struct error *why)
{
	const json_t *verdict = ask->answer;
	const char *detail;

	if (ask->result < 0) {
		*why = ask->why;
		return ask->result;
	}
	detail = json_string_value(json_object_get(verdict, "detail"));
	*ret = (struct command_outcome){
		.cause = json_string_value(json_object_get(verdict, "cause")),
		.detail = detail ? detail : "",
		.exit_code = (int)integer_of(verdict, "exit_code"),
		.stopped = json_is_true(json_object_get(verdict, "stopped")),
		.wall_ns = integer_of(verdict, "wall_ns"),
		.cpu_ns = integer_of(verdict, "user_ns") + integer_of(verdict, "system_ns"),
		.rss_bytes = integer_of(verdict, "maxrss_bytes"),
		.instructions = integer_of(verdict, "instructions"),
		.output = { ask->streams[1].data, ask->streams[1].length },
		.errors = { ask->streams[2].data, ask->streams[2].length },
		.collected = json_object_get(verdict, "collected"),
	};
	if (!ret->cause)
		return error_set(why, -EBADMSG, "a verdict without a cause");
	keep_execution(session, ask);
	return 0;
}

struct span command_file(const struct command_outcome *outcome, const char *path)
{
	const json_t *file = json_object_get(outcome->collected, path);

	return (struct span){ (const uint8_t *)json_string_value(file),
			      json_string_length(file) };
}

int command_end(struct session *session, struct ask *ask, struct command_outcome *ret,
		struct error *why)
{
	int r;

	session_go(session, ask);
	r = session_wait(session, ask);
	if (r < 0)
		*why = ask->why;
	else
		r = command_outcome(session, ask, ret, why);
	if (r < 0)
		session_drop(session, ask);
	return r;
}

int command_run(struct session *session, struct ask *ask,
		const struct command *command, struct command_outcome *ret,
		struct error *why)
{
	int r = command_begin(session, ask, command);

	if (r == 0)
		return command_end(session, ask, ret, why);
	*why = ask->why;
	session_drop(session, ask);
	return r;
}

bool command_succeeded(const struct command_outcome *outcome)
{
	return outcome->exit_code == 0 && strcmp(outcome->cause, "exited") == 0;
}

#define LINE_SHOWN 200

/* What compilers, linkers and shells say where they give up. */
static const char *const telling[] = {
	"error:", "Error:", "cannot ", "undefined ", "not found", "No such ",
};

static bool tells(struct span line)
{
	for (size_t i = 0; i < COUNT(telling); i++)
		if (memmem(line.data, line.length, telling[i], strlen(telling[i])))
			return true;
	return false;
}

/* What a person would look for: the first line that tells, or the last one. */
static struct span telling_line(struct span errors)
{
	struct span line = { errors.data, 0 }, last = line;

	if (errors.length == 0)
		return errors;
	for (size_t i = 0; i <= errors.length; i++) {
		if (i < errors.length && errors.data[i] != '\n')
			continue;
		line.length = (size_t)(errors.data + i - line.data);
		if (tells(line))
			return line;
		if (line.length > 0)
			last = line;
		line.data = errors.data + i + 1;
	}
	return last;
}

void command_describe(const struct command_outcome *outcome, char *ret, size_t size)
{
	struct span words = span_of_text(outcome->detail);
	size_t most = size;

	if (*outcome->detail) {
		snprintf(ret, size, "could not be started: ");
	} else if (strcmp(outcome->cause, "exited") != 0) {
		snprintf(ret, size, "ended by %s", outcome->cause);
	} else {
		words = telling_line(outcome->errors);
		snprintf(ret, size, "exit status %d%s", outcome->exit_code,
			 words.length > 0 ? ": " : "");
		most = LINE_SHOWN + 1;
	}
	size_t used = strlen(ret);

	text_escape(words, ret + used, size - used < most ? size - used : most);
}
