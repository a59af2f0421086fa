#include "supervisor/cli/ledger.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "supervisor/cli/grid.h"

#define BAR_COLUMNS 30
#define TREND_COLUMNS 6
#define LINE_BYTES 600

static enum table_tone tone_of(const char *word)
{
	static const struct {
		const char *word;
		enum table_tone tone;
	} tones[] = {
		{ "applied", TABLE_GOOD }, { "approved", TABLE_GOOD },
		{ "testing", TABLE_WARN }, { "rolling_back", TABLE_WARN },
		{ "rejected", TABLE_BAD }, { "rolled_back", TABLE_BAD },
		{ "low", TABLE_WARN }, { "medium", TABLE_WARN },
		{ "high", TABLE_BAD }, { "critical", TABLE_BAD },
	};

	for (size_t i = 0; i < COUNT(tones); i++)
		if (strcmp(tones[i].word, word) == 0)
			return tones[i].tone;
	return TABLE_PLAIN;
}

/* "12.3 %", or "-" of what was never decided. */
static void gain_text(const json_t *row, char ret[32])
{
	const json_t *lower = json_object_get(row, "gain_lower");

	if (json_is_number(lower))
		snprintf(ret, 32, "%.1f %%", 100 * json_number_value(lower));
	else
		snprintf(ret, 32, "-");
}

void ledger_list(const struct table *look, const json_t *improvements)
{
	static const struct grid_column columns[] = {
		{ "ID", true, false }, { "STATUS", false, false },
		{ "GAIN >=", true, false }, { "CHANGE", false, true },
	};
	struct grid grid;
	const json_t *row;
	char gain[32];
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)improvements, i, row) {
		gain_text(row, gain);
		grid_cell(&grid, TABLE_PLAIN, "%.0f", member_number(row, "improvement"));
		grid_cell(&grid, tone_of(member_text(row, "status")), "%s",
			  member_text(row, "status"));
		grid_cell(&grid, TABLE_PLAIN, "%s", gain);
		grid_cell(&grid, TABLE_PLAIN, "%s", member_text(row, "description"));
	}
	grid_print(&grid, look);
}

void ledger_bottlenecks(const struct table *look, const json_t *bottlenecks)
{
	static const struct grid_column columns[] = {
		{ "METRIC", false, false }, { "SEVERITY", false, false },
		{ "IMPACT", true, false }, { "WHAT", false, true },
	};
	struct grid grid;
	const json_t *row;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)bottlenecks, i, row) {
		grid_cell(&grid, TABLE_PLAIN, "%s", member_text(row, "metric"));
		grid_cell(&grid, tone_of(member_text(row, "severity")), "%s",
			  member_text(row, "severity"));
		grid_cell(&grid, TABLE_PLAIN, "%.0f", member_number(row, "impact"));
		grid_cell(&grid, TABLE_PLAIN, "%s%s",
			  json_is_true(json_object_get(row, "outdated")) ?
				  "before the last change: " : "",
			  member_text(row, "description"));
	}
	grid_print(&grid, look);
}

void ledger_lessons(const struct table *look, const json_t *lessons)
{
	static const struct grid_column columns[] = {
		{ "ID", true, false }, { "ABOUT", false, false }, { "SEEN", true, false },
		{ "LAST", false, false }, { "LESSON", false, true },
	};
	struct grid grid;
	const json_t *row;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)lessons, i, row) {
		const json_t *status = json_object_get(json_object_get(row, "evidence"), "status");
		const char *words = json_string_value(status);
		const char *metric = json_string_value(json_object_get(row, "metric"));

		grid_cell(&grid, TABLE_PLAIN, "%.0f", member_number(row, "id"));
		grid_cell(&grid, TABLE_PLAIN, "%s", member_text(row, "scope"));
		grid_cell(&grid, TABLE_PLAIN, "%.0f", member_number(row, "n"));
		grid_cell(&grid, TABLE_PLAIN, "%.10s", member_text(row, "last_seen"));
		grid_cell(&grid, words ? tone_of(words) : TABLE_PLAIN, "%s%s%s%s%s",
			  member_text(row, "statement"), words ? ": " : "", words ? words : "",
			  metric ? " by " : "", metric ? metric : "");
	}
	grid_print(&grid, look);
}

/* One value, or several of a minute or an hour, with a bar for the mean. */
static void trend_row(struct grid *grid, const json_t *row, double most)
{
	static const char bars[BAR_COLUMNS + 1] = "##############################";
	double n = member_number(row, "n"), mean = member_number(row, "mean");

	grid_cell(grid, TABLE_PLAIN, "%.19s", member_text(row, "at"));
	grid_cell(grid, TABLE_PLAIN, "%s", member_text(row, "by"));
	grid_cell(grid, TABLE_PLAIN, "%.0f", n);
	grid_cell(grid, TABLE_PLAIN, "%.6g", mean);
	if (n > 1)
		grid_cell(grid, TABLE_PLAIN, "%.6g to %.6g", member_number(row, "min"),
			  member_number(row, "max"));
	else
		grid_cell(grid, TABLE_PLAIN, "%s", "");
	grid_cell(grid, TABLE_PLAIN, "%.*s",
		  most > 0 && mean > 0 ? (int)(BAR_COLUMNS * mean / most) : 0, bars);
}

/* ---- environments: texts of lines "NAME: VALUE" ---- */

static const char *environment_of(const json_t *row)
{
	const char *hash = json_string_value(json_object_get(row, "environment"));

	return hash ? hash : "";
}

static bool is_same(const json_t *row, const json_t *other)
{
	return strcmp(environment_of(row), environment_of(other)) == 0;
}

static const char *facts_of(const json_t *row, const json_t *environments)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)environments, i, one)
		if (is_same(row, one))
			return member_text(one, "facts");
	return "";
}

static bool has_line(const char *facts, const char *line, size_t length)
{
	for (; *facts; facts += strcspn(facts, "\n"), facts += *facts == '\n')
		if (strncmp(facts, line, length) == 0 && facts[length] == '\n')
			return true;
	return false;
}

/* What was otherwise before: "kernel was Linux 6.1, cpus was 4". */
static void describe_break(const char *before, const char *after, char ret[LINE_BYTES])
{
	int used = 0;

	snprintf(ret, LINE_BYTES, *before ? "another environment" : "an unknown environment");
	for (size_t length; *before && used < LINE_BYTES - 1; before += length + 1) {
		int name = (int)strcspn(before, ":\n");

		length = strcspn(before, "\n");
		if (!has_line(after, before, length) && before[name] == ':')
			used += snprintf(ret + used, (size_t)(LINE_BYTES - used), "%s%.*s was%.*s",
					 used ? ", " : "", name, before,
					 (int)length - name - 1, before + name + 1);
		if (!before[length])
			return;
	}
}

static void trend_break(struct grid *grid, const json_t *older, const json_t *newer,
			const json_t *environments)
{
	char text[LINE_BYTES];

	describe_break(facts_of(older, environments), facts_of(newer, environments), text);
	for (int column = 0; column < TREND_COLUMNS - 1; column++)
		grid_cell(grid, TABLE_PLAIN, "%s", column ? "" : "-- before:");
	grid_cell(grid, TABLE_WARN, "%s", text);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median_of(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/*
 * Of the newest environment alone, as others compare with nothing. The median is
 * known only where every value is there still.
 */
static void trend_sum(const struct table *look, const json_t *trend)
{
	size_t count = 0, i;
	AUTO_FREE double *values = calloc(json_array_size(trend), sizeof(*values));
	const json_t *first = json_array_get(trend, 0), *row;
	double last = member_number(first, "last"), min = last, max = last, n = 0, sum = 0;

	json_array_foreach((json_t *)(uintptr_t)trend, i, row) {
		if (!is_same(row, first))
			continue;
		n += member_number(row, "n");
		sum += member_number(row, "n") * member_number(row, "mean");
		if (member_number(row, "min") < min)
			min = member_number(row, "min");
		if (member_number(row, "max") > max)
			max = member_number(row, "max");
		if (values)
			values[count++] = member_number(row, "mean");
	}
	fprintf(look->out, "\n%.0f values%s from %.6g to %.6g, mean %.6g, last %.6g", n,
		count < json_array_size(trend) ? " in this environment" : "", min, max, sum / n,
		last);
	if (values && n == (double)count)
		fprintf(look->out, ", median %.6g", median_of(values, count));
	fputs("\n", look->out);
}

void ledger_trend(const struct table *look, const json_t *trend, const json_t *environments)
{
	static const struct grid_column columns[TREND_COLUMNS] = {
		{ "AT (UTC)", false, false }, { "BY", false, false }, { "N", true, false },
		{ "MEAN", true, false }, { "RANGE", false, false }, { "", false, true },
	};
	double most = 0;
	struct grid grid;
	const json_t *row, *newer = NULL;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)trend, i, row)
		if (member_number(row, "mean") > most)
			most = member_number(row, "mean");
	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)trend, i, row) {
		if (newer && !is_same(row, newer))
			trend_break(&grid, row, newer, environments);
		trend_row(&grid, row, most);
		newer = row;
	}
	grid_print(&grid, look);
	trend_sum(look, trend);
}

/* ---- tables of one thing ---- */

__attribute__((format(printf, 3, 4)))
static void row_of(const struct table *table, const char *name, const char *format, ...)
{
	char line[LINE_BYTES], shown[2 * LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	text_escape(span_of_text(line), shown, sizeof(shown));
	table_row(table, name, "", TABLE_PLAIN, shown);
}

static void show_plan(const struct table *table, const json_t *plan)
{
	const json_t *looks = json_object_get(plan, "looks"), *look;
	char pairs[200] = "";
	int used = 0;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)looks, i, look)
		if (used < (int)sizeof(pairs))
			used += snprintf(pairs + used, sizeof(pairs) - (size_t)used, "%s%.0f",
					 i ? ", " : "", member_number(look, "pairs"));
	if (json_array_size(looks))
		row_of(table, "", "its plan: %s.%s (%s), looks after %s pairs, alpha %.2g, seed %s",
		       member_text(plan, "benchmark"), member_text(plan, "metric"),
		       member_text(plan, "judged_by"), pairs, member_number(plan, "alpha"),
		       member_text(plan, "seed"));
}

/* A look that was cut short has no verdict. */
static void show_watch(const struct table *table, const char *name, const json_t *row,
		       bool taken_back)
{
	const json_t *plan = json_object_get(row, "plan");
	const char *doubt = json_string_value(json_object_get(row, "reason"));

	if (json_is_string(json_object_get(row, "verdict")))
		row_of(table, name, "watch: at %.19s UTC, %s.%s, %.0f pairs: %s%s%s%s",
		       member_text(row, "timestamp"), member_text(plan, "benchmark"),
		       member_text(plan, "metric"), member_number(row, "pairs"),
		       member_text(row, "verdict"), doubt && *doubt ? "; " : "",
		       doubt ? doubt : "", taken_back ? "; taken back since" : "");
	else
		row_of(table, name, "watch: begun at %.19s UTC, %s.%s%s",
		       member_text(row, "timestamp"), member_text(plan, "benchmark"),
		       member_text(plan, "metric"),
		       taken_back ? "; taken back since" : ", ended without a word");
}

static void show_proof(const struct table *table, const char *name, const json_t *row,
		       bool under_way)
{
	const char *kind = member_text(row, "kind");

	if (json_is_string(json_object_get(row, "verdict")))
		row_of(table, name, "%s: %s, %s; %.0f pairs, %.1f %% at alpha %.2g", kind,
		       member_text(row, "verdict"), member_text(row, "reason"),
		       member_number(row, "pairs"), 100 * member_number(row, "gain"),
		       member_number(row, "alpha"));
	else
		row_of(table, name, "%s: begun at %.19s UTC, %s", kind,
		       member_text(row, "timestamp"),
		       under_way ? "not decided so far" : "ended without a decision");
	show_plan(table, json_object_get(row, "plan"));
}

static void show_experiments(const struct table *table, const json_t *improvement)
{
	const json_t *experiments = json_object_get(improvement, "experiments"), *row;
	const char *status = member_text(improvement, "status");
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)experiments, i, row) {
		const char *name = i ? "" : "experiments";
		bool last = i + 1 == json_array_size(experiments);

		if (strcmp(member_text(row, "kind"), "watch") == 0)
			show_watch(table, name, row, last && strcmp(status, "rolled_back") == 0);
		else
			show_proof(table, name, row, last && strcmp(status, "testing") == 0);
	}
}

static void show_gain(const struct table *table, const json_t *improvement)
{
	bool proposed = strcmp(member_text(improvement, "status"), "proposed") == 0;
	double confidence = member_number(improvement, "confidence");
	char gain[32];

	gain_text(improvement, gain);
	if (json_is_number(json_object_get(improvement, "gain_lower")))
		row_of(table, "gain", "at least %s; confidence %.2f", gain, confidence);
	else
		row_of(table, "gain", "not shown; confidence %.2f%s", confidence,
		       proposed ? "; 'cupel improve' proves it" : "");
}

static void show_changes(const struct table *table, const json_t *changes)
{
	const json_t *knobs = json_object_get(changes, "knobs"), *row;
	size_t i;

	row_of(table, "base", "%.12s", member_text(changes, "base"));
	json_array_foreach((json_t *)(uintptr_t)knobs, i, row)
		row_of(table, i ? "" : "changes", "%s: %s to %s", member_text(row, "knob"),
		       member_text(row, "from"), member_text(row, "to"));
}

static void show_apply(const struct table *table, const json_t *apply)
{
	if (!json_is_object(apply))
		return;
	row_of(table, "applied", "%.12s at %.19s UTC", member_text(apply, "commit"),
	       member_text(apply, "applied_at"));
	if (json_integer_value(json_object_get(apply, "rolled_back")))
		row_of(table, "taken back", "%.12s at %.19s UTC", member_text(apply, "rollback_commit"),
		       member_text(apply, "rolled_back_at"));
	if (strcmp(member_text(apply, "notes"), "-") != 0)
		row_of(table, "notes", "%.400s", member_text(apply, "notes"));
}

void ledger_show(const struct table *table, const json_t *improvement)
{
	const char *reason = json_string_value(json_object_get(improvement, "reason"));

	row_of(table, "improvement", "%.0f of %.200s", member_number(improvement, "improvement"),
	       member_text(improvement, "workspace"));
	row_of(table, "status", "%s%s%.300s", member_text(improvement, "status"),
	       reason ? "; " : "", reason ? reason : "");
	show_changes(table, json_object_get(improvement, "changes"));
	show_gain(table, improvement);
	show_experiments(table, improvement);
	show_apply(table, json_object_get(improvement, "apply"));
	row_of(table, "proposed", "%.19s UTC by %s", member_text(improvement, "timestamp"),
	       member_text(improvement, "source"));
}

/* Whether a source's confidence was worth what it said. */
static void show_sources(const struct table *table, const json_t *sources)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)sources, i, row) {
		double applied = member_number(row, "applied");

		row_of(table, i ? "" : "sources",
		       "%s: %.0f proposed, %.0f proven; of %.0f applied, %.1f were promised to hold and %.0f do",
		       member_text(row, "source"), member_number(row, "proposed"),
		       member_number(row, "accepted"), applied, member_number(row, "promised"),
		       member_number(row, "kept"));
	}
}

void ledger_stats(const struct table *table, const json_t *stats)
{
	const json_t *statuses = json_object_get(stats, "improvements"), *count;
	const char *status;

	row_of(table, "measured", "%.0f times lately; %.0f bottlenecks open",
	       member_number(stats, "snapshots"), member_number(stats, "bottlenecks"));
	json_object_foreach((json_t *)(uintptr_t)statuses, status, count)
		row_of(table, status, "%.0f", json_number_value(count));
	row_of(table, "decisions", "%.0f, of which %.0f for the change; alpha spent %.3g",
	       member_number(stats, "decisions"), member_number(stats, "accepted"),
	       member_number(stats, "alpha_spent"));
	row_of(table, "self-checks", "%.0f of equals, of which %.0f were called better",
	       member_number(stats, "self_checks"), member_number(stats, "false_accepts"));
	row_of(table, "commits", "%.0f made, %.0f taken back", member_number(stats, "applied"),
	       member_number(stats, "rolled_back"));
	show_sources(table, json_object_get(stats, "sources"));
	row_of(table, "kept", "%.0f commands run, %.0f runs of tests with %.0f cases, %.0f lessons",
	       member_number(stats, "executions"), member_number(stats, "test_runs"),
	       member_number(stats, "test_cases"), member_number(stats, "lessons"));
}
