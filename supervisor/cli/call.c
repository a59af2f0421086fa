/*
 * cupel call: one call of one tool, from JSON to JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/convert.h"
#include "common/core/hash.h"
#include "common/text.h"
#include "common/wire/pack.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/course.h"
#include "supervisor/cli/grid.h"

#define INPUT_BYTES_MAX (8U << 20)
#define ROUTER_PREFIX "router."
#define ATTACH_MOST_NS (24 * 3600 * NS_PER_S)
#define ID_BYTES 33

struct request {
	const char *tool, *json, *workspace;
	const char *attach;	/* NULL: it is a call of its own */
	const char *id;		/* of the effect; NULL: it has none */
	char made[ID_BYTES];	/* where that is from, if not from the user */
	int64_t timeout_ns;	/* 0: the tool's own */
	bool stream, detach, envelope;
};

/* ---- arguments ---- */

static bool take_option(int option, struct request *ret)
{
	struct error why;

	switch (option) {
	case 's':
		return ret->stream = true;
	case 'd':
		return ret->detach = true;
	case 'j':
		return ret->envelope = true;
	case 'w':
		return (ret->workspace = optarg);
	case 'a':
		return (ret->attach = ret->id = optarg);
	case 'e':
		ret->id = optarg;
		return *optarg || (fputs("cupel: an effect's id is not empty\n", stderr), false);
	default:
		if (text_parse_duration(optarg, &ret->timeout_ns, &why) == 0 &&
		    ret->timeout_ns > 0)
			return true;
		fprintf(stderr, "cupel: --timeout %s: a duration such as "
			"500ms, 30s, 10m, above 0\n", optarg);
		return false;
	}
}

/* Nobody else knows it, so nobody joins who was not told. */
static bool make_id(struct request *ret)
{
	uint8_t bytes[(ID_BYTES - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return perror("cupel: getrandom"), false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret->made + 2 * i, 3, "%02x", bytes[i]);
	ret->id = ret->made;
	return true;
}

/* An id is any text; what goes over the wire has a fixed length. */
static void pack_id(const char *id, uint8_t ret[CLIENT_EFFECT_BYTES])
{
	for (uint64_t half = 0; half < CLIENT_EFFECT_BYTES / 8; half++) {
		const struct hash_key key = { { half, 0 } };
		uint64_t sum = hash_bytes(&key, span_of_text(id));

		memcpy(ret + half * 8, &sum, 8);
	}
}

static bool take_options(const struct verb *verb, int argc, char **argv,
			 struct request *ret)
{
	static const struct option options[] = {
		{ "stream", no_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "detach", no_argument, NULL, 'd' },
		{ "attach", required_argument, NULL, 'a' },
		{ "effect-id", required_argument, NULL, 'e' },
		{ "workspace", required_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, options, NULL)) > 0)
		if (!take_option(option, ret))
			return false;
	if (option == 0)
		return false;
	if (ret->attach) {
		ret->tool = ret->attach;
		if (optind < argc || ret->detach || ret->workspace)
			return cli_refuse_usage(verb), false;
		return true;
	}
	if (optind == argc || argc > optind + 2)
		return cli_refuse_usage(verb), false;
	if (ret->detach && !ret->id && !make_id(ret))
		return false;
	ret->tool = argv[optind];
	ret->json = argc == optind + 2 ? argv[optind + 1] : "{}";
	return true;
}

/* All of stdin, or one byte more than is allowed; the caller frees it. */
static char *read_stdin(size_t *ret_length)
{
	char *text = malloc(INPUT_BYTES_MAX + 1);

	*ret_length = text ? fread(text, 1, INPUT_BYTES_MAX + 1, stdin) : 0;
	return text;
}

static int pack_input(struct span text, uint8_t **ret, size_t *ret_length,
		      struct error *why)
{
	const struct json_limits limits = { INPUT_BYTES_MAX, PACK_DEPTH_MAX };
	json_t *json = NULL;
	int r = json_parse(text, limits, &json, why);

	if (r < 0)
		return error_prefix(why, r, "the arguments");
	r = course_pack(json, ret, ret_length, why);
	json_decref(json);
	return r;
}

static int read_input(const struct request *request, uint8_t **ret,
		      size_t *ret_length, struct error *why)
{
	size_t length = 0;

	if (strcmp(request->json, "-") != 0)
		return pack_input(span_of_text(request->json), ret, ret_length, why);
	AUTO_FREE char *text = read_stdin(&length);

	if (!text)
		return error_set(why, -ENOMEM, "out of memory");
	return pack_input((struct span){ (uint8_t *)text, length }, ret, ret_length, why);
}

/* ---- telling ---- */

static int print_result(const struct course *course)
{
	const struct answer *answer = &course->answer;
	json_t *result;
	struct error why;
	int r = convert_to_json((struct span){ (uint8_t *)answer->text, answer->length },
				&result, &why);

	if (r < 0) {
		error_prefix(&why, r, "the result of %s", course->name);
		return cli_fail(&why);
	}
	r = json_dumpf(result, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(result);
	putchar('\n');
	return r < 0 ? EXIT_IO : EXIT_OK;
}

/* As text; a byte that is none as \xHH. */
static json_t *text_json(const struct answer *stream)
{
	size_t room = 4 * stream->length + 1;
	struct span bytes = { (uint8_t *)stream->text, stream->length };

	if (text_is_utf8(bytes) && !memchr(stream->text, 0, stream->length))
		return json_stringn(stream->text, stream->length);
	AUTO_FREE char *text = malloc(room);

	return text ? json_stringn(text, text_escape(bytes, text, room)) : NULL;
}

static int print_envelope(const struct course *course)
{
	const struct answer *answer = &course->answer;
	const struct error_row *row = error_row((int)answer->code);
	json_t *result = NULL, *json;

	if (answer->length)
		convert_to_json((struct span){ (uint8_t *)answer->text, answer->length },
				&result, NULL);
	json = json_pack("{ss ss si ss ss ss si si ss sI sI sI ss sI so?}",
			 "schema", "cupel.call/1", "tool", course->name,
			 "code", (int)answer->code, "status", row->name,
			 "class", error_class_name(row->class),
			 "origin", error_origin_name(answer->origin),
			 "attempts", (int)answer->attempts,
			 "retry_after_ms", (int)answer->retry_after_ms,
			 "reason", answer->reason,
			 "call", (json_int_t)answer->remark.number,
			 "dropped_bytes", (json_int_t)answer->remark.dropped,
			 "stale_ms", (json_int_t)answer->remark.age_ms,
			 "fallback", answer->other,
			 "elapsed_ns", (json_int_t)(clock_now_ns() - course->started_ns),
			 "result", result);
	for (int i = 1; json && i <= 2; i++)
		if (course->streams[i].text)
			json_object_set_new(json, i == 1 ? "stdout" : "stderr",
					    text_json(&course->streams[i]));
	return cli_print_json(json);
}

static void print_streams(const struct course *course)
{
	fwrite(course->streams[1].text ? course->streams[1].text : "", 1,
	       course->streams[1].length, stdout);
	fflush(stdout);
	fwrite(course->streams[2].text ? course->streams[2].text : "", 1,
	       course->streams[2].length, stderr);
}

static void print_failure(const struct course *course)
{
	const struct answer *answer = &course->answer;
	char again[48] = "", number[32] = "";

	if (answer->remark.number)
		snprintf(number, sizeof(number), ", call %llu",
			 (unsigned long long)answer->remark.number);
	if (answer->retry_after_ms)
		snprintf(again, sizeof(again), ", try again after %u ms",
			 answer->retry_after_ms);
	fprintf(stderr, "cupel: %s: %s (%s from the %s%s%s)\n", course->name,
		answer->reason[0] ? answer->reason : "it failed",
		error_row((int)answer->code)->name, error_origin_name(answer->origin),
		number, again);
}

/* In what the answer is not the one that was asked for. */
static void print_remark(const struct course *course)
{
	const struct message_remark *remark = &course->answer.remark;

	if (remark->dropped)
		fprintf(stderr, "cupel: %s: %llu bytes from the middle of its output were not kept\n",
			course->name, (unsigned long long)remark->dropped);
	if (remark->age_ms)
		fprintf(stderr, "cupel: %s: the tool cannot serve; this is an earlier result, %s old\n",
			course->name, quantity_age((double)remark->age_ms / 1e3).text);
	if (course->answer.other[0])
		fprintf(stderr, "cupel: %s: the tool cannot serve; its fallback %s was called\n",
			course->name, course->answer.other);
}

static int tell(const struct request *request, const struct course *course)
{
	int code = exit_of_code(course->answer.code, course->answer.origin), r = EXIT_OK;

	if (!course->over && request->envelope)
		return cli_print_json(json_pack("{ss ss ss}", "schema", "cupel.call/1",
						"tool", course->name, "id", request->id));
	if (!course->over) {
		puts(request->id);
		fprintf(stderr, "cupel: %s has begun and goes on by itself; "
			"'cupel call --attach %s' waits for it\n", course->name, request->id);
		return EXIT_OK;
	}
	if (request->envelope)
		r = print_envelope(course);
	else
		print_streams(course);
	print_remark(course);
	if (!request->envelope && course->answer.code == ERROR_OK)
		r = print_result(course);
	if (course->answer.code != ERROR_OK)
		print_failure(course);
	return code == EXIT_OK ? r : code;
}

/* ---- the verb ---- */

/* An exit code; or -EAGAIN, once: its supervisor left before it was asked. */
static int attempt(const struct request *request, struct span input, bool again)
{
	AUTO_COURSE struct course course = {
		.name = request->tool, .passes_on = request->stream,
		.leaves = request->detach,
		.shows_progress = isatty(STDERR_FILENO) && !request->envelope,
	};
	AUTO_DISCONNECT struct connection *connection = NULL;
	struct client_ask ask = {
		.tool = request->attach ? ROUTER_PREFIX "attach" : request->tool,
		.input = input,
		.flags = CALL_REMARK | (request->detach ? CALL_DETACHED : 0),
	};
	uint8_t effect[CLIENT_EFFECT_BYTES];
	struct error why;
	int code = cli_connect(!request->attach, &connection);

	if (code != EXIT_OK)
		return code;
	AUTO_CLOSE int workspace_fd = request->workspace ?
		connect_workspace(connection, request->workspace, &ask.workspace, &why) : -1;

	if (request->workspace && workspace_fd < 0)
		return connection->left && !again ? -EAGAIN : cli_fail(&why);
	ask.deadline_ns = request->timeout_ns ?
		deadline_after(clock_now_ns(), request->timeout_ns) : DEADLINE_NEVER;
	if (request->attach && !request->timeout_ns)	/* the call has its own */
		ask.deadline_ns = deadline_after(clock_now_ns(), ATTACH_MOST_NS);
	if (request->id) {
		pack_id(request->id, effect);
		ask.effect = (struct span){ effect, sizeof(effect) };
	}
	if (course_run(&course, &connection->client, &ask, &why) < 0)
		return cli_fail(&why);
	return connection->left && !again ? -EAGAIN : tell(request, &course);
}

static int call_tool(const struct request *request, struct span input)
{
	int code = attempt(request, input, false);

	return code == -EAGAIN ? attempt(request, input, true) : code;
}

int cli_call(const struct verb *verb, int argc, char **argv)
{
	struct request request = { 0 };
	AUTO_FREE uint8_t *input = NULL;
	size_t length;
	struct error why;

	if (!take_options(verb, argc, argv, &request))
		return EXIT_USAGE;
	if (!request.attach && strncmp(request.tool, ROUTER_PREFIX, strlen(ROUTER_PREFIX)) == 0) {
		fprintf(stderr, "cupel: %s is no tool; its verb is 'cupel %s'\n",
			request.tool, request.tool + strlen(ROUTER_PREFIX));
		return EXIT_USAGE;
	}
	if (request.attach)
		return call_tool(&request, (struct span){ 0 });
	if (read_input(&request, &input, &length, &why) < 0) {
		fprintf(stderr, "cupel: %s\n", why.text);
		return EXIT_DATA;
	}
	return call_tool(&request, (struct span){ input, length });
}

void cli_call_explain(FILE *out)
{
	fputs("\nCalls TOOL with the JSON value as arguments ('-': from stdin; {} if left\n"
	      "out) and prints its result as JSON on one line.\n\n"
	      "  --stream         pass on what it writes while it runs\n"
	      "  --timeout D      give up after 500ms, 30s, 10m; else the tool's own limit\n"
	      "  --detach         leave once it has begun, and print its id; it goes on\n"
	      "  --attach ID      no TOOL: wait for the call of that id, and tell its end\n"
	      "  --effect-id ID   do under that id (any text) once what is asked for twice\n"
	      "  --workspace DIR  let it work in that directory\n"
	      "  --json           print one object that also says how the call ended\n\n"
	      "Ctrl-C cancels the call, a second one leaves at once. The exit status is 0,\n"
	      "1 if the tool itself failed, 65 if the call was wrong, 69 without supervisor,\n"
	      "75 if a later try may succeed, 77 if it is not allowed, 124 after the time\n"
	      "limit, 130 if cancelled. 'cupel tools' lists what can be called.\n", out);
}
