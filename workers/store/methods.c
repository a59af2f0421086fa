#include "workers/store/methods.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

#define NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/* Appends to the audit: what kind, and which columns tell of it. */
#define AUDIT(kind, data)                                                     \
	"INSERT INTO audit (timestamp, kind, data, previous, hash)"           \
	" SELECT t, k, d, p, chain(p, t, k, d) FROM (SELECT " NOW " AS t, "   \
	"'" kind "' AS k, " data " AS d, coalesce((SELECT hash FROM audit"    \
	" ORDER BY id DESC LIMIT 1), '') AS p)"

#define IMPROVEMENT                                                           \
	"i.id AS improvement, i.workspace, i.session_id AS session, i.suggestion_type AS type," \
	" i.source, i.description, i.status, i.reason, i.expected_improvement AS expected," \
	" i.confidence, i.timestamp, i.code_changes AS \"changes::json\","    \
	" (SELECT gain FROM experiments WHERE improvement_id = i.id AND kind = 'validate'" \
	"  ORDER BY id DESC LIMIT 1) AS gain,"                                \
	" (SELECT gain_lower FROM experiments WHERE improvement_id = i.id AND kind = 'validate'" \
	"  ORDER BY id DESC LIMIT 1) AS gain_lower"

#define IMPROVEMENTS_ASKED_FOR                                                \
	"FROM improvements i WHERE (:workspace IS NULL OR i.workspace = :workspace)" \
	" AND (:status IS NULL OR i.status = :status)"

#define BOTTLENECKS_ASKED_FOR                                                 \
	"FROM bottlenecks WHERE (:workspace IS NULL OR workspace = :workspace)" \
	" AND (coalesce(:all, 0) = 1 OR resolved = 0)"

#define LESSONS_ASKED_FOR                                                     \
	"FROM lessons WHERE (:workspace IS NULL OR workspace = :workspace)"   \
	" AND (:days IS NULL OR last_seen >="                                 \
	" strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || :days || ' days'))"

#define APPLIED                                                               \
	"(SELECT json_object('id', a.id, 'commit', a.commit_id, 'applied_at', a.applied_at," \
	" 'success', a.success, 'rollback', json(a.rollback_data), 'rolled_back', a.rolled_back," \
	" 'rolled_back_at', a.rolled_back_at, 'rollback_commit', a.rollback_commit," \
	" 'notes', a.notes) FROM applied_improvements a WHERE a.improvement_id = i.id" \
	" ORDER BY a.id DESC LIMIT 1)"

/* Each knob that i has set by a was set anew by a later one, which is applied. */
#define SUPERSEDED                                                            \
	"(json_array_length(i.code_changes, '$.knobs') > 0 AND NOT EXISTS (SELECT 1" \
	" FROM json_each(i.code_changes, '$.knobs') k WHERE NOT EXISTS (SELECT 1"  \
	"  FROM improvements n JOIN applied_improvements l ON l.improvement_id = n.id," \
	"  json_each(n.code_changes, '$.knobs') m WHERE n.workspace = i.workspace" \
	"  AND n.status = 'applied' AND l.success = 1 AND l.rolled_back = 0"      \
	"  AND l.id > a.id AND m.value ->> 'knob' = k.value ->> 'knob')))"

/* What the proof has measured, before the change or with it. */
#define PROVEN(which, improvement)                                            \
	"(SELECT performance_" which " FROM test_results WHERE improvement_id = " improvement \
	" AND success = 1 ORDER BY id DESC LIMIT 1)"

/* Of this database as it is by then. */
#define DATABASE_MB                                                           \
	"(SELECT page_count * page_size / 1048576.0 FROM pragma_page_count, pragma_page_size)"

/* Of the run that was begun right before. */
#define TEST_CASES                                                            \
	"INSERT INTO test_cases (test_run_id, name, outcome, duration_ns, detail, file)" \
	" SELECT :test_run, json_extract(value, '$.name'), json_extract(value, '$.outcome')," \
	" json_extract(value, '$.duration_ns'), json_extract(value, '$.detail')," \
	" json_extract(value, '$.file') FROM json_each(:cases)"

/* What the campaigns and the runs of that workspace left; of none named: of all. */
#define IN_SCOPE(table, more)                                                 \
	"FROM " table " WHERE (:workspace IS NULL OR session_id IN"           \
	" (SELECT id FROM sessions WHERE workspace = :workspace))" more

#define APPLIED_IN_SCOPE(flag)                                                \
	"FROM applied_improvements WHERE " flag " = 1 AND (:workspace IS NULL" \
	" OR improvement_id IN (SELECT id FROM improvements WHERE workspace = :workspace))"

/*
 * The newest thousand of every series of a metric, as they were or rolled up: each
 * is found by the index, however many there are.
 */
#define TREND(step, n, mean, least, most, last, median, table, more)          \
	"SELECT p.timestamp AS at, s.kind AS \"by\", " step " AS step, " n " AS n, " \
	mean " AS mean, " least " AS min, " most " AS max, " last " AS last, " \
	median " AS median, nullif(s.env_hash, '') AS environment FROM series s JOIN " table " p ON p.series_id = s.id" more \
	" AND p.timestamp >= max(coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', 'now',"  \
	"  '-' || :hours || ' hours'), ''), coalesce((SELECT timestamp FROM " table \
	"  WHERE series_id = s.id" more " ORDER BY timestamp DESC LIMIT 1 OFFSET 999), ''))" \
	" WHERE s.workspace = :workspace AND s.metric = :metric"

static const struct method methods[] = {
	{ "store.environment", {
		"INSERT INTO environments (hash, facts) VALUES (sha256(:facts), :facts)"
		" ON CONFLICT DO NOTHING",
		"SELECT sha256(:facts) AS environment" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.environments", {
		"SELECT hash AS environment, facts, timestamp FROM environments WHERE hash IN"
		" (SELECT env_hash FROM series WHERE workspace = :workspace AND metric = :metric)" },
	  ANSWER_LIST, "environments", NULL, false, NULL },

	{ "store.session", {
		"INSERT INTO sessions (workspace, kind, seed, env_hash, options)"
		" VALUES (:workspace, :kind, :seed, :environment, :options)"
		" RETURNING id AS session" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.open", {
		"SELECT (SELECT id FROM sessions WHERE workspace = :workspace AND kind = 'improve'"
		" AND ended IS NULL ORDER BY id DESC LIMIT 1) AS session",
		"SELECT coalesce(s.seed, 0) AS seed, s.env_hash AS environment,"
		" coalesce(s.options, '{}') AS \"options::json\""
		" FROM (SELECT 1) LEFT JOIN sessions s ON s.id = :session" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.end", {
		"INSERT INTO lessons (workspace, scope, statement, evidence)"
		" VALUES (:workspace, :scope, :statement, :evidence)"
		" ON CONFLICT (workspace, scope, metric, statement) DO UPDATE SET n = n + 1,"
		" evidence = excluded.evidence, last_seen = " NOW,
		"UPDATE sessions SET ended = " NOW ", outcome = :outcome WHERE id = :session"
		" RETURNING id" },
	  ANSWER_NOTHING, NULL, "lessons", false, NULL },

	{ "store.metrics", {
		"INSERT INTO performance_metrics (session_id, indexing_speed, memory_usage_mb,"
		" query_time_ms, cpu_percent, database_size_mb, active_connections,"
		" cache_hit_rate, error_count, samples, metrics_json) SELECT :session,"
		" json_extract(m, '$.indexing_speed'), json_extract(m, '$.memory_usage_mb'),"
		" json_extract(m, '$.query_time_ms'), json_extract(m, '$.cpu_percent'),"
		" coalesce(json_extract(m, '$.database_size_mb'), " DATABASE_MB "), json_extract(m, '$.active_connections'),"
		" json_extract(m, '$.cache_hit_rate'), json_extract(m, '$.error_count'), :samples, m"
		" FROM (SELECT :metrics AS m) RETURNING id" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.trend", {
		TREND("'raw'", "1", "value", "value", "value", "value", "value", "points", "")
		" UNION ALL "
		TREND("step", "n", "sum / n", "least", "most", "last", "NULL", "rollups",
		      " AND step = 'minute'")
		" UNION ALL "
		TREND("step", "n", "sum / n", "least", "most", "last", "NULL", "rollups",
		      " AND step = 'hour'")
		" ORDER BY at DESC LIMIT 1000" },
	  ANSWER_LIST, "trend", NULL, false, NULL },

	/* known: only what is there already is brought up to date. */
	{ "store.bottleneck", {
		"INSERT INTO bottlenecks (workspace, metric_name, current_value, target_value,"
		" severity, impact_score, description) SELECT :workspace, :metric, :value,"
		" :target, :severity, :impact, :description WHERE coalesce(:known, 0) = 0 OR"
		" EXISTS (SELECT 1 FROM bottlenecks WHERE workspace = :workspace"
		"  AND metric_name = :metric AND resolved = 0)"
		" ON CONFLICT (workspace, metric_name) WHERE resolved = 0 DO UPDATE SET"
		" current_value = excluded.current_value, target_value = excluded.target_value,"
		" severity = excluded.severity, impact_score = excluded.impact_score,"
		" description = excluded.description, seen = seen + 1, updated = " NOW
		" RETURNING id, seen = 1 AS \"new::bool\"" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.resolve", {
		"UPDATE bottlenecks SET resolved = 1, updated = " NOW
		" WHERE workspace = :workspace AND metric_name = :metric AND resolved = 0"
		" RETURNING id" },
	  ANSWER_COUNT, "resolved", NULL, false, NULL },
	{ "store.bottlenecks", {
		"SELECT count(*) AS count " BOTTLENECKS_ASKED_FOR,
		"SELECT id, workspace, metric_name AS metric, current_value AS value,"
		" target_value AS target, severity, impact_score AS impact, description,"
		" resolved AS \"resolved::bool\", seen, timestamp, updated, EXISTS (SELECT 1"
		"  FROM applied_improvements a JOIN improvements i ON i.id = a.improvement_id"
		"  WHERE i.workspace = bottlenecks.workspace AND a.success = 1"
		"  AND max(a.applied_at, coalesce(a.rolled_back_at, '')) > updated)"
		"  AS \"outdated::bool\" " BOTTLENECKS_ASKED_FOR
		" ORDER BY resolved, impact_score DESC LIMIT coalesce(:limit, 50)" },
	  ANSWER_PAGE, "bottlenecks", NULL, false, NULL },

	/* A verdict without the result it is settled with is none. */
	{ "store.propose", {
		"INSERT INTO improvements (bottleneck_id, session_id, workspace, suggestion_type,"
		" source, description, code_changes, hash, expected_improvement, confidence)"
		" VALUES (:bottleneck, :session, :workspace, :type, :source, :description,"
		" :changes, :hash, :expected, :confidence)"
		" ON CONFLICT (workspace, hash) DO NOTHING RETURNING id AS fresh",
		"SELECT i.id AS improvement, i.status, i.confidence AS certainty, :fresh IS NULL AS \"known::bool\","
		" (SELECT json_object('verdict', verdict, 'reason', reason, 'gain', gain,"
		"  'gain_lower', gain_lower, 'pairs', pairs, 'timestamp', timestamp)"
		"  FROM experiments WHERE improvement_id = i.id AND kind = 'validate'"
		"  AND verdict IS NOT NULL AND EXISTS (SELECT 1 FROM test_results"
		"   WHERE improvement_id = i.id) ORDER BY id DESC LIMIT 1) AS \"verdict::json\""
		" FROM improvements i WHERE workspace = :workspace AND hash = :hash" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.status", {
		"UPDATE improvements SET status = :to, reason = :reason"
		" WHERE id = :improvement AND status = :from RETURNING id",
		"INSERT INTO events (session_id, kind, data) SELECT session_id, 'status',"
		" json_object('improvement', id, 'from', :from, 'to', :to, 'reason', :reason)"
		" FROM improvements WHERE id = :improvement" },
	  ANSWER_NOTHING, NULL, NULL, true,
	  "there is no such improvement with that status" },
	/* A verdict, its result and what becomes of the change: all, or none. */
	{ "store.settle", {
		"SELECT id FROM improvements WHERE id = :improvement AND status = 'testing'",
		"UPDATE experiments SET verdict = :verdict, reason = :reason, gain = :gain,"
		" gain_lower = :gain_lower, pairs = :pairs, alpha = :alpha"
		" WHERE id = :experiment AND verdict IS NULL",
		"INSERT INTO test_results (improvement_id, success, performance_before,"
		" performance_after, performance_change_percent, errors, warnings, execution_time)"
		" VALUES (:improvement, :success, :before, :after, 100 * :gain, :errors, '[]',"
		" :execution_s)",
		"UPDATE improvements SET status = :to, reason = :reason, confidence = :confidence"
		" WHERE id = :improvement",
		"INSERT INTO events (session_id, kind, data) SELECT session_id, 'status',"
		" json_object('improvement', id, 'from', 'testing', 'to', :to, 'reason', :reason)"
		" FROM improvements WHERE id = :improvement" },
	  ANSWER_NOTHING, NULL, NULL, true,
	  "that improvement is not being tested any more, so nothing was decided" },

	{ "store.experiment", {
		"INSERT INTO experiments (session_id, improvement_id, kind, plan)"
		" VALUES (:session, :improvement, :kind, :plan) RETURNING id AS experiment" },
	  ANSWER_ROW, NULL, NULL, true, NULL },
	{ "store.samples", {
		"INSERT INTO samples (experiment_id, pair, arm, first, wall_ns, cpu_ns, value, valid)"
		" VALUES (:experiment, :pair, :arm, :first, :wall_ns, :cpu_ns, :value, :valid)" },
	  ANSWER_COUNT, "stored", "samples", false, NULL },
	{ "store.verdict", {
		"UPDATE experiments SET verdict = :verdict, reason = :reason, gain = :gain,"
		" gain_lower = :gain_lower, pairs = :pairs, alpha = :alpha"
		" WHERE id = :experiment AND verdict IS NULL RETURNING id" },
	  ANSWER_NOTHING, NULL, NULL, true, "that experiment has its verdict" },
	{ "store.alpha", {
		"SELECT (SELECT count(*) FROM experiments WHERE kind = 'validate'"
		" AND (session_id = :session OR improvement_id = :improvement)) AS nth, (SELECT count(*) FROM experiments e"
		" JOIN sessions s ON s.id = e.session_id WHERE s.workspace = :workspace"
		" AND e.kind = 'validate') AS lifetime" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.trial", {
		"INSERT INTO trials (session_id, config, why, step, expected, outcome, cost, binary,"
		" reused) VALUES (:session, :config, :why, :step, :expected, :outcome, :cost,"
		" :binary, :reused)" },
	  ANSWER_NOTHING, NULL, NULL, false, NULL },
	{ "store.trials", {
		"SELECT config AS \"config::json\", why, step, expected, outcome, cost, binary,"
		" reused AS \"reused::bool\" FROM trials WHERE session_id = :session ORDER BY id" },
	  ANSWER_LIST, "trials", NULL, false, NULL },

	{ "store.apply_begin", {
		"INSERT INTO applied_improvements (improvement_id, performance_before, rollback_data)"
		" SELECT id, " PROVEN("before", "improvements.id") ", :rollback FROM improvements"
		" WHERE id = :improvement AND status = 'approved' RETURNING id AS apply",
		AUDIT("apply_begin", "json_object('improvement', :improvement, 'apply', :apply,"
		      " 'rollback', json(:rollback))") },
	  ANSWER_ROW, NULL, NULL, true, "only an approved improvement can be applied" },
	/* A commit that is there counts, be it that somebody had called it interrupted. */
	{ "store.apply_end", {
		"UPDATE applied_improvements SET success = :success, commit_id = :commit,"
		" performance_after = CASE WHEN :success = 1 THEN "
		PROVEN("after", "applied_improvements.improvement_id") " END,"
		" notes = :notes, rollback_data = CASE"
		"  WHEN :files IS NULL THEN rollback_data"
		"  ELSE json_set(rollback_data, '$.files', json(:files), '$.inverse', :inverse) END"
		" WHERE id = :apply AND (success IS NULL OR success < :success)"
		" RETURNING improvement_id AS improvement",
		"UPDATE improvements SET status = 'applied' WHERE id = :improvement AND :success = 1",
		AUDIT("apply_end", "json_object('improvement', :improvement, 'apply', :apply,"
		      " 'success', :success, 'commit', :commit)") },
	  ANSWER_NOTHING, NULL, NULL, true, "that application has ended before" },
	{ "store.rollback_begin", {
		"UPDATE improvements SET status = 'rolling_back', reason = :reason"
		" WHERE id = :improvement AND status = 'applied' RETURNING id",
		AUDIT("rollback_begin", "json_object('improvement', :improvement, 'reason', :reason)") },
	  ANSWER_NOTHING, NULL, NULL, true, "only an applied improvement can be rolled back" },
	{ "store.rollback_end", {
		"UPDATE improvements SET status = CASE WHEN :success = 1 THEN 'rolled_back'"
		" ELSE 'applied' END WHERE id = :improvement AND status = 'rolling_back' RETURNING id",
		"UPDATE applied_improvements SET rolled_back = 1, rolled_back_at = " NOW ","
		" rollback_commit = :commit, notes = :notes WHERE improvement_id = :improvement"
		" AND success = 1 AND rolled_back = 0 AND :success = 1",
		AUDIT("rollback_end", "json_object('improvement', :improvement, 'success', :success,"
		      " 'commit', :commit)") },
	  ANSWER_NOTHING, NULL, NULL, true, "that improvement is not being rolled back" },
	{ "store.applied", {
		"SELECT count(*) AS day FROM applied_improvements a"
		" JOIN improvements i ON i.id = a.improvement_id WHERE i.workspace = :workspace"
		" AND a.success = 1 AND a.applied_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')"
		" AND a.applied_at <= " NOW },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	/* Whose last look is longest ago comes first, and before all who had none. */
	{ "store.watched", {
		"SELECT " IMPROVEMENT ", a.id AS apply, a.commit_id AS \"commit\","
		" a.rollback_data AS \"rollback::json\", " SUPERSEDED " AS \"superseded::bool\""
		" FROM improvements i JOIN applied_improvements a ON a.improvement_id = i.id"
		" WHERE i.workspace = :workspace AND i.status = 'applied' AND a.success = 1"
		" AND a.rolled_back = 0 AND (:improvement IS NULL OR i.id = :improvement)"
		" ORDER BY (SELECT max(id) FROM experiments WHERE improvement_id = i.id"
		"  AND kind = 'watch'), a.id" },
	  ANSWER_LIST, "applied", NULL, false, NULL },
	/* Of a hundred looks by that plan, in their order; one without a pair has null. */
	{ "store.pairs", {
		"SELECT e.id AS look, b.value AS base, c.value AS candidate FROM (SELECT id"
		" FROM experiments WHERE improvement_id = :improvement AND kind = 'watch'"
		" AND plan = :plan AND id > :after ORDER BY id LIMIT 100) e"
		" LEFT JOIN samples b ON b.experiment_id = e.id AND b.arm = 'base' AND b.valid = 1"
		" LEFT JOIN samples c ON c.experiment_id = e.id AND c.arm = 'candidate' AND c.valid = 1"
		"  AND c.pair = b.pair ORDER BY e.id, b.pair" },
	  ANSWER_LIST, "pairs", NULL, false, NULL },
	/* Of whoever holds the copies: nobody else is testing anything then. */
	{ "store.recover", {
		"UPDATE improvements SET status = 'proposed', reason = 'interrupted while testing'"
		" WHERE workspace = :workspace AND status = 'testing' RETURNING id",
		"SELECT i.id AS improvement, i.hash, i.status, i.code_changes AS \"changes::json\", "
		APPLIED " AS \"apply::json\""
		" FROM improvements i WHERE i.workspace = :workspace AND"
		" (i.status = 'rolling_back' OR (i.status = 'approved' AND EXISTS (SELECT 1"
		"  FROM applied_improvements WHERE improvement_id = i.id AND success IS NULL)))"
		" ORDER BY i.id" },
	  ANSWER_LIST, "interrupted", NULL, true, NULL },

	{ "store.improvements", {
		"SELECT count(*) AS count " IMPROVEMENTS_ASKED_FOR,
		"SELECT " IMPROVEMENT " " IMPROVEMENTS_ASKED_FOR
		" ORDER BY i.id DESC LIMIT coalesce(:limit, 50)" },
	  ANSWER_PAGE, "improvements", NULL, false, NULL },
	{ "store.improvement", {
		"SELECT " IMPROVEMENT ", i.hash, " APPLIED " AS \"apply::json\","
		" (SELECT json_group_array(json_object('success', success, 'before',"
		"  json(performance_before), 'after', json(performance_after), 'change_percent',"
		"  performance_change_percent, 'errors', json(errors), 'execution_s', execution_time,"
		"  'timestamp', timestamp)) FROM test_results WHERE improvement_id = i.id)"
		"  AS \"tests::json\","
		" (SELECT json_group_array(json_object('experiment', id, 'kind', kind, 'verdict',"
		"  verdict, 'reason', reason, 'gain', gain, 'gain_lower', gain_lower, 'pairs', pairs,"
		"  'alpha', alpha, 'plan', json(plan), 'timestamp', timestamp)) FROM experiments"
		"  WHERE improvement_id = i.id) AS \"experiments::json\""
		" FROM improvements i WHERE i.id = :improvement" },
	  ANSWER_ONE, "improvement", NULL, false, "there is no such improvement" },
	{ "store.database", {
		"SELECT page_count * page_size AS size_bytes, busy() AS busy"
		" FROM pragma_page_count, pragma_page_size" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.stats", {
		"SELECT (SELECT count(*) " IN_SCOPE("performance_metrics", "") ") AS snapshots,"
		" (SELECT count(*) FROM bottlenecks WHERE resolved = 0"
		"  AND (:workspace IS NULL OR workspace = :workspace)) AS bottlenecks,"
		" (SELECT json_group_object(status, n) FROM (SELECT status, count(*) AS n"
		"  FROM improvements WHERE (:workspace IS NULL OR workspace = :workspace)"
		"  GROUP BY status)) AS \"improvements::json\","
		" (SELECT count(*) " IN_SCOPE("experiments", " AND kind = 'validate'"
		"  AND verdict IS NOT NULL") ") AS decisions,"
		" (SELECT count(*) " IN_SCOPE("experiments", " AND kind = 'validate'"
		"  AND verdict = 'accept'") ") AS accepted,"
		" (SELECT count(*) " IN_SCOPE("experiments", " AND kind = 'aa'"
		"  AND verdict IS NOT NULL") ") AS self_checks,"
		" (SELECT count(*) " IN_SCOPE("experiments", " AND kind = 'aa'"
		"  AND verdict = 'accept'") ") AS false_accepts,"
		" (SELECT coalesce(sum(alpha), 0) " IN_SCOPE("experiments",
		"  AND kind = 'validate'") ") AS alpha_spent,"
		" (SELECT json_group_array(json_object('source', source, 'proposed', proposed,"
		"  'accepted', accepted, 'applied', applied, 'kept', kept, 'promised', promised))"
		"  FROM (SELECT source, count(*) AS proposed, count(*) FILTER (WHERE EXISTS"
		"   (SELECT 1 FROM experiments e WHERE e.improvement_id = i.id"
		"    AND e.kind = 'validate' AND e.verdict = 'accept')) AS accepted,"
		"   count(*) FILTER (WHERE status IN ('applied', 'rolling_back', 'rolled_back'))"
		"    AS applied, count(*) FILTER (WHERE status = 'applied') AS kept,"
		"   sum(confidence) FILTER (WHERE status IN ('applied', 'rolling_back',"
		"    'rolled_back')) AS promised FROM improvements i"
		"   WHERE :workspace IS NULL OR workspace = :workspace"
		"   GROUP BY source)) AS \"sources::json\","
		" (SELECT count(*) " IN_SCOPE("executions", "") ") AS executions,"
		" (SELECT count(*) " IN_SCOPE("test_runs", "") ") AS test_runs,"
		" (SELECT count(*) FROM test_cases WHERE test_run_id IN (SELECT id "
		IN_SCOPE("test_runs", "") ")) AS test_cases,"
		" (SELECT count(*) FROM lessons WHERE :workspace IS NULL"
		"  OR workspace = :workspace) AS lessons,"
		" (SELECT count(*) " APPLIED_IN_SCOPE("success") ") AS applied,"
		" (SELECT count(*) " APPLIED_IN_SCOPE("rolled_back") ") AS rolled_back" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.record", {
		"SELECT (SELECT json_object('wins', count(*) FILTER (WHERE verdict = 'accept'),"
		" 'losses', count(*) FILTER (WHERE verdict IN ('reject', 'futile')))"
		" FROM experiments e JOIN improvements i ON i.id = e.improvement_id"
		" WHERE i.source = :source AND i.workspace = :workspace AND e.kind = 'validate') AS h,"
		" (SELECT json_object('wins', count(*) FILTER (WHERE verdict = 'accept'),"
		" 'losses', count(*) FILTER (WHERE verdict IN ('reject', 'futile')))"
		" FROM experiments e JOIN improvements i ON i.id = e.improvement_id"
		" WHERE i.source = :source AND i.workspace <> :workspace AND e.kind = 'validate') AS e",
		"SELECT json_patch(:h, (SELECT json_object('promised', coalesce(sum(i.confidence), 0),"
		" 'kept', count(*) FILTER (WHERE i.status = 'applied')) FROM improvements i"
		" WHERE i.source = :source AND i.workspace = :workspace"
		" AND i.status IN ('applied', 'rolling_back', 'rolled_back'))) AS \"here::json\","
		" json_patch(:e, (SELECT json_object('promised', coalesce(sum(i.confidence), 0),"
		" 'kept', count(*) FILTER (WHERE i.status = 'applied')) FROM improvements i"
		" WHERE i.source = :source AND i.workspace <> :workspace"
		" AND i.status IN ('applied', 'rolling_back', 'rolled_back'))) AS \"elsewhere::json\"" },
	  ANSWER_ROW, NULL, NULL, false, NULL },

	{ "store.execution", {
		"INSERT INTO executions (session_id, command, cause, exit_code, wall_ns, user_ns,"
		" system_ns, rss_bytes) VALUES (:session, :command, :cause, :exit_code, :wall_ns,"
		" :user_ns, :system_ns, :rss_bytes) RETURNING id" },
	  ANSWER_COUNT, "stored", "executions", false, NULL },
	{ "store.test_run", {
		"INSERT INTO test_runs (session_id, name, commit_id, env_hash, totals, flaky)"
		" VALUES (:session, :name, :commit, (SELECT env_hash FROM sessions WHERE id = :session),"
		" :totals, :flaky) RETURNING id AS test_run",
		TEST_CASES },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	/* One of `cupel test` or `cupel bench`, with all that it ran, once it has ended. */
	{ "store.run", {
		"INSERT INTO sessions (workspace, kind, env_hash, started, ended, outcome)"
		" VALUES (:workspace, :kind, :environment, strftime('%Y-%m-%dT%H:%M:%fZ', 'now',"
		"  '-' || :seconds || ' seconds'), " NOW ", :outcome) RETURNING id AS session",
		"INSERT INTO executions (session_id, command, cause, exit_code, wall_ns, user_ns,"
		" system_ns, rss_bytes) SELECT :session, json_extract(value, '$.command'),"
		" json_extract(value, '$.cause'), json_extract(value, '$.exit_code'),"
		" json_extract(value, '$.wall_ns'), json_extract(value, '$.user_ns'),"
		" json_extract(value, '$.system_ns'), json_extract(value, '$.rss_bytes')"
		" FROM json_each(:executions)",
		"INSERT INTO test_runs (session_id, name, env_hash, totals, flaky)"
		" SELECT :session, 'work tree', :environment, :totals, '[]' WHERE :cases IS NOT NULL"
		" RETURNING id AS test_run",
		TEST_CASES,
		"INSERT INTO performance_metrics (session_id, database_size_mb, samples, metrics_json)"
		" SELECT :session, " DATABASE_MB ", :samples, :metrics WHERE :metrics IS NOT NULL" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.baseline", {
		"INSERT INTO baselines (workspace, commit_id, env_hash, metrics)"
		" VALUES (:workspace, :commit, :environment, :metrics) RETURNING id" },
	  ANSWER_ROW, NULL, NULL, false, NULL },
	{ "store.lessons", {
		"SELECT count(*) AS count " LESSONS_ASKED_FOR,
		"SELECT id, workspace, scope, nullif(metric, '') AS metric, statement, n, wins,"
		" gain_sum / n AS mean_gain,"
		" evidence AS \"evidence::json\", first_seen, last_seen " LESSONS_ASKED_FOR
		" ORDER BY last_seen DESC LIMIT coalesce(:limit, 50)" },
	  ANSWER_PAGE, "lessons", NULL, false, NULL },
	{ "store.forget", {
		"DELETE FROM lessons WHERE id = :lesson RETURNING statement" },
	  ANSWER_ROW, NULL, NULL, true, "there is no such lesson" },

	{ "store.call", {
		"INSERT INTO calls (call, tool, client_role, outcome, attempts, wall_ns)"
		" VALUES (:call, :tool, :client_role, :outcome, :attempts, :wall_ns)" },
	  ANSWER_COUNT, "stored", "calls", false, NULL },
	{ "store.event", {
		"INSERT INTO events (session_id, kind, data) VALUES (:session, :kind, :data)" },
	  ANSWER_COUNT, "stored", "events", false, NULL },
	{ "store.events", {
		"SELECT id, session_id AS session, kind, data AS \"data::json\", timestamp"
		" FROM events WHERE :kind IS NULL OR kind = :kind"
		" ORDER BY id DESC LIMIT coalesce(:limit, 50)" },
	  ANSWER_LIST, "events", NULL, false, NULL },
	/* The rows whose hash or link does not fit; an empty list is a whole chain. */
	{ "store.verify", {
		"SELECT id, kind, timestamp FROM (SELECT *, coalesce(lag(hash) OVER (ORDER BY id), '')"
		" AS before FROM audit) WHERE previous <> before"
		" OR hash <> chain(previous, timestamp, kind, data) ORDER BY id LIMIT 100" },
	  ANSWER_LIST, "broken", NULL, false, NULL },
};

const struct method *method_named(const char *name)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static int run_each(struct database *database, const struct method *method,
		    const json_t *arguments, struct error *why)
{
	const json_t *items = json_object_get(arguments, method->each);
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = database_run_item(database, method->sql[0], json_array_get(items, i),
				      arguments, NULL, why);
	return r;
}

static const json_t *last_of(const json_t *rows)
{
	size_t count = json_array_size(rows);

	return count ? json_array_get(rows, count - 1) : NULL;
}

/*
 * known grows by the columns of every statement's last row; *rows are those of
 * the last statement, *first how many the first one returned.
 */
static int run_all(struct database *database, const struct method *method,
		   json_t *known, json_t *rows, size_t *first, struct error *why)
{
	for (size_t i = 0; i < METHOD_STATEMENTS_MAX && method->sql[i]; i++) {
		int r;

		json_array_clear(rows);
		r = method->each && i == 0 ?
			    run_each(database, method, known, why) :
			    database_run(database, method->sql[i], known, rows, why);
		if (r < 0)
			return r;
		if (i == 0)
			*first = json_array_size(method->each ?
				json_object_get(known, method->each) : rows);
		if (i == 0 && *first == 0 && method->missing)
			return error_set_code(why, -EBUSY, method->answer == ANSWER_ONE ?
						      ERROR_NOT_FOUND : ERROR_FAILED_PRECONDITION,
					      "%s", method->missing);
		if (last_of(rows))
			json_object_update(known, (json_t *)(uintptr_t)last_of(rows));
	}
	return 0;
}

/* What the statements returned, without what the call brought along. */
static json_t *returned(const json_t *known, const json_t *arguments)
{
	json_t *ret = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)known, name, value)
		if (!json_object_get(arguments, name))
			json_object_set(ret, name, value);
	return ret;
}

static json_t *answer(const struct method *method, const json_t *known,
		      const json_t *arguments, json_t *rows, size_t first)
{
	switch (method->answer) {
	case ANSWER_ROW:
		return returned(known, arguments);
	case ANSWER_LIST:
		return json_pack("{s:O}", method->key, rows);
	case ANSWER_PAGE:
		return json_pack("{s:O, s:O}", method->key, rows, "count",
				 json_object_get(known, "count"));
	case ANSWER_COUNT:
		return json_pack("{s:I}", method->key, (json_int_t)first);
	case ANSWER_ONE:
		return json_pack("{s:O}", method->key, last_of(rows));
	case ANSWER_NOTHING:
		break;
	}
	return json_object();
}

int method_run(struct database *database, const struct method *method,
		      const json_t *arguments, json_t **ret, bool *ret_lost,
		      struct error *why)
{
	json_t *known = json_copy((json_t *)(uintptr_t)arguments), *rows = json_array();
	size_t first = 0;
	int r = database_mark(database, why);

	*ret_lost = false;
	if (r == 0) {
		r = run_all(database, method, known, rows, &first, why);
		*ret_lost = !database_end_mark(database, r == 0);
	}
	if (r == 0)
		*ret = answer(method, known, arguments, rows, first);
	json_decref(known);
	json_decref(rows);
	return r;
}
