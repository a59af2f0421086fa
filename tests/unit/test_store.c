#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/rows.h"
#include "tests/support/store.h"
#include "tests/support/test.h"

static struct database *database;
static struct error why;

static int open_store(void **state)
{
	(void)state;
	unlink("db");
	return database_open(&database, "db", &why);
}

static int close_store(void **state)
{
	(void)state;
	database_close(database);
	return 0;
}

/* The answer as text, or the error's sentence; arguments in '...' for "...". */
static const char *ask(const char *name, const char *arguments)
{
	static char text[8192];
	char json[2048];
	json_t *value, *answer = NULL;

	snprintf(json, sizeof(json), "%s", arguments);
	for (char *c = json; *c; c++)
		if (*c == '\'')
			*c = '"';
	assert_int_equal(json_parse(span_of_text(json), (struct json_limits){ 4096, 8 }, &value,
				    &why), 0);
	assert_non_null(method_named(name));
	int r = store_run(database, method_named(name), value, &answer, &why);

	json_decref(value);
	if (r < 0)
		return why.text;
	assert_true(json_write(answer, JSON_COMPACT | JSON_SORT_KEYS, text, sizeof(text),
			       NULL) > 0);
	json_decref(answer);
	return text;
}

/* A result as a settled decision leaves it. */
static void keep_result(int improvement, bool success)
{
	json_t *row = json_pack("{s:i, s:b}", "improvement", improvement, "success", success);

	assert_int_equal(database_run(database, "INSERT INTO test_results (improvement_id, success,"
				      " performance_before, performance_after) VALUES (:improvement,"
				      " :success, '{\"t\":3}', '{\"t\":2}')", row, NULL, &why), 0);
	json_decref(row);
}

#define IS(name, arguments, want) assert_string_equal(ask(name, arguments), want)

static void propose(void)
{
	IS("store.session", "{'workspace':'/w','kind':'improve','seed':7,'options':{'a':[1]}}", "{\"session\":1}");
	IS("store.propose", "{'session':1,'workspace':'/w','bottleneck':null,'type':'optimization',"
	   "'source':'tuner','description':'d','changes':{'x':1},'hash':'h','expected':5,'confidence':0.5}",
	   "{\"certainty\":0.5,\"fresh\":1,\"improvement\":1,\"known\":false,\"status\":\"proposed\",\"verdict\":null}");
}

static void a_session_is_found_until_it_ends(void **state)
{
	(void)state;
	IS("store.open", "{'workspace':'/w'}", "{\"environment\":null,\"options\":{},\"seed\":0,\"session\":null}");
	propose();
	IS("store.open", "{'workspace':'/w'}", "{\"environment\":null,\"options\":{\"a\":[1]},\"seed\":7,\"session\":1}");
	IS("store.end", "{'session':1,'workspace':'/w','outcome':'found','lessons':[]}", "{}");
	IS("store.open", "{'workspace':'/w'}", "{\"environment\":null,\"options\":{},\"seed\":0,\"session\":null}");
}

static void the_same_proposal_is_known(void **state)
{
	(void)state;
	propose();
	IS("store.experiment", "{'session':1,'improvement':1,'kind':'validate','plan':{'n':10}}", "{\"experiment\":1}");
	IS("store.verdict", "{'experiment':1,'verdict':'futile','reason':'r','gain':0.01,'gain_lower':null,'pairs':10,'alpha':0.01}", "{}");
	IS("store.verdict", "{'experiment':1,'verdict':'accept','reason':'r','pairs':10,'alpha':0.01}",
	   "that experiment has its verdict");
	keep_result(1, false);
	const char *known = ask("store.propose", "{'session':1,'workspace':'/w','type':'optimization',"
				"'source':'tuner','description':'d','changes':{},'hash':'h','expected':5,'confidence':0.5}");

	assert_non_null(strstr(known, "\"known\":true"));
	assert_non_null(strstr(known, "\"verdict\":\"futile\""));
	IS("store.alpha", "{'workspace':'/w','session':1}", "{\"lifetime\":1,\"nth\":1}");
	IS("store.alpha", "{'workspace':'/w','session':2}", "{\"lifetime\":1,\"nth\":0}");
	IS("store.alpha", "{'workspace':'/w','session':2,'improvement':1}", "{\"lifetime\":1,\"nth\":1}");
}

/* Every pair of states: what the workflow allows and nothing else. */
static void the_database_enforces_the_workflow(void **state)
{
	static const char *const states[] = { "proposed", "testing", "approved", "rejected",
					      "applied", "rolling_back", "rolled_back", "expired" };
	static const char *const allowed[] = {
		"proposed>testing", "proposed>approved", "proposed>rejected", "proposed>expired",
		"testing>proposed", "testing>approved", "testing>rejected", "approved>applied",
		"approved>rejected", "approved>expired", "applied>rolling_back",
		"rolling_back>rolled_back", "rolling_back>applied",
	};
	/* How to get there from proposed. */
	static const char *const paths[][4] = {
		{ NULL }, { "testing" }, { "approved" }, { "rejected" }, { "approved", "applied" },
		{ "approved", "applied", "rolling_back" },
		{ "approved", "applied", "rolling_back", "rolled_back" }, { "expired" },
	};
	int number = 0;

	(void)state;
	propose();
	for (size_t from = 0; from < COUNT(states); from++)
		for (size_t to = 0; to < COUNT(states); to++) {
			char order[400], move[64];
			const char *at = "proposed";
			bool want = false;

			snprintf(order, sizeof(order), "{'session':1,'workspace':'/w','type':'caching',"
				 "'source':'s','description':'d','changes':{},'hash':'%d','confidence':1}", ++number);
			ask("store.propose", order);
			keep_result(number + 1, true);
			for (int i = 0; i < 4 && paths[from][i]; i++) {
				snprintf(order, sizeof(order), "{'improvement':%d,'from':'%s','to':'%s','reason':''}",
					 number + 1, at, paths[from][i]);
				IS("store.status", order, "{}");
				at = paths[from][i];
			}
			snprintf(move, sizeof(move), "%s>%s", states[from], states[to]);
			for (size_t i = 0; i < COUNT(allowed); i++)
				want |= strcmp(allowed[i], move) == 0;
			snprintf(order, sizeof(order), "{'improvement':%d,'from':'%s','to':'%s','reason':''}",
				 number + 1, states[from], states[to]);
			const char *got = ask("store.status", order);

			test_row((strcmp(got, "{}") == 0) == want, "%s: %s", move, got);
		}
}

static void nothing_is_approved_without_a_proof(void **state)
{
	(void)state;
	propose();
	IS("store.status", "{'improvement':1,'from':'proposed','to':'approved','reason':''}",
	   "nothing is approved without a test that succeeded");
	keep_result(1, false);
	IS("store.status", "{'improvement':1,'from':'proposed','to':'approved','reason':''}",
	   "nothing is approved without a test that succeeded");
	keep_result(1, true);
	IS("store.status", "{'improvement':1,'from':'testing','to':'approved','reason':''}",
	   "there is no such improvement with that status");
	IS("store.status", "{'improvement':1,'from':'proposed','to':'approved','reason':''}", "{}");
}

static void a_verdict_is_settled_as_one(void **state)
{
	static const char order[] = "{'experiment':1,'verdict':'accept','reason':'proved','gain':0.3,"
		"'gain_lower':0.2,'pairs':10,'alpha':0.01,'improvement':1,'success':true,"
		"'before':{'t':2},'after':{'t':1},'errors':[],'execution_s':1.5,'to':'%s','confidence':0.9}";
	char text[600];

	(void)state;
	propose();
	ask("store.experiment", "{'session':1,'improvement':1,'kind':'validate','plan':{}}");
	ask("store.status", "{'improvement':1,'from':'proposed','to':'testing','reason':''}");
	snprintf(text, sizeof(text), order, "applied");	/* not from testing: nothing is kept */
	assert_non_null(strstr(ask("store.settle", text), "cannot take that step"));
	assert_null(strstr(ask("store.improvement", "{'improvement':1}"), "accept"));
	snprintf(text, sizeof(text), order, "approved");
	IS("store.settle", text, "{}");
	const char *got = ask("store.improvement", "{'improvement':1}");

	assert_non_null(strstr(got, "\"status\":\"approved\""));
	assert_non_null(strstr(got, "\"confidence\":0.9"));
	assert_non_null(strstr(got, "\"change_percent\":30.0"));
	assert_non_null(strstr(got, "\"verdict\":\"accept\""));
	IS("store.verdict", "{'experiment':1,'verdict':'reject','reason':''}",
	   "that experiment has its verdict");
}

/* Nothing is said to be approved that is not: where it is not being tested any more. */
static void no_verdict_without_the_status_that_it_is_for(void **state)
{
	static const char order[] = "{'experiment':1,'verdict':'accept','reason':'proved','gain':0.3,"
		"'gain_lower':0.2,'pairs':10,'alpha':0.01,'improvement':1,'success':true,"
		"'before':{},'after':{},'errors':[],'execution_s':1,'to':'approved','confidence':0.9}";

	(void)state;
	propose();
	ask("store.experiment", "{'session':1,'improvement':1,'kind':'validate','plan':{}}");
	IS("store.settle", order, "that improvement is not being tested any more, so nothing was decided");
	rows_show(database, "SELECT status || ' ' || (SELECT count(*) FROM test_results) ||"
	      " (SELECT count(verdict) FROM experiments) AS got FROM improvements", "proposed 00");
}

/* As left where the status was changed meanwhile, by a cupel that did not look. */
static void a_verdict_without_its_result_is_proven_anew(void **state)
{
	static const char order[] = "{'session':1,'workspace':'/w','type':'optimization',"
		"'source':'tuner','description':'d','changes':{},'hash':'h','expected':5,'confidence':0.5}";

	(void)state;
	propose();
	ask("store.experiment", "{'session':1,'improvement':1,'kind':'validate','plan':{}}");
	ask("store.verdict", "{'experiment':1,'verdict':'accept','reason':'r','pairs':10,'alpha':0.01}");
	assert_non_null(strstr(ask("store.propose", order), "\"verdict\":null"));
	keep_result(1, true);
	assert_non_null(strstr(ask("store.propose", order), "\"verdict\":{"));
}

/* What was applied, rejected or taken back teaches, in the same transaction. */
static void what_became_of_it_is_a_lesson(void **state)
{
	(void)state;
	propose();
	ask("store.status", "{'improvement':1,'from':'proposed','to':'rejected','reason':'no'}");
	const char *got = ask("store.lessons", "{'workspace':'/w'}");

	assert_non_null(strstr(got, "\"statement\":\"d\""));
	assert_non_null(strstr(got, "\"status\":\"rejected\""));
	assert_non_null(strstr(got, "\"scope\":\"setting\""));
	assert_non_null(strstr(got, "\"metric\":null"));
}

/* The same setting, proposed for one metric and then for another. */
static void a_lesson_is_of_the_metric_it_was_judged_by(void **state)
{
	char text[300];

	(void)state;
	ask("store.session", "{'workspace':'/w','kind':'improve'}");
	for (int number = 1; number <= 3; number++) {
		snprintf(text, sizeof(text), "{'session':1,'workspace':'/w','type':'caching','source':'s',"
			 "'description':'d','changes':{},'hash':'%d','confidence':1}", number);
		ask("store.propose", text);
		snprintf(text, sizeof(text), "{'session':1,'improvement':%d,'kind':'validate',"
			 "'plan':{'benchmark':'%s','metric':'time'}}", number, number == 2 ? "b" : "a");
		ask("store.experiment", text);
		snprintf(text, sizeof(text), "{'experiment':%d,'verdict':'accept','reason':'proved'}", number);
		ask("store.verdict", text);
		snprintf(text, sizeof(text), "{'improvement':%d,'from':'proposed','to':'rejected','reason':''}", number);
		IS("store.status", text, "{}");
	}
	rows_show(database, "SELECT group_concat(metric || n || (evidence ->> 'improvement') ||"
		  " (evidence ->> 'verdict_reason')) AS got FROM lessons", "a.time23proved,b.time12proved");
}

/* Applied, as number, by knobs ("'knob':'a'},{'knob':'b'"). */
static void apply_knobs(int number, const char *knobs)
{
	char text[400];

	snprintf(text, sizeof(text), "{'session':1,'workspace':'/w','type':'caching','source':'s',"
		 "'description':'d','changes':{'knobs':[{%s}]},'hash':'%d','confidence':1}", knobs, number);
	ask("store.propose", text);
	keep_result(number, true);
	snprintf(text, sizeof(text), "{'improvement':%d,'from':'proposed','to':'approved','reason':''}",
		 number);
	IS("store.status", text, "{}");
	snprintf(text, sizeof(text), "{'improvement':%d,'rollback':{}}", number);
	json_t *row = json_loads(ask("store.apply_begin", text), 0, NULL);

	snprintf(text, sizeof(text), "{'apply':%lld,'success':true,'commit':'c','notes':''}",
		 (long long)json_integer_value(json_object_get(row, "apply")));
	IS("store.apply_end", text, "{}");
	json_decref(row);
}

/* The improvements to be watched as "2 1+", where + is for superseded. */
static void watched_are(const char *arguments, const char *want)
{
	json_t *answer = json_loads(ask("store.watched", arguments), 0, NULL), *row;
	char got[100] = "";
	size_t i, used = 0;

	json_array_foreach(json_object_get(answer, "applied"), i, row)
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%lld%s", i ? " " : "",
					 (long long)json_integer_value(json_object_get(row, "improvement")),
					 json_is_true(json_object_get(row, "superseded")) ? "+" : "");
	json_decref(answer);
	assert_string_equal(got, want);
}

static void who_was_watched_longest_ago_comes_first(void **state)
{
	(void)state;
	ask("store.session", "{'workspace':'/w','kind':'improve','seed':7}");
	for (int number = 1; number <= 3; number++)
		apply_knobs(number, "'knob':'a'");
	watched_are("{'workspace':'/w'}", "1+ 2+ 3");
	ask("store.experiment", "{'session':1,'improvement':1,'kind':'watch','plan':{}}");
	watched_are("{'workspace':'/w'}", "2+ 3 1+");
	ask("store.experiment", "{'session':1,'improvement':3,'kind':'watch','plan':{}}");
	ask("store.experiment", "{'session':1,'improvement':2,'kind':'validate','plan':{}}");
	watched_are("{'workspace':'/w'}", "2+ 1+ 3");
	watched_are("{'workspace':'/w','improvement':3}", "3");
	watched_are("{'workspace':'/v'}", "");
}

static void a_change_is_superseded_by_later_ones_of_all_its_knobs(void **state)
{
	(void)state;
	ask("store.session", "{'workspace':'/w','kind':'improve','seed':7}");
	apply_knobs(1, "'knob':'a'},{'knob':'b'");
	apply_knobs(2, "'knob':'a'");
	watched_are("{'workspace':'/w'}", "1 2");
	apply_knobs(3, "'knob':'c'},{'knob':'b'");
	watched_are("{'workspace':'/w'}", "1+ 2 3");
	IS("store.rollback_begin", "{'improvement':3,'reason':''}", "{}");
	IS("store.rollback_end", "{'improvement':3,'success':true,'commit':'r','notes':''}", "{}");
	watched_are("{'workspace':'/w'}", "1 2");
}

/* By hundreds of looks, none twice and none left out, and of the same plan alone. */
static void all_pairs_of_a_plan_are_played_again(void **state)
{
	enum { LOOKS = 400, BUILDS = 210, STOPPED = 302 };
	int want = 0, got = 0, pages = 0;
	json_int_t after = 0;
	char text[300];
	size_t rows;

	(void)state;
	ask("store.session", "{'workspace':'/w','kind':'improve','seed':7}");
	apply_knobs(1, "'knob':'a'");
	apply_knobs(2, "'knob':'b'");
	for (int look = 1; look <= LOOKS; look++) {
		bool other = look % 5 == 0, elsewhere = look % 3 == 0;

		snprintf(text, sizeof(text), "{'session':1,'improvement':%d,'kind':'watch','plan':{'m':'%s'}}",
			 other ? 2 : 1, elsewhere ? "other" : "same");
		ask("store.experiment", text);
		snprintf(text, sizeof(text), "{'experiment':%d,'samples':["
			 "{'pair':0,'arm':'base','first':true,'value':%d,'valid':true},"
			 "{'pair':0,'arm':'candidate','first':false,'value':1,'valid':%s}]}", look,
			 look, look == STOPPED ? "false" : "true");
		if (look >= BUILDS)
			ask("store.samples", text);
		want += look >= BUILDS && !other && !elsewhere && look != STOPPED;
	}
	do {
		snprintf(text, sizeof(text), "{'improvement':1,'plan':{'m':'same'},'after':%lld}",
			 (long long)after);
		json_t *answer = json_loads(ask("store.pairs", text), 0, NULL), *row;
		size_t i;

		rows = json_array_size(json_object_get(answer, "pairs"));
		pages += rows > 0;
		json_array_foreach(json_object_get(answer, "pairs"), i, row) {
			json_int_t look = json_integer_value(json_object_get(row, "look"));
			bool whole = json_is_number(json_object_get(row, "base")) &&
				     json_is_number(json_object_get(row, "candidate"));

			assert_true(look > after);
			if (whole)
				assert_true(json_number_value(json_object_get(row, "base")) ==
					    (double)look);
			after = look;
			got += whole;
		}
		json_decref(answer);
	} while (rows > 0);
	assert_int_equal(got, want);
	assert_int_equal(pages, 3);
}

static void apply_and_roll_back_are_chained(void **state)
{
	json_t *rows = json_array();

	(void)state;
	propose();
	IS("store.apply_begin", "{'improvement':1,'rollback':{}}",
	   "only an approved improvement can be applied");
	keep_result(1, true);
	ask("store.status", "{'improvement':1,'from':'proposed','to':'approved','reason':''}");
	IS("store.apply_begin", "{'improvement':1,'rollback':{'base':'b','files':[]}}", "{\"apply\":1}");
	assert_non_null(strstr(ask("store.recover", "{'workspace':'/w'}"), "\"apply\":{"));
	IS("store.apply_end", "{'apply':1,'success':true,'commit':'c1','notes':'','files':[{'path':'p'}]}", "{}");
	assert_int_equal(database_run(database, "SELECT performance_before AS before,"
				      " performance_after AS after FROM applied_improvements",
				      NULL, rows, &why), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "before")),
			    "{\"t\":3}");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "after")),
			    "{\"t\":2}");
	IS("store.recover", "{'workspace':'/w'}", "{\"interrupted\":[]}");
	IS("store.applied", "{'workspace':'/w'}", "{\"day\":1}");
	IS("store.applied", "{'workspace':'/v'}", "{\"day\":0}");
	assert_non_null(strstr(ask("store.watched", "{'workspace':'/w'}"), "\"commit\":\"c1\""));
	assert_non_null(strstr(ask("store.watched", "{'workspace':'/w'}"), "\"files\":[{\"path\":\"p\"}]"));
	IS("store.rollback_begin", "{'improvement':1,'reason':'slow'}", "{}");
	assert_non_null(strstr(ask("store.recover", "{'workspace':'/w'}"), "rolling_back"));
	IS("store.rollback_end", "{'improvement':1,'success':true,'commit':'c2','notes':''}", "{}");
	IS("store.watched", "{'workspace':'/w'}", "{\"applied\":[]}");
	/* Taken back or not, it counts for a day. */
	IS("store.applied", "{'workspace':'/w'}", "{\"day\":1}");
	assert_int_equal(database_run(database, "UPDATE applied_improvements SET applied_at ="
				      " strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 hours')",
				      NULL, NULL, &why), 0);
	IS("store.applied", "{'workspace':'/w'}", "{\"day\":0}");
	/* Of a clock that was ahead. */
	rows_run(database, "UPDATE applied_improvements SET applied_at ="
	       " strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+25 hours')");
	IS("store.applied", "{'workspace':'/w'}", "{\"day\":0}");
	IS("store.verify", "{}", "{\"broken\":[]}");
	/* The audit cannot be changed, and where it is, it shows. */
	assert_true(database_run(database, "UPDATE audit SET data = '{}' WHERE id = 2", NULL, NULL, &why) < 0);
	assert_true(database_run(database, "DELETE FROM audit WHERE id = 2", NULL, NULL, &why) < 0);
	assert_int_equal(database_run(database, "DROP TRIGGER audit_stays", NULL, NULL, &why), 0);
	assert_int_equal(database_run(database, "UPDATE audit SET data = '{}' WHERE id = 2", NULL, NULL, &why), 0);
	assert_non_null(strstr(ask("store.verify", "{}"), "\"id\":2"));
	json_decref(rows);
}

/* By a campaign that began while it was being applied by hand, or the other way round. */
static void a_commit_counts_though_it_was_called_interrupted(void **state)
{
	(void)state;
	propose();
	keep_result(1, true);
	ask("store.status", "{'improvement':1,'from':'proposed','to':'approved','reason':''}");
	IS("store.apply_begin", "{'improvement':1,'rollback':{}}", "{\"apply\":1}");
	IS("store.apply_end", "{'apply':1,'success':false,'commit':null,'notes':'interrupted'}", "{}");
	IS("store.apply_end", "{'apply':1,'success':false,'commit':null,'notes':'interrupted'}",
	   "that application has ended before");
	IS("store.apply_end", "{'apply':1,'success':true,'commit':'c','notes':''}", "{}");
	IS("store.apply_end", "{'apply':1,'success':true,'commit':'c','notes':''}",
	   "that application has ended before");
	rows_show(database, "SELECT status || success || commit_id || '.' || notes AS got FROM improvements i"
	      " JOIN applied_improvements a ON a.improvement_id = i.id", "applied1c.");
	IS("store.verify", "{}", "{\"broken\":[]}");
}

static void what_was_being_tested_goes_back(void **state)
{
	(void)state;
	propose();
	ask("store.status", "{'improvement':1,'from':'proposed','to':'testing','reason':''}");
	IS("store.recover", "{'workspace':'/other'}", "{\"interrupted\":[]}");
	assert_non_null(strstr(ask("store.improvement", "{'improvement':1}"), "\"status\":\"testing\""));
	IS("store.recover", "{'workspace':'/w'}", "{\"interrupted\":[]}");
	assert_non_null(strstr(ask("store.improvement", "{'improvement':1}"), "\"status\":\"proposed\""));
	IS("store.improvement", "{'improvement':9}", "there is no such improvement");
}

static void bottlenecks_are_kept_once_each(void **state)
{
	(void)state;
	IS("store.bottleneck", "{'workspace':'/w','metric':'m','value':2,'target':1,'severity':'critical','impact':75,'description':'d'}",
	   "{\"id\":1,\"new\":true}");
	IS("store.bottleneck", "{'workspace':'/w','metric':'m','value':3,'target':1,'severity':'critical','impact':80,'description':'e'}",
	   "{\"id\":1,\"new\":false}");
	IS("store.bottleneck", "{'workspace':'/v','metric':'m','value':3,'target':1,'severity':'worst','impact':80,'description':'e'}",
	   "CHECK constraint failed: severity IN ('low', 'medium', 'high', 'critical')");
	IS("store.bottleneck", "{'workspace':'/w','metric':'m','value':1.01,'target':1,'severity':'low','impact':0,'description':'f','known':true}",
	   "{\"id\":1,\"new\":false}");
	assert_non_null(strstr(ask("store.bottlenecks", "{}"), "\"value\":1.01"));
	IS("store.resolve", "{'workspace':'/w','metric':'m'}", "{\"resolved\":1}");
	IS("store.bottleneck", "{'workspace':'/w','metric':'m','value':1.01,'target':1,'severity':'low','impact':0,'description':'f','known':true}",
	   "{}");
	IS("store.resolve", "{'workspace':'/w','metric':'m'}", "{\"resolved\":0}");
	IS("store.bottleneck", "{'workspace':'/w','metric':'m','value':3,'target':1,'severity':'low','impact':1,'description':'e'}",
	   "{\"id\":2,\"new\":true}");
}

static void a_missing_measurement_is_null_and_a_list_is_all_or_nothing(void **state)
{
	(void)state;
	propose();
	IS("store.metrics", "{'session':1,'metrics':{'query_time_ms':5,'own.time':1.5}}", "{\"id\":1}");
	json_t *rows = json_array();

	assert_int_equal(database_run(database, "SELECT query_time_ms, cpu_percent,"
				      " database_size_mb BETWEEN 0.01 AND 10 AS sized FROM performance_metrics", NULL, rows, &why), 0);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "sized")), 1);
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "cpu_percent")));
	json_array_clear(rows);
	ask("store.experiment", "{'session':1,'kind':'validate','plan':{}}");
	IS("store.samples", "{'experiment':1,'samples':[{'pair':0,'arm':'base','first':true,'wall_ns':1,'value':0.5,'valid':true},"
	   "{'pair':0,'arm':'candidate','first':false,'wall_ns':1,'valid':true}]}", "{\"stored\":2}");
	assert_non_null(strstr(ask("store.samples", "{'experiment':1,'samples':[{'pair':1,'arm':'base','first':true,'valid':true},"
				   "{'pair':1,'arm':'neither','first':false,'valid':true}]}"), "CHECK constraint"));
	assert_int_equal(database_run(database, "SELECT count(*) AS n FROM samples", NULL, rows, &why), 0);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "n")), 2);
	assert_non_null(strstr(ask("store.trend", "{'workspace':'/w','metric':'own.time','hours':null}"), "\"mean\":1.5"));
	json_decref(rows);
}

/* What the stats tell of the machine's own share of false accepts. */
static void decisions_of_equals_are_counted_apart(void **state)
{
	static const struct {
		const char *kind, *verdict;
	} rows[] = {
		{ "aa", "accept" }, { "aa", "futile" }, { "aa", "reject" }, { "aa", NULL },
		{ "validate", "accept" }, { "validate", "reject" }, { "validate", NULL },
		{ "watch", NULL },
	};
	char text[200];

	(void)state;
	propose();
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "{'session':1,'kind':'%s','plan':{}}", rows[i].kind);
		ask("store.experiment", text);
		snprintf(text, sizeof(text), "{'experiment':%zu,'verdict':'%s','reason':'r'}", i + 1,
			 rows[i].verdict);
		if (rows[i].verdict)
			IS("store.verdict", text, "{}");
	}
	const char *stats = ask("store.stats", "{'workspace':null}");

	assert_non_null(strstr(stats, "\"self_checks\":3,"));
	assert_non_null(strstr(stats, "\"false_accepts\":1,"));
	assert_non_null(strstr(stats, "\"decisions\":2,"));
	assert_non_null(strstr(stats, "\"accepted\":1,"));
}

/* One workspace's campaign, with a row of everything that is counted; the other has none. */
static void stats_are_of_the_workspace_asked_for(void **state)
{
	static const char none[] = "{\"accepted\":0,\"alpha_spent\":0,\"applied\":0,\"bottlenecks\":0,"
		"\"decisions\":0,\"executions\":0,\"false_accepts\":0,\"improvements\":{},\"lessons\":0,"
		"\"rolled_back\":0,\"self_checks\":0,\"snapshots\":0,\"sources\":[],\"test_cases\":0,"
		"\"test_runs\":0}";
	static const char *const counted[] = {
		"accepted", "alpha_spent", "applied", "bottlenecks", "decisions", "executions",
		"false_accepts", "lessons", "rolled_back", "self_checks", "snapshots", "test_cases",
		"test_runs",
	};
	char text[200];

	(void)state;
	ask("store.session", "{'workspace':'/w','kind':'improve'}");
	ask("store.session", "{'workspace':'/v','kind':'improve'}");
	apply_knobs(1, "'knob':'a'");
	ask("store.rollback_begin", "{'improvement':1,'reason':''}");
	ask("store.rollback_end", "{'improvement':1,'success':true,'commit':'r','notes':''}");
	ask("store.metrics", "{'session':1,'metrics':{'m.t':1}}");
	ask("store.bottleneck", "{'workspace':'/w','metric':'m','value':2,'target':1,'severity':'low','impact':1,'description':'d'}");
	ask("store.execution", "{'session':1,'executions':[{'command':'c','cause':'exited'}]}");
	ask("store.test_run", "{'session':1,'name':'n','totals':{},'flaky':[],'cases':[{'name':'a','outcome':'passed'}]}");
	for (int i = 1; i <= 2; i++) {
		snprintf(text, sizeof(text), "{'session':1,'kind':'%s','plan':{}}", i == 1 ? "aa" : "validate");
		ask("store.experiment", text);
		snprintf(text, sizeof(text), "{'experiment':%d,'verdict':'accept','reason':'r','alpha':1}", i);
		IS("store.verdict", text, "{}");
	}
	for (int i = 0; i < 2; i++) {
		json_t *stats = json_loads(ask("store.stats", i ? "{'workspace':'/w'}" : "{}"), 0, NULL);

		for (size_t n = 0; n < COUNT(counted); n++)
			test_row(json_number_value(json_object_get(stats, counted[n])) == 1,
				 "%s, %s", counted[n], i ? "/w" : "all");
		json_decref(stats);
	}
	IS("store.stats", "{'workspace':'/v'}", none);
}

static void a_list_that_is_cut_says_how_long_it_is(void **state)
{
	char text[300];

	(void)state;
	IS("store.improvements", "{}", "{\"count\":0,\"improvements\":[]}");
	ask("store.session", "{'workspace':'/w','kind':'improve'}");
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "{'session':1,'workspace':'%s','type':'caching','source':'s',"
			 "'description':'d','changes':{},'hash':'%d','confidence':1}", i ? "/w" : "/v", i);
		ask("store.propose", text);
	}
	json_t *answer = json_loads(ask("store.improvements", "{'workspace':'/w','limit':2}"), 0, NULL);
	const json_t *rows = json_object_get(answer, "improvements");

	assert_int_equal(json_integer_value(json_object_get(answer, "count")), 3);
	assert_int_equal(json_array_size(rows), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "improvement")), 4);
	json_decref(answer);
	IS("store.improvements", "{'workspace':'/w','status':'applied'}", "{\"count\":0,\"improvements\":[]}");
}

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* By the hash of its text (FIPS 180-4, the example "abc"). */
static void where_it_was_measured_is_kept_once_and_named(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		IS("store.environment", "{'facts':'abc'}", "{\"environment\":\"" ABC "\"}");
	assert_non_null(strstr(ask("store.session", "{'workspace':'/w','kind':'improve','environment':'none'}"),
			       "FOREIGN KEY"));
	IS("store.session", "{'workspace':'/w','kind':'improve','environment':'" ABC "'}", "{\"session\":1}");
	IS("store.session", "{'workspace':'/w','kind':'improve'}", "{\"session\":2}");
	assert_non_null(strstr(ask("store.open", "{'workspace':'/w'}"), "\"environment\":null"));
	IS("store.metrics", "{'session':1,'metrics':{'m.t':1}}", "{\"id\":1}");
	IS("store.metrics", "{'session':2,'metrics':{'m.t':2}}", "{\"id\":2}");
	IS("store.metrics", "{'session':1,'metrics':{'m.t':3}}", "{\"id\":3}");
	IS("store.test_run", "{'session':1,'name':'n','commit':'c','totals':{},'flaky':[],"
	   "'cases':[{'name':'unit: a: b','outcome':'passed','file':'a.c'},{'name':'whole','outcome':'passed'}]}",
	   "{\"test_run\":1}");
	IS("store.baseline", "{'workspace':'/w','commit':'c','environment':'" ABC "','metrics':{}}", "{\"id\":1}");
	rows_show(database, "SELECT group_concat(env_hash = '" ABC "') AS got FROM (SELECT env_hash FROM test_runs"
	      " UNION ALL SELECT env_hash FROM baselines)", "1,1");
	rows_show(database, "SELECT group_concat(suite || ':' || coalesce(file, '-')) AS got FROM test_cases",
	      "unit:a.c,whole:-");
	rows_show(database, "SELECT group_concat(env_hash || ':' || n) AS got FROM (SELECT env_hash, count(*) AS n"
	      " FROM points JOIN series s ON s.id = series_id GROUP BY s.id ORDER BY 1)", ":1," ABC ":2");
	assert_non_null(strstr(ask("store.trend", "{'workspace':'/w','metric':'m.t'}"), "\"environment\":\"" ABC));
	assert_non_null(strstr(ask("store.environments", "{'workspace':'/w','metric':'m.t'}"), "\"facts\":\"abc\""));
	IS("store.environments", "{'workspace':'/v','metric':'m.t'}", "{\"environments\":[]}");
}

static void every_statement_is_sound(void **state)
{
	static const char *const reads[] = { "store.stats", "store.improvements", "store.bottlenecks",
					     "store.events", "store.verify" };

	(void)state;
	for (size_t i = 0; i < COUNT(reads); i++)
		test_row(*ask(reads[i], "{'workspace':null}") == '{', "%s: %s", reads[i], why.text);
	propose();
	assert_non_null(strstr(ask("store.record", "{'source':'tuner','workspace':'/w'}"), "\"promised\""));
	for (int i = 0; i < 2; i++)
		IS("store.end", "{'session':1,'workspace':'/w','outcome':'o','lessons':[{'scope':'knob','statement':'s','evidence':{}}]}", "{}");
	assert_non_null(strstr(ask("store.lessons", "{'workspace':'/w'}"), "\"n\":2"));
	IS("store.forget", "{'lesson':1}", "{\"statement\":\"s\"}");
	IS("store.forget", "{'lesson':1}", "there is no such lesson");
	IS("store.trial", "{'session':1,'config':[1,2],'why':1,'step':0,'expected':null,'outcome':0,'cost':0.9,'binary':5,'reused':false}", "{}");
	assert_non_null(strstr(ask("store.trials", "{'session':1}"), "\"config\":[1,2]"));
	IS("store.test_run", "{'session':1,'name':'n','commit':'c1','totals':{},'flaky':[],'cases':[{'name':'a','outcome':'passed','duration_ns':5}]}", "{\"test_run\":1}");
	IS("store.execution", "{'session':1,'executions':[{'command':'c','cause':'exited','exit_code':0},{'command':'d','cause':'wall'}]}", "{\"stored\":2}");
	IS("store.baseline", "{'workspace':'/w','commit':'c','metrics':{}}", "{\"id\":1}");
	IS("store.event", "{'events':[{'kind':'k','data':{}},{'kind':'l'}]}", "{\"stored\":2}");
	IS("store.call", "{'calls':[{'call':1,'tool':'t','client_role':'owner','outcome':'ok','attempts':1,'wall_ns':5}]}", "{\"stored\":1}");
}

static void who_holds_the_file_is_waited_for_and_counted(void **state)
{
	struct database *other;

	(void)state;
	assert_null(strstr(ask("store.database", "{}"), "\"size_bytes\":0"));
	assert_non_null(strstr(ask("store.database", "{}"), "\"busy\":0"));
	assert_int_equal(database_open(&other, "db", &why), 0);
	assert_int_equal(database_begin(other, false, &why), 0);
	assert_non_null(strstr(ask("store.session", "{'workspace':'/w','kind':'improve','seed':7,'options':{}}"),
			       "locked"));
	database_close(other);
	assert_non_null(strstr(ask("store.database", "{}"), "\"busy\":1"));
	propose();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_store, close_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_found_until_it_ends),
		TEST(the_same_proposal_is_known),
		TEST(the_database_enforces_the_workflow),
		TEST(nothing_is_approved_without_a_proof),
		TEST(a_verdict_is_settled_as_one),
		TEST(no_verdict_without_the_status_that_it_is_for),
		TEST(a_verdict_without_its_result_is_proven_anew),
		TEST(what_became_of_it_is_a_lesson),
		TEST(a_lesson_is_of_the_metric_it_was_judged_by),
		TEST(who_was_watched_longest_ago_comes_first),
		TEST(a_change_is_superseded_by_later_ones_of_all_its_knobs),
		TEST(all_pairs_of_a_plan_are_played_again),
		TEST(apply_and_roll_back_are_chained),
		TEST(a_commit_counts_though_it_was_called_interrupted),
		TEST(what_was_being_tested_goes_back),
		TEST(bottlenecks_are_kept_once_each),
		TEST(a_missing_measurement_is_null_and_a_list_is_all_or_nothing),
		TEST(decisions_of_equals_are_counted_apart),
		TEST(stats_are_of_the_workspace_asked_for),
		TEST(a_list_that_is_cut_says_how_long_it_is),
		TEST(where_it_was_measured_is_kept_once_and_named),
		TEST(every_statement_is_sound),
		TEST(who_holds_the_file_is_waited_for_and_counted),
	};

	return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
