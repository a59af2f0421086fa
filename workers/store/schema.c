#include "workers/store/schema.h"

#define NOW "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
#define TRUTH(column) column " INTEGER NOT NULL DEFAULT 0 CHECK (" column " IN (0, 1))"
#define JSON(column) column " TEXT CHECK (" column " IS NULL OR json_valid(" column "))"

/* Statement by statement; NULL ends them. */
static const char *const first[] = {
	"CREATE TABLE sessions ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL,"
	" kind TEXT NOT NULL CHECK (kind IN ('improve', 'test', 'bench')),"
	" seed INTEGER, " JSON("options") ","
	" started TEXT NOT NULL DEFAULT " NOW ", ended TEXT, outcome TEXT) STRICT;",

	"CREATE TABLE performance_metrics ("
	" id INTEGER PRIMARY KEY, timestamp TEXT NOT NULL DEFAULT " NOW ","
	" session_id INTEGER REFERENCES sessions (id),"
	" indexing_speed REAL, memory_usage_mb REAL, query_time_ms REAL, cpu_percent REAL,"
	" database_size_mb REAL, active_connections INTEGER, cache_hit_rate REAL,"
	" error_count INTEGER, " JSON("metrics_json") ") STRICT;",
	"CREATE INDEX performance_metrics_by_time ON performance_metrics (session_id, timestamp);",

	"CREATE TABLE bottlenecks ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, metric_name TEXT NOT NULL,"
	" current_value REAL NOT NULL, target_value REAL NOT NULL,"
	" severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),"
	" impact_score REAL NOT NULL CHECK (impact_score BETWEEN 0 AND 100),"
	" description TEXT NOT NULL, " TRUTH("resolved") ", seen INTEGER NOT NULL DEFAULT 1,"
	" timestamp TEXT NOT NULL DEFAULT " NOW ", updated TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE UNIQUE INDEX bottlenecks_once ON bottlenecks (workspace, metric_name)"
	" WHERE resolved = 0;",

	"CREATE TABLE improvements ("
	" id INTEGER PRIMARY KEY, bottleneck_id INTEGER REFERENCES bottlenecks (id),"
	" session_id INTEGER REFERENCES sessions (id), workspace TEXT NOT NULL,"
	" suggestion_type TEXT NOT NULL CHECK (suggestion_type IN"
	"  ('optimization', 'caching', 'refactoring', 'indexing')),"
	" source TEXT NOT NULL, description TEXT NOT NULL, " JSON("code_changes") ","
	" hash TEXT NOT NULL, expected_improvement REAL,"
	" confidence REAL CHECK (confidence BETWEEN 0 AND 1),"
	" status TEXT NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'testing',"
	"  'approved', 'rejected', 'applied', 'rolling_back', 'rolled_back', 'expired')),"
	" reason TEXT, " JSON("test_results") ", timestamp TEXT NOT NULL DEFAULT " NOW ","
	" UNIQUE (workspace, hash)) STRICT;",
	"CREATE INDEX improvements_by_status ON improvements (workspace, status);",

	"CREATE TABLE workflow (before TEXT NOT NULL, after TEXT NOT NULL,"
	" PRIMARY KEY (before, after)) STRICT;",
	"INSERT INTO workflow VALUES"
	" ('proposed', 'testing'), ('proposed', 'approved'), ('proposed', 'rejected'),"
	" ('proposed', 'expired'), ('testing', 'proposed'), ('testing', 'approved'),"
	" ('testing', 'rejected'), ('approved', 'applied'), ('approved', 'rejected'),"
	" ('approved', 'expired'), ('applied', 'rolling_back'),"
	" ('rolling_back', 'rolled_back'), ('rolling_back', 'applied');",
	"CREATE TRIGGER improvements_begin BEFORE INSERT ON improvements"
	" WHEN NEW.status <> 'proposed'"
	" BEGIN SELECT RAISE(ABORT, 'an improvement begins as proposed'); END;",
	"CREATE TRIGGER improvements_move BEFORE UPDATE OF status ON improvements"
	" WHEN NOT EXISTS (SELECT 1 FROM workflow WHERE before = OLD.status"
	"  AND after = NEW.status)"
	" BEGIN SELECT RAISE(ABORT, 'an improvement cannot take that step from its status'); END;",
	"CREATE TRIGGER improvements_proof BEFORE UPDATE OF status ON improvements"
	" WHEN NEW.status = 'approved' AND NOT EXISTS (SELECT 1 FROM test_results"
	"  WHERE improvement_id = NEW.id AND success = 1)"
	" BEGIN SELECT RAISE(ABORT, 'nothing is approved without a test that succeeded'); END;",

	"CREATE TABLE test_results ("
	" id INTEGER PRIMARY KEY, improvement_id INTEGER NOT NULL REFERENCES improvements (id),"
	" " TRUTH("success") ", " JSON("performance_before") ", " JSON("performance_after") ","
	" performance_change_percent REAL, " JSON("errors") ", " JSON("warnings") ","
	" execution_time REAL, timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE INDEX test_results_of ON test_results (improvement_id);",

	"CREATE TABLE applied_improvements ("
	" id INTEGER PRIMARY KEY, improvement_id INTEGER NOT NULL REFERENCES improvements (id),"
	" applied_at TEXT NOT NULL DEFAULT " NOW ", " JSON("performance_before") ","
	" " JSON("performance_after") ", success INTEGER CHECK (success IN (0, 1)),"
	" " JSON("rollback_data") ", " TRUTH("rolled_back") ", rolled_back_at TEXT,"
	" notes TEXT, commit_id TEXT, rollback_commit TEXT) STRICT;",
	"CREATE INDEX applied_improvements_of ON applied_improvements (improvement_id);",

	"CREATE TABLE experiments ("
	" id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions (id),"
	" improvement_id INTEGER REFERENCES improvements (id),"
	" kind TEXT NOT NULL CHECK (kind IN ('calibrate', 'race', 'validate', 'aa', 'watch')),"
	" " JSON("plan") ", verdict TEXT, reason TEXT, gain REAL, gain_lower REAL,"
	" pairs INTEGER, alpha REAL, timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE INDEX experiments_of ON experiments (improvement_id, kind);",
	"CREATE INDEX experiments_in ON experiments (session_id, kind);",

	"CREATE TABLE samples ("
	" id INTEGER PRIMARY KEY, experiment_id INTEGER NOT NULL REFERENCES experiments (id),"
	" pair INTEGER NOT NULL, arm TEXT NOT NULL CHECK (arm IN ('base', 'candidate')),"
	" " TRUTH("first") ", wall_ns INTEGER, cpu_ns INTEGER, value REAL,"
	" " TRUTH("valid") ") STRICT;",
	"CREATE INDEX samples_of ON samples (experiment_id, pair);",

	"CREATE TABLE trials ("
	" id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions (id),"
	" " JSON("config") ", why INTEGER NOT NULL, step INTEGER NOT NULL, expected REAL,"
	" outcome INTEGER NOT NULL, cost REAL, binary INTEGER NOT NULL, " TRUTH("reused") ","
	" timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE INDEX trials_in ON trials (session_id);",

	"CREATE TABLE executions ("
	" id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions (id),"
	" command TEXT NOT NULL, cause TEXT NOT NULL, exit_code INTEGER, wall_ns INTEGER,"
	" user_ns INTEGER, system_ns INTEGER, rss_bytes INTEGER,"
	" timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE TABLE test_runs ("
	" id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions (id),"
	" name TEXT NOT NULL, " JSON("totals") ", " JSON("flaky") ","
	" timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE TABLE test_cases ("
	" id INTEGER PRIMARY KEY, test_run_id INTEGER NOT NULL REFERENCES test_runs (id),"
	" name TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN"
	"  ('passed', 'failed', 'skipped')), duration_ns INTEGER, detail TEXT) STRICT;",
	"CREATE INDEX test_cases_of ON test_cases (test_run_id);",
	"CREATE TABLE baselines ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, commit_id TEXT NOT NULL,"
	" " JSON("metrics") ", timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",

	"CREATE TABLE lessons ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, scope TEXT NOT NULL,"
	" statement TEXT NOT NULL, " JSON("evidence") ", n INTEGER NOT NULL DEFAULT 1,"
	" wins INTEGER NOT NULL DEFAULT 0, gain_sum REAL NOT NULL DEFAULT 0,"
	" first_seen TEXT NOT NULL DEFAULT " NOW ", last_seen TEXT NOT NULL DEFAULT " NOW ","
	" UNIQUE (workspace, scope, statement)) STRICT;",

	"CREATE TABLE calls ("
	" id INTEGER PRIMARY KEY, call INTEGER NOT NULL, tool TEXT NOT NULL,"
	" client_role TEXT NOT NULL, outcome TEXT NOT NULL, attempts INTEGER NOT NULL,"
	" wall_ns INTEGER NOT NULL, timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",
	"CREATE TABLE events ("
	" id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions (id),"
	" kind TEXT NOT NULL, " JSON("data") ", timestamp TEXT NOT NULL DEFAULT " NOW ") STRICT;",

	/* Each row's hash covers the hash before it: none can be changed alone. */
	"CREATE TABLE audit ("
	" id INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, kind TEXT NOT NULL,"
	" " JSON("data") ", previous TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT;",
	"CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"
	" BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;",
	"CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit"
	" BEGIN SELECT RAISE(ABORT, 'the audit is never shortened'); END;",
	NULL,
};

/*
 * What became of a setting is a lesson, whoever decided. A rollback that did
 * not succeed leads back to applied, which is nothing new.
 */
static const char *const second[] = {
	"CREATE TRIGGER improvements_teach AFTER UPDATE OF status ON improvements"
	" WHEN NEW.status IN ('rejected', 'applied', 'rolled_back')"
	" AND NOT (OLD.status = 'rolling_back' AND NEW.status = 'applied') BEGIN"
	" INSERT INTO lessons (workspace, scope, statement, evidence, wins, gain_sum)"
	" SELECT NEW.workspace, 'setting', NEW.description, json_object('improvement', NEW.id,"
	"  'session', NEW.session_id, 'status', NEW.status, 'reason', NEW.reason,"
	"  'knobs', json_extract(NEW.code_changes, '$.knobs'), 'verdict', e.verdict,"
	"  'gain', e.gain), NEW.status = 'applied',"
	"  CASE NEW.status WHEN 'applied' THEN coalesce(e.gain_lower, 0) ELSE 0 END"
	" FROM (SELECT 1) LEFT JOIN experiments e ON e.id = (SELECT max(id) FROM experiments"
	"  WHERE improvement_id = NEW.id AND kind = 'validate' AND verdict IS NOT NULL)"
	" WHERE true ON CONFLICT (workspace, scope, statement) DO UPDATE SET n = n + 1,"
	"  wins = wins + excluded.wins, gain_sum = gain_sum + excluded.gain_sum,"
	"  evidence = excluded.evidence, last_seen = " NOW ";"
	" END;",
	NULL,
};

/*
 * Which state of the workspace was tested (NULL: the work tree, or not known),
 * and how a case ended that did not end by its own verdict. A CHECK cannot be
 * altered, so that table is made again.
 */
static const char *const third[] = {
	"ALTER TABLE test_runs ADD COLUMN commit_id TEXT;",
	"CREATE INDEX test_runs_at ON test_runs (commit_id, name);",
	"ALTER TABLE test_cases RENAME TO test_cases_before;",
	"CREATE TABLE test_cases ("
	" id INTEGER PRIMARY KEY, test_run_id INTEGER NOT NULL REFERENCES test_runs (id),"
	" name TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN"
	"  ('passed', 'failed', 'skipped', 'timeout', 'error')), duration_ns INTEGER,"
	" detail TEXT) STRICT;",
	"INSERT INTO test_cases SELECT id, test_run_id, name, outcome, duration_ns, detail"
	" FROM test_cases_before;",
	"DROP TABLE test_cases_before;",
	"CREATE INDEX test_cases_of ON test_cases (test_run_id);",
	NULL,
};

/*
 * In which environment (improve/environment.h) a session measured; NULL: not known.
 * Then what is measured as numbers by time: a point for each number of a snapshot, kept
 * by the database itself, and what points become once they are old. A roll-up
 * is of the minute, or of the hour, that begins at its timestamp.
 */
#define NUMBERS(snapshot)                                                     \
	" FROM " snapshot " JOIN sessions s ON s.id = m.session_id,"          \
	" json_each(m.metrics_json) j"
#define IS_NUMBER " j.type IN ('integer', 'real')"
#define SERIES_OF(snapshot)                                                   \
	"INSERT OR IGNORE INTO series (workspace, metric, kind, env_hash)"    \
	" SELECT s.workspace, j.key, s.kind, coalesce(s.env_hash, '')" NUMBERS(snapshot) " WHERE" IS_NUMBER ";"
#define POINTS_OF(snapshot)                                                   \
	"INSERT OR REPLACE INTO points"                                       \
	" SELECT m.id, r.id, m.timestamp, j.value" NUMBERS(snapshot)          \
	" JOIN series r ON r.workspace = s.workspace AND r.metric = j.key"    \
	" AND r.kind = s.kind AND r.env_hash = coalesce(s.env_hash, '')"      \
	" WHERE" IS_NUMBER ";"
#define INSERTED                                                              \
	"(SELECT NEW.id AS id, NEW.session_id AS session_id, NEW.timestamp AS timestamp," \
	" NEW.metrics_json AS metrics_json) m"

static const char *const fourth[] = {
	"CREATE TABLE environments ("
	" hash TEXT PRIMARY KEY, facts TEXT NOT NULL, timestamp TEXT NOT NULL DEFAULT " NOW ")"
	" STRICT, WITHOUT ROWID;",
	"ALTER TABLE sessions ADD COLUMN env_hash TEXT REFERENCES environments (hash);",
	"ALTER TABLE test_runs ADD COLUMN env_hash TEXT REFERENCES environments (hash);",
	"ALTER TABLE baselines ADD COLUMN env_hash TEXT REFERENCES environments (hash);",
	"CREATE INDEX test_runs_in ON test_runs (env_hash, name);",
	"CREATE INDEX baselines_of ON baselines (workspace, env_hash);",
	/* Every run's value, {"METRIC": [1.5, ...]}, of what metrics_json sums up. */
	"ALTER TABLE performance_metrics ADD COLUMN " JSON("samples") ";",
	/* A case is called "SUITE: NAME", its suite being a test of the workspace;
	   its file is NULL where the report does not say. */
	"ALTER TABLE test_cases ADD COLUMN file TEXT;",
	"CREATE INDEX test_cases_from ON test_cases (file);",
	"ALTER TABLE test_cases ADD COLUMN suite TEXT AS"
	" (substr(name, 1, instr(name || ': ', ': ') - 1)) VIRTUAL;",
	"CREATE INDEX test_cases_in ON test_cases (suite, name);",
	"CREATE TABLE series ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, metric TEXT NOT NULL,"
	" kind TEXT NOT NULL, env_hash TEXT NOT NULL,"	/* '': not known */
	" UNIQUE (workspace, metric, kind, env_hash)) STRICT;",
	"CREATE TABLE points ("
	" metrics_id INTEGER NOT NULL REFERENCES performance_metrics (id) ON DELETE CASCADE,"
	" series_id INTEGER NOT NULL REFERENCES series (id), timestamp TEXT NOT NULL,"
	" value REAL NOT NULL, PRIMARY KEY (metrics_id, series_id)) STRICT, WITHOUT ROWID;",
	"CREATE INDEX points_by_time ON points (series_id, timestamp, value);",
	"CREATE TRIGGER performance_metrics_points AFTER INSERT ON performance_metrics BEGIN "
	SERIES_OF(INSERTED) " " POINTS_OF(INSERTED) " END;",
	SERIES_OF("performance_metrics m"),
	POINTS_OF("performance_metrics m"),
	"CREATE TABLE rollups ("
	" series_id INTEGER NOT NULL REFERENCES series (id),"
	" step TEXT NOT NULL CHECK (step IN ('minute', 'hour')), timestamp TEXT NOT NULL,"
	" n INTEGER NOT NULL, sum REAL NOT NULL, least REAL NOT NULL, most REAL NOT NULL,"
	" last REAL NOT NULL, PRIMARY KEY (series_id, step, timestamp)) STRICT, WITHOUT ROWID;",
	"CREATE INDEX minutes_by_time ON rollups (timestamp) WHERE step = 'minute';",
	"CREATE INDEX performance_metrics_at ON performance_metrics (timestamp);",
	"CREATE INDEX calls_at ON calls (timestamp);",
	"CREATE INDEX events_at ON events (timestamp);",
	/* What retention_core.h knows of the clock. */
	"CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1),"
	" seen_ms INTEGER NOT NULL, trusted_ms INTEGER NOT NULL) STRICT;",
	"INSERT INTO clock VALUES (1, 0, 0);",
	NULL,
};

/*
 * The plan, then its samples, then the verdict: none is changed once it stands, and
 * of what is decided none goes. A REPLACE deletes without asking the triggers that
 * delete, so it is refused where it inserts.
 */
#define REFUSE(when, says) " " when " BEGIN SELECT RAISE(ABORT, '" says "'); END;"
#define IS_DECIDED(experiment)                                                \
	"EXISTS (SELECT 1 FROM experiments WHERE id = " experiment " AND verdict IS NOT NULL)"

static const char *const fifth[] = {
	"CREATE TRIGGER experiments_begin BEFORE INSERT ON experiments"
	REFUSE("WHEN NEW.verdict IS NOT NULL OR EXISTS (SELECT 1 FROM experiments WHERE id = NEW.id)",
	       "an experiment begins with its plan alone"),
	"CREATE TRIGGER experiments_plan BEFORE UPDATE OF id, session_id, improvement_id, kind,"
	" plan, timestamp ON experiments" REFUSE("", "a plan is never changed"),
	"CREATE TRIGGER experiments_verdict BEFORE UPDATE OF verdict, reason, gain, gain_lower,"
	" pairs, alpha ON experiments" REFUSE("WHEN OLD.verdict IS NOT NULL",
					     "a verdict is never changed"),
	"CREATE TRIGGER experiments_stay BEFORE DELETE ON experiments"
	REFUSE("WHEN OLD.verdict IS NOT NULL", "a verdict is never changed"),
	"CREATE TRIGGER samples_begin BEFORE INSERT ON samples"
	REFUSE("WHEN EXISTS (SELECT 1 FROM samples WHERE id = NEW.id)",
	       "a sample is never changed"),
	"CREATE TRIGGER samples_end BEFORE INSERT ON samples"
	REFUSE("WHEN " IS_DECIDED("NEW.experiment_id"),
	       "an experiment with its verdict takes no more samples"),
	"CREATE TRIGGER samples_stay BEFORE UPDATE ON samples"
	REFUSE("", "a sample is never changed"),
	"CREATE TRIGGER samples_are_kept BEFORE DELETE ON samples"
	REFUSE("WHEN " IS_DECIDED("OLD.experiment_id"), "a sample is never changed"),
	NULL,
};

/*
 * Which metric a setting was judged by ('': none): to be turned down for what it
 * gained there says nothing of others. A constraint cannot be altered, so the table
 * is made again.
 */
#define JUDGED_OF(improvement)                                                \
	"experiments e ON e.id = (SELECT max(id) FROM experiments"            \
	" WHERE improvement_id = " improvement " AND kind = 'validate'"       \
	" AND verdict IS NOT NULL)"
#define JUDGED_BY "coalesce(e.plan ->> 'benchmark' || '.' || (e.plan ->> 'metric'), '')"

static const char *const sixth[] = {
	"DROP TRIGGER improvements_teach;",
	"ALTER TABLE lessons RENAME TO lessons_before;",
	"CREATE TABLE lessons ("
	" id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, scope TEXT NOT NULL,"
	" metric TEXT NOT NULL DEFAULT '',"
	" statement TEXT NOT NULL, " JSON("evidence") ", n INTEGER NOT NULL DEFAULT 1,"
	" wins INTEGER NOT NULL DEFAULT 0, gain_sum REAL NOT NULL DEFAULT 0,"
	" first_seen TEXT NOT NULL DEFAULT " NOW ", last_seen TEXT NOT NULL DEFAULT " NOW ","
	" UNIQUE (workspace, scope, metric, statement)) STRICT;",
	"INSERT INTO lessons SELECT l.id, l.workspace, l.scope, " JUDGED_BY ", l.statement,"
	" CASE WHEN e.id IS NULL THEN l.evidence"
	"  ELSE json_set(l.evidence, '$.verdict_reason', e.reason) END,"
	" l.n, l.wins, l.gain_sum, l.first_seen, l.last_seen FROM lessons_before l"
	" LEFT JOIN " JUDGED_OF("l.evidence ->> 'improvement'") ";",
	"DROP TABLE lessons_before;",
	"CREATE TRIGGER improvements_teach AFTER UPDATE OF status ON improvements"
	" WHEN NEW.status IN ('rejected', 'applied', 'rolled_back')"
	" AND NOT (OLD.status = 'rolling_back' AND NEW.status = 'applied') BEGIN"
	" INSERT INTO lessons (workspace, scope, metric, statement, evidence, wins, gain_sum)"
	" SELECT NEW.workspace, 'setting', " JUDGED_BY ", NEW.description,"
	"  json_object('improvement', NEW.id, 'session', NEW.session_id, 'status', NEW.status,"
	"  'reason', NEW.reason, 'knobs', json_extract(NEW.code_changes, '$.knobs'),"
	"  'verdict', e.verdict, 'verdict_reason', e.reason, 'gain', e.gain),"
	"  NEW.status = 'applied',"
	"  CASE NEW.status WHEN 'applied' THEN coalesce(e.gain_lower, 0) ELSE 0 END"
	" FROM (SELECT 1) LEFT JOIN " JUDGED_OF("NEW.id")
	" WHERE true ON CONFLICT (workspace, scope, metric, statement) DO UPDATE SET n = n + 1,"
	"  wins = wins + excluded.wins, gain_sum = gain_sum + excluded.gain_sum,"
	"  evidence = excluded.evidence, last_seen = " NOW ";"
	" END;",
	NULL,
};

const char *const *const schema_migrations[] = { first, second, third, fourth, fifth, sixth };
const size_t schema_version = sizeof(schema_migrations) / sizeof(schema_migrations[0]);
