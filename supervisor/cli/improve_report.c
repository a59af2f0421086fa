#include "supervisor/cli/improve_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define LINE_BYTES 600
#define TRIALS_SHOWN 3	/* of those that did not work; --json has all */

struct measure measure_of(double value, bool seconds, const char *unit)
{
	struct measure ret;

	if (!seconds)
		snprintf(ret.text, sizeof(ret.text), "%.4g%s%.16s", value, *unit ? " " : "",
			 unit);
	else if (value < 1)
		snprintf(ret.text, sizeof(ret.text), "%.2f ms", 1e3 * value);
	else
		snprintf(ret.text, sizeof(ret.text), "%.2f s", value);
	return ret;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

__attribute__((format(printf, 4, 5)))
static void row(const struct table *table, const char *name, enum table_tone tone,
		const char *format, ...)
{
	static const char *const states[] = { "", "ok", "note", "bad" };
	char line[LINE_BYTES], shown[2 * LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	text_escape(span_of_text(line), shown, sizeof(shown));	/* code under test spoke */
	table_row(table, name, states[tone], tone, shown);
}

/* ---- what was measured ---- */

static void print_values(const struct table *table, const json_t *report)
{
	static const char *const kinds[][2] = {
		{ "CPU time", " of processor time" }, { "wall time", " of wall time" },
	};
	const json_t *metric = json_object_get(report, "metric");
	const json_t *decision = json_object_get(report, "decision");
	const char *judge = text_of(json_object_get(report, "calibration"), "judged_by");
	const char *unit = text_of(metric, "unit"), *kind = "";

	for (size_t i = 0; judge && i < COUNT(kinds); i++)
		if (strcmp(judge, kinds[i][0]) == 0)
			kind = kinds[i][1];
	if (!json_object_get(decision, "before"))
		return;
	bool seconds = *kind || (unit && strcmp(unit, "s") == 0);

	row(table, "before", TABLE_PLAIN, "%s%s (%s.%s)",
	    measure_of(member_number(decision, "before"), seconds, unit ? unit : "").text, kind,
	    member_text(metric, "benchmark"), member_text(metric, "name"));
	row(table, "after", TABLE_PLAIN, "%s",
	    measure_of(member_number(decision, "after"), seconds, unit ? unit : "").text);
}

static void print_gain(const struct table *table, const json_t *decision)
{
	const json_t *lower = json_object_get(decision, "gain_lower_percent");
	const char *verdict = text_of(decision, "verdict");
	bool accepted = verdict && strcmp(verdict, "accept") == 0;
	char least[40] = "";

	if (!verdict)
		return;
	if (json_is_number(lower))
		snprintf(least, sizeof(least), ", at least %.1f %%", json_number_value(lower));
	if (json_object_get(decision, "gain_percent"))
		row(table, "gain", accepted ? TABLE_GOOD : TABLE_WARN,
		    "%.1f %%%s; %.0f pairs, confidence %.2f",
		    member_number(decision, "gain_percent"), least,
		    member_number(decision, "pairs"), member_number(decision, "confidence"));
	row(table, "verdict", accepted ? TABLE_GOOD : TABLE_WARN, "%s: %.400s", verdict,
	    member_text(decision, "reason"));
}

static void print_tests(const struct table *table, const json_t *tests)
{
	const json_t *flaky = json_object_get(tests, "flaky");
	double passed = member_number(tests, "passed"), failed = member_number(tests, "failed");

	if (!json_is_object(tests))
		return;
	if (passed + failed == 0)
		row(table, "tests", TABLE_BAD, "none: nothing is applied without them");
	else
		row(table, "tests", failed > 0 ? TABLE_WARN : TABLE_GOOD,
		    "%.0f passed, %.0f failed, %.0f skipped", passed, failed,
		    member_number(tests, "skipped"));
	for (size_t i = 0; i < json_array_size(flaky); i++)
		row(table, i ? "" : "flaky", TABLE_WARN, "%s",
		    json_string_value(json_array_get(flaky, i)));
}

static void print_trials(const struct table *table, const json_t *report)
{
	const json_t *search = json_object_get(report, "search");
	const json_t *trials = json_object_get(report, "trials"), *trial;
	unsigned shown = 0;
	size_t i;

	if (!json_is_object(search))
		return;
	double reused = member_number(search, "reused");
	char built[48] = "";

	if (reused > 0)
		snprintf(built, sizeof(built), " and %.0f that build the same", reused);
	row(table, "tried", TABLE_PLAIN, "%.0f settings%s, until %s; --seed %.0f makes the same choices",
	    member_number(search, "evaluations"), built, member_text(search, "stopped"),
	    member_number(report, "seed"));
	json_array_foreach((json_t *)(uintptr_t)trials, i, trial)
		if (strcmp(member_text(trial, "outcome"), "ok") != 0 &&
		    shown++ < TRIALS_SHOWN)
			row(table, "", TABLE_PLAIN, "%s: %.250s (%.250s)",
			    member_text(trial, "outcome"), member_text(trial, "setting"),
			    member_text(trial, "reason"));
}

static void print_lessons(const struct table *table, const json_t *report)
{
	const json_t *list = json_object_get(report, "lessons"), *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, one)
		row(table, i ? "" : "not tried", TABLE_PLAIN, "%s (see 'cupel lessons')",
		    json_string_value(one));
}

static void print_bottlenecks(const struct table *table, const json_t *report)
{
	const json_t *list = json_object_get(report, "bottlenecks"), *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, one)
		row(table, i ? "" : "target", TABLE_WARN, "%s (%s)",
		    member_text(one, "description"), member_text(one, "severity"));
	list = json_object_get(report, "unmeasured");
	json_array_foreach((json_t *)(uintptr_t)list, i, one)
		row(table, "target", TABLE_WARN,
		    "%s gave no number, and is not compared with its target",
		    json_string_value(one));
}

/* What a look came to begins so, see workers/improve/watch.c; the rest are regressions. */
static const struct sight {
	const char *state;
	enum table_tone tone;
	const char *words;
} sights[] = {
	{ "quiet", TABLE_GOOD, "" },
	{ "benefit-gone", TABLE_WARN, ", half of it at least; 'cupel rollback' takes it back" },
	{ "not to be compared any more", TABLE_WARN, "" },
	{ "", TABLE_BAD, "" },
};

static const struct sight *sight_of(const char *state)
{
	const struct sight *sight = sights;

	while (strncmp(state, sight->state, strlen(sight->state)) != 0)
		sight++;
	return sight;
}

static void print_watched(const struct table *table, const json_t *report)
{
	const json_t *list = json_object_get(report, "watched"), *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, one) {
		const struct sight *sight = sight_of(member_text(one, "state"));
		bool back = json_is_true(json_object_get(one, "rolled_back"));

		const char *doubt = text_of(one, "doubt");
		enum table_tone tone = sight->tone;

		if (back || (doubt && tone == TABLE_GOOD))
			tone = back ? TABLE_BAD : TABLE_WARN;
		row(table, i ? "" : "watched", tone,
		    "improvement %.0f, after %.0f pairs: %s%s%s%s",
		    member_number(one, "improvement"), member_number(one, "pairs"),
		    member_text(one, "state"), back ? "; taken back" : sight->words,
		    doubt ? "; " : "", doubt ? doubt : "");
	}
	if (json_object_get(report, "not_watched"))
		row(table, json_array_size(list) ? "" : "watched", TABLE_WARN,
		    "%.0f not, for want of time; the next campaign begins there",
		    member_number(report, "not_watched"));
}

/* ---- what came of it ---- */

/* Without git a commit is our own affair. */
static bool in_repository(const json_t *report)
{
	return !json_is_false(json_object_get(report, "repository"));
}

static bool has_status(const json_t *report, const char *status)
{
	return strcmp(member_text(report, "status"), status) == 0;
}

static void print_commit(const struct table *table, const json_t *report)
{
	const char *commit = text_of(report, "commit");
	const char *why_not = text_of(report, "not_applied");
	bool back = has_status(report, "rolled_back");
	enum table_tone tone = back ? TABLE_BAD : TABLE_GOOD;
	const char *words = back ? "; taken back" : "";

	if (commit && !in_repository(report))
		row(table, "applied", tone, "to the files that are there%s", words);
	else if (commit)
		row(table, "commit", tone, "%.12s on %s%s", commit,
		    member_text(report, "branch"), words);
	else if (why_not)
		row(table, "commit", TABLE_WARN, "not applied: %s", why_not);
}

void improve_report_by_hand(FILE *out, const char *commit, const json_t *measured)
{
	const char *benchmark = text_of(measured, "benchmark");

	if (!commit || !benchmark)
		return;
	fprintf(out, "before and after, by hand:\n"
		"  for side in %.12s^ %.12s; do\n"
		"    tree=$(mktemp -d)\n"
		"    git worktree add --detach \"$tree\" $side\n"
		"    (cd \"$tree\" && cupel bench %.64s)\n"
		"    git worktree remove --force \"$tree\"\n"
		"  done\n", commit, commit, benchmark);
	if (strcmp(member_text(measured, "judged_by"), "CPU time") == 0)
		fputs("It was judged by processor time; cupel bench shows that of a metric with\n"
		      "'from = cpu' in cupel.conf, else wall time.\n", out);
}

static void print_by_hand(const struct table *table, const json_t *report)
{
	json_t *measured = json_object();

	json_object_set(measured, "benchmark",
			json_object_get(json_object_get(report, "metric"), "benchmark"));
	json_object_set(measured, "judged_by",
			json_object_get(json_object_get(report, "calibration"), "judged_by"));
	if (has_status(report, "applied") && in_repository(report))
		improve_report_by_hand(table->out, text_of(report, "commit"), measured);
	json_decref(measured);
}

static void print_next(const struct table *table, const json_t *report)
{
	double id = member_number(report, "improvement");

	if (has_status(report, "applied") && !in_repository(report))
		row(table, "next", TABLE_PLAIN,
		    "'cupel show %.0f --inverse' is the patch back; 'cupel rollback %.0f' does it",
		    id, id);
	else if (has_status(report, "applied"))
		row(table, "next", TABLE_PLAIN, "git show %.12s; 'cupel rollback %.0f' takes it back",
		    member_text(report, "commit"), id);
	else if (has_status(report, "approved"))
		row(table, "next", TABLE_PLAIN,
		    "'cupel apply %.0f' commits it on branch cupel/improve-%.0f, and tells how to measure it by hand",
		    id, id);
	else if (has_status(report, "proposed"))
		row(table, "next", TABLE_PLAIN,
		    "'cupel show %.0f', then 'cupel approve %.0f' and 'cupel apply %.0f', which tells how to measure it by hand",
		    id, id, id);
	else if (has_status(report, "rolled_back"))
		row(table, "next", TABLE_PLAIN, "'cupel show %.0f' tells all of it", id);
}

/* All settings were tried but those that a lesson rules out. */
static bool only_lessons_are_left(const json_t *report)
{
	return json_array_size(json_object_get(report, "lessons")) > 0 &&
	       strcmp(member_text(json_object_get(report, "search"), "stopped"),
		      "exhausted") == 0;
}

static void print_nothing(const struct table *table, const json_t *report)
{
	const json_t *known = json_object_get(report, "known");
	const json_t *metric = json_object_get(report, "metric");
	bool observes = strcmp(member_text(report, "mode"), "observe") == 0;

	if (observes)
		row(table, "measured", TABLE_PLAIN,
		    "'cupel trend %s.%s' shows it; run against run it differs by %.1f %%",
		    member_text(metric, "benchmark"), member_text(metric, "name"),
		    member_number(json_object_get(report, "calibration"), "sigma_percent"));
	if (json_is_object(known))
		row(table, "known", TABLE_PLAIN,
		    "improvement %.0f, judged before: %s, %s; it is %s, see 'cupel show %.0f'",
		    member_number(report, "improvement"), member_text(known, "verdict"),
		    member_text(known, "reason"), member_text(known, "status"),
		    member_number(report, "improvement"));
	else if (text_of(report, "not_searched"))
		row(table, "found", TABLE_WARN, "nothing: %s", text_of(report, "not_searched"));
	else if (json_is_true(json_object_get(report, "budget_spent")) &&
		 !text_of(report, "change"))
		row(table, "found", TABLE_WARN, "nothing better before the --budget was spent");
	else if (!observes && !text_of(report, "change") && only_lessons_are_left(report))
		row(table, "found", TABLE_WARN,
		    "nothing better: 'cupel lessons --forget ID' ends a lesson that stands in the way");
	else if (!observes && !text_of(report, "change"))
		row(table, "found", TABLE_WARN,
		    "nothing better: declare more knobs, or try more settings with --rounds");
}

bool improve_report_found(const json_t *report)
{
	return json_is_true(json_object_get(report, "found")) ||
	       strcmp(member_text(report, "mode"), "observe") == 0;
}

void improve_report_print(const struct table *table, const json_t *report)
{
	print_bottlenecks(table, report);
	print_trials(table, report);
	print_lessons(table, report);
	if (text_of(report, "change"))
		row(table, "changed", TABLE_PLAIN, "%s", text_of(report, "change"));
	print_values(table, report);
	print_gain(table, json_object_get(report, "decision"));
	print_tests(table, json_object_get(report, "tests"));
	print_commit(table, report);
	print_watched(table, report);
	print_nothing(table, report);
	print_next(table, report);
	print_by_hand(table, report);
}
