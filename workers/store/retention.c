#include "workers/store/retention.h"

#include <stddef.h>

#include "common/cleanup.h"
#include "common/core/deadline.h"

#define PAGES_MAX 64		/* given back in one */
#define PAGES_KEPT 256		/* not given back: what comes next needs them */
#define STATEMENTS_MAX 3

#define BEFORE "strftime('%Y-%m-%dT%H:%M:%fZ', :before_ms / 1000.0, 'unixepoch')"

/* Row by row in the order of time, so that the last one is the last. */
#define ROLL_UP(step, begin, values, from)                                    \
	"INSERT INTO rollups SELECT series_id, '" step "', " begin ", " values \
	" FROM " from " ORDER BY timestamp ON CONFLICT DO UPDATE SET"         \
	" n = n + excluded.n, sum = sum + excluded.sum,"                      \
	" least = min(least, excluded.least), most = max(most, excluded.most)," \
	" last = excluded.last"

#define OLDEST(what, table, more)                                             \
	"(SELECT " what " FROM " table " WHERE " more "timestamp < " BEFORE   \
	" ORDER BY timestamp LIMIT :rows_max)"
#define SNAPSHOTS OLDEST("id", "performance_metrics", "")
/* Whole minutes, with all their series, which an index finds as one stretch. */
#define MINUTES                                                               \
	"rollups WHERE step = 'minute' AND timestamp <= (SELECT max(timestamp) FROM " \
	OLDEST("timestamp", "rollups", "step = 'minute' AND ") ")"

/* The last statement of each deletes, and returns a row for every one that went. */
static const struct step {
	size_t kept;		/* the setting's place: for how long, ns */
	int rows_max;		/* of a piece, but for what a minute has more */
	const char *sql[STATEMENTS_MAX];
} steps[] = {
	{ offsetof(struct settings_store, raw_ns), 40, {
		ROLL_UP("minute", "substr(timestamp, 1, 16) || ':00.000Z'",
			"1, value, value, value, value",
			"points WHERE metrics_id IN " SNAPSHOTS),
		"DELETE FROM performance_metrics WHERE id IN " SNAPSHOTS " RETURNING 1" } },
	{ offsetof(struct settings_store, minutes_ns), 400, {
		ROLL_UP("hour", "substr(timestamp, 1, 13) || ':00:00.000Z'",
			"n, sum, least, most, last", MINUTES),
		"DELETE FROM " MINUTES " RETURNING 1" } },
	{ offsetof(struct settings_store, events_ns), 1000, {
		"DELETE FROM events WHERE id IN " OLDEST("id", "events", "") " RETURNING 1" } },
	{ offsetof(struct settings_store, events_ns), 1000, {
		"DELETE FROM calls WHERE id IN " OLDEST("id", "calls", "") " RETURNING 1" } },
};

/* ---- the clock ---- */

static int64_t number(const json_t *rows, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(rows, 0), name));
}

static int look(struct retention *retention, struct database *database, int64_t now_ms,
		struct error *why)
{
	struct retention_clock *clock = &retention->clock;
	json_auto_t *rows = json_array(), *noted = NULL;
	int r = database_run(database, "SELECT seen_ms, trusted_ms FROM clock", NULL, rows, why);

	if (r < 0)
		return r;
	*clock = (struct retention_clock){ number(rows, "seen_ms"), number(rows, "trusted_ms") };
	retention->verdict = retention_look(clock, now_ms);
	if (clock->seen_ms == number(rows, "seen_ms"))
		return 0;
	noted = json_pack("{s:I, s:I}", "seen_ms", (json_int_t)clock->seen_ms, "trusted_ms",
			  (json_int_t)clock->trusted_ms);
	return database_run(database, "UPDATE clock SET seen_ms = :seen_ms,"
			    " trusted_ms = :trusted_ms", noted, NULL, why);
}

/* ---- a piece of a step ---- */

static int run_statements(struct database *database, const char *const *sql,
			  const json_t *arguments, json_t *rows, struct error *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < STATEMENTS_MAX && sql[i]; i++)
		r = database_run(database, sql[i], arguments, rows, why);
	return r;
}

static int piece(const struct retention *retention, const struct step *step,
		 struct database *database, struct error *why)
{
	const char *settings = (const char *)&retention->settings;
	int64_t kept_ns = *(const int64_t *)(const void *)(settings + step->kept);
	int64_t before_ms = retention_before(&retention->clock, kept_ns / NS_PER_MS);
	json_auto_t *rows = json_array(), *arguments =
		json_pack("{s:I, s:i}", "before_ms", (json_int_t)before_ms, "rows_max", step->rows_max);
	int r = before_ms ? database_begin(database, false, why) : 0;

	if (r < 0 || !before_ms)
		return r;
	r = run_statements(database, step->sql, arguments, rows, why);
	if (r < 0)
		database_roll_back(database);
	else
		r = database_commit(database, why);
	return r < 0 ? r : json_array_size(rows) >= (size_t)step->rows_max;
}

/* Whether there are more to be given back. */
static int give_back(struct database *database, struct error *why)
{
	_Static_assert(PAGES_MAX == 64, "the pragma takes no name");
	json_auto_t *before = json_array(), *after = json_array();
	static const char count[] = "SELECT freelist_count AS free FROM pragma_freelist_count";
	int r = database_run(database, count, NULL, before, why);

	if (r < 0 || number(before, "free") <= PAGES_KEPT)
		return r;
	r = database_run(database, "PRAGMA incremental_vacuum(64)", NULL, NULL, why);
	if (r == 0)
		r = database_run(database, count, NULL, after, why);
	return r < 0 ? r : number(after, "free") < number(before, "free");
}

/* The clock, every step, the free pages: in that order, from step 0 on. */
int retention_run(struct retention *retention, struct database *database, int64_t now_ms,
		  struct error *why)
{
	unsigned step = retention->step;
	int r = step == 0 ? look(retention, database, now_ms, why) :
		step <= COUNT(steps) ? piece(retention, &steps[step - 1], database, why) :
				       give_back(database, why);

	if (r <= 0)
		retention->step = r < 0 || step > COUNT(steps) ? 0 : step + 1;
	return r < 0 ? r : retention->step != 0;
}
