#include "workers/improve/metric.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"

#define NUMBER_BYTES 64
#define JSON_DEPTH_MAX 16
#define JSON_BYTES_MAX (2U << 20)	/* parsed it takes up to eighty times as much */

static int no_number(const struct workspace_metric *metric, struct error *why)
{
	return error_set_code(why, -ENODATA, ERROR_FAILED_PRECONDITION,
			 "metric %s: '%s' finds no number in what the benchmark wrote; see its output and mend the %s",
			 metric->title, *metric->pattern ? metric->pattern : metric->json,
			 *metric->pattern ? "pattern" : "path");
}

static int read_pattern(const struct workspace_metric *metric, const char *text,
			double *ret, struct error *why)
{
	regmatch_t matches[2];
	regex_t expression;
	char number[NUMBER_BYTES];
	char *end = number;

	if (regcomp(&expression, metric->pattern, REG_EXTENDED | REG_NEWLINE) != 0)
		return error_set(why, -EINVAL, "metric %s: %s", metric->title, metric->pattern);
	int r = regexec(&expression, text, 2, matches, 0);

	regfree(&expression);
	if (r != 0 || matches[1].rm_so < 0 ||
	    matches[1].rm_eo - matches[1].rm_so >= NUMBER_BYTES)
		return no_number(metric, why);
	size_t length = (size_t)(matches[1].rm_eo - matches[1].rm_so);

	memcpy(number, text + matches[1].rm_so, length);
	number[length] = '\0';
	*ret = strtod(number, &end);
	return end != number && !*end ? 0 : no_number(metric, why);
}

static int read_json(const struct workspace_metric *metric, struct span text,
		     double *ret, struct error *why)
{
	json_t *root;
	int r = json_parse(text, (struct json_limits){ JSON_BYTES_MAX, JSON_DEPTH_MAX },
			   &root, why);

	if (r < 0)
		return error_prefix(why, -ENODATA, "metric %s", metric->title);
	r = json_get_real(root, metric->json, ret, why);
	json_decref(root);
	return r < 0 ? error_prefix(why, -ENODATA, "metric %s", metric->title) : 0;
}

/* regexec(3) wants a string; what stands behind a NUL is not looked at. */
static int read_text(const struct workspace_metric *metric, struct span text,
		     double *ret, struct error *why)
{
	if (*metric->json)
		return read_json(metric, text, ret, why);
	AUTO_FREE char *copy = strndup(text.length ? (const char *)text.data : "",
				       text.length);

	return copy ? read_pattern(metric, copy, ret, why) :
		      error_set(why, -ENOMEM, "out of memory");
}

static int read_instructions(const struct workspace_metric *metric,
			     const struct command_outcome *outcome, double *ret,
			     struct error *why)
{
	*ret = (double)outcome->instructions;
	return outcome->instructions >= 0 ? 0 :
	       error_set_code(why, -ENODATA, ERROR_FAILED_PRECONDITION,
			      "metric %s: instructions are not counted on this machine (a guest without counters, or kernel.perf_event_paranoid above 2); take from = cpu",
			      metric->title);
}

int metric_read(const struct workspace_metric *metric,
		const struct command_outcome *outcome, double *ret,
		struct error *why)
{
	double value = NAN;
	int r = 0;

	switch ((enum metric_from)metric->from) {
	case FROM_TIME: value = (double)outcome->wall_ns * 1e-9; break;
	case FROM_CPU: value = (double)outcome->cpu_ns * 1e-9; break;
	case FROM_RSS: value = (double)outcome->rss_bytes; break;
	case FROM_STDOUT: r = read_text(metric, outcome->output, &value, why); break;
	case FROM_FILE:
		r = read_text(metric, command_file(outcome, metric->file), &value, why);
		break;
	case FROM_INSTRUCTIONS: r = read_instructions(metric, outcome, &value, why); break;
	case FROM_COUNT: break;
	}
	if (r < 0)
		return r;
	if (!isfinite(value) || value < 0)
		return error_set_code(why, -ENODATA, ERROR_FAILED_PRECONDITION,
				      "metric %s: %g is no measurement", metric->title, value);
	*ret = value;
	return 0;
}

/* A new list of the files that its metrics read, each once. */
static json_t *files_of(const struct workspace_benchmark *benchmark)
{
	const struct workspace_metric *metrics = benchmark->metrics.items;
	json_t *ret = json_array();

	for (size_t i = 0; i < benchmark->metrics.count; i++) {
		bool known = metrics[i].from != FROM_FILE;

		for (size_t j = 0; j < i && !known; j++)
			known = metrics[j].from == FROM_FILE &&
				strcmp(metrics[j].file, metrics[i].file) == 0;
		if (!known)
			json_array_append_new(ret, json_string(metrics[i].file));
	}
	return ret;
}

int benchmark_begin(struct session *session, const struct workspace_benchmark *benchmark,
		    uint32_t workspace, json_t *environment, struct ask *ret,
		    struct error *why)
{
	json_t *files = files_of(benchmark);
	const struct command command = {
		.tool = COMMAND_TRY, .workspace = workspace, .argv = benchmark->command,
		.environment = environment, .collect = files,
		.timeout_ns = benchmark->timeout_ns, .held = true,
	};
	int r = command_begin(session, ret, &command);

	json_decref(files);
	if (r == 0)
		return 0;
	*why = ret->why;
	return error_prefix(why, r, "benchmark %s", benchmark->title);
}
