#include "workers/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/sha256.h"
#include "workers/store/schema.h"

#define APPLICATION_ID 0x4375706c	/* "Cupl" in the file's header */
#define STATEMENTS_MAX 128
#define LOCK_LOOK_MS 10
#define LOCK_LOOKS_MAX 200	/* for another process that holds the file */
#define JSON_DEPTH_MAX 32
#define CHAIN_PARTS 4

struct prepared {
	const char *sql;		/* by place: statements are constants */
	sqlite3_stmt *statement;
};

struct database {
	sqlite3 *sqlite;
	struct prepared prepared[STATEMENTS_MAX];
	size_t prepared_count;
	int64_t busy;		/* how often another process held the file */
};

static int failed(struct database *database, int code, struct error *why)
{
	const char *text = sqlite3_errmsg(database->sqlite);

	if (sqlite3_extended_errcode(database->sqlite) == SQLITE_IOERR_SHMSIZE)
		code = SQLITE_FULL;
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION, "%s",
				      text);
	case SQLITE_FULL:
		return error_set(why, -ENOSPC, "the disk is full: nothing was changed, and what "
				 "only reads is served; make room in the state directory, and call again");
	case SQLITE_NOMEM:
		return error_set(why, -ENOMEM, "out of memory");
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return error_set(why, -EUCLEAN, "%s; put a copy of cupel.db back", text);
	default:
		return error_set(why, -EIO, "%s", text);
	}
}

static int execute(struct database *database, const char *sql, struct error *why)
{
	int code = sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : failed(database, code, why);
}

/* chain(previous, timestamp, kind, data): SHA-256 in hex, for the audit. */
static void chain(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct span parts[2 * CHAIN_PARTS];
	size_t lengths[CHAIN_PARTS];
	char text[SHA256_TEXT_BYTES];

	for (int i = 0; i < count; i++) {
		const unsigned char *part = sqlite3_value_text(values[i]);

		/* The length first, lest two rows read as one another. */
		lengths[i] = part ? (size_t)sqlite3_value_bytes(values[i]) : 0;
		parts[2 * i] = (struct span){ (const uint8_t *)&lengths[i], sizeof(lengths[i]) };
		parts[2 * i + 1] = (struct span){ part, lengths[i] };
	}
	sha256_text(parts, 2 * (size_t)count, text);
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* sha256(text), in hex. */
static void hash(sqlite3_context *context, int count, sqlite3_value **values)
{
	char text[SHA256_TEXT_BYTES];

	(void)count;
	const struct span part = { sqlite3_value_text(values[0]),
				   (size_t)sqlite3_value_bytes(values[0]) };

	sha256_text(&part, 1, text);
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* busy(): how often another process held the file since it was opened. */
static void count_busy(sqlite3_context *context, int count, sqlite3_value **values)
{
	const struct database *database = sqlite3_user_data(context);

	(void)count;
	(void)values;
	sqlite3_result_int64(context, database->busy);
}

/* ---- opening ---- */

static int wait_for_lock(void *owner, int looks)
{
	struct database *database = owner;

	if (looks == 0)
		database->busy++;
	if (looks == LOCK_LOOKS_MAX)
		return 0;
	sqlite3_sleep(LOCK_LOOK_MS);
	return 1;
}

static int read_number(struct database *database, const char *sql, int *ret,
		       struct error *why)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(database->sqlite, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : failed(database, code, why);
}

/* A copy as it was, by SQLite itself, beside the file. */
static int back_up(struct database *database, const char *path, int version,
		   struct error *why)
{
	char name[4096], sql[4200];

	snprintf(name, sizeof(name), "%s.v%d", path, version);
	unlink(name);
	snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", name);
	return execute(database, sql, why);
}

static int migrate(struct database *database, size_t from, struct error *why)
{
	_Static_assert(APPLICATION_ID == 1131769964, "the pragma takes no name");
	char version[64];

	for (size_t i = from; i < schema_version; i++) {
		int r = execute(database, "BEGIN IMMEDIATE", why);

		snprintf(version, sizeof(version), "PRAGMA user_version = %zu", i + 1);
		if (r == 0)	/* with the version, or it would be a stranger's */
			r = execute(database, "PRAGMA application_id = 1131769964", why);
		for (const char *const *sql = schema_migrations[i]; r == 0 && *sql; sql++)
			r = execute(database, *sql, why);
		if (r == 0)
			r = execute(database, version, why);
		if (r == 0)
			r = execute(database, "COMMIT", why);
		if (r < 0) {
			sqlite3_exec(database->sqlite, "ROLLBACK", NULL, NULL, NULL);
			return r;
		}
	}
	return 0;
}

static int check_version(struct database *database, const char *path, struct error *why)
{
	int version = 0, application = 0;
	int r = read_number(database, "PRAGMA user_version", &version, why);

	if (r == 0)
		r = read_number(database, "PRAGMA application_id", &application, why);
	if (r < 0)
		return r;
	if (version < 0 || (size_t)version > schema_version)
		return error_set(why, -EUCLEAN,
				 "made by a newer cupel (version %d, this one knows %zu); update cupel, or name another state directory by CUPEL_STATE",
				 version, schema_version);
	if (version > 0 && application != APPLICATION_ID)
		return error_set(why, -EUCLEAN, "another program's database; name another state directory by CUPEL_STATE");
	if (version == 0)	/* later it would take as long as writing all anew */
		r = execute(database, "PRAGMA auto_vacuum = INCREMENTAL", why);
	else if ((size_t)version < schema_version)
		r = back_up(database, path, version, why);
	return r == 0 ? migrate(database, (size_t)version, why) : r;
}

static int set_up(struct database *database, const char *path, struct error *why)
{
	static const char *const settings[] = {
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = NORMAL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA cache_size = -4096",
	};
	int r = 0;

	sqlite3_busy_handler(database->sqlite, wait_for_lock, database);
	sqlite3_create_function(database->sqlite, "chain", CHAIN_PARTS,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
				chain, NULL, NULL);
	sqlite3_create_function(database->sqlite, "sha256", 1,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
				hash, NULL, NULL);
	sqlite3_create_function(database->sqlite, "busy", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS,
				database, count_busy, NULL, NULL);
	r = check_version(database, path, why);
	for (size_t i = 0; r == 0 && i < COUNT(settings); i++)
		r = execute(database, settings[i], why);
	return r;
}

static int open_so(struct database **ret, const char *path, const char *locking,
		   struct error *why)
{
	struct database *database = calloc(1, sizeof(*database));
	int code;

	if (!database)
		return error_set(why, -ENOMEM, "out of memory");
	code = sqlite3_open_v2(path, &database->sqlite,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	int r = code == SQLITE_OK ? execute(database, locking, why) :
				    failed(database, code, why);

	if (r == 0)
		r = set_up(database, path, why);
	if (r < 0) {
		database_close(database);
		return r;
	}
	*ret = database;
	return 0;
}

/* On a full disk there is no room for the file by which others may look as well. */
int database_open(struct database **ret, const char *path, struct error *why)
{
	int r = open_so(ret, path, "PRAGMA locking_mode = NORMAL", why);

	if (r == -ENOSPC)
		r = open_so(ret, path, "PRAGMA locking_mode = EXCLUSIVE", why);
	return r < 0 ? error_prefix(why, r, "%s", path) : 0;
}

void database_close(struct database *database)
{
	for (size_t i = 0; i < database->prepared_count; i++)
		sqlite3_finalize(database->prepared[i].statement);
	sqlite3_close(database->sqlite);
	free(database);
}

/* ---- statements ---- */

static int prepare(struct database *database, const char *sql, sqlite3_stmt **ret,
		   struct error *why)
{
	struct prepared *prepared = database->prepared;
	int code;

	for (size_t i = 0; i < database->prepared_count; i++)
		if (prepared[i].sql == sql) {
			*ret = prepared[i].statement;
			return 0;
		}
	if (database->prepared_count == STATEMENTS_MAX)
		return error_set(why, -ENOSPC, "more than %d statements", STATEMENTS_MAX);
	code = sqlite3_prepare_v3(database->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, ret,
				  NULL);
	if (code != SQLITE_OK)
		return failed(database, code, why);
	prepared[database->prepared_count++] = (struct prepared){ sql, *ret };
	return 0;
}

/* Texts are borrowed: they outlive the step, after which bindings are cleared. */
static int bind_value(sqlite3_stmt *statement, int place, const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_INTEGER:
		return sqlite3_bind_int64(statement, place, json_integer_value(value));
	case JSON_REAL:
		return sqlite3_bind_double(statement, place, json_real_value(value));
	case JSON_TRUE:
	case JSON_FALSE:
		return sqlite3_bind_int(statement, place, json_is_true(value));
	case JSON_STRING:
		return sqlite3_bind_text(statement, place, json_string_value(value),
					 (int)json_string_length(value), SQLITE_STATIC);
	case JSON_OBJECT:
	case JSON_ARRAY:
		return sqlite3_bind_text(statement, place, json_dumps(value, JSON_COMPACT), -1,
					 free);
	case JSON_NULL:
		break;
	}
	return sqlite3_bind_null(statement, place);
}

static int bind(struct database *database, sqlite3_stmt *statement, const json_t *item,
		const json_t *arguments, struct error *why)
{
	for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
		const char *name = sqlite3_bind_parameter_name(statement, i) + 1;
		const json_t *value = json_object_get(item, name);
		int code = bind_value(statement, i,
				      value ? value : json_object_get(arguments, name));

		if (code != SQLITE_OK)
			return failed(database, code, why);
	}
	return 0;
}

static json_t *parse_column(sqlite3_stmt *statement, int column)
{
	const struct json_limits limits = {
		(size_t)sqlite3_column_bytes(statement, column), JSON_DEPTH_MAX
	};
	const unsigned char *text = sqlite3_column_text(statement, column);
	json_t *ret;

	if (!text || json_parse((struct span){ text, limits.bytes_max }, limits, &ret, NULL) < 0)
		return json_null();
	return ret;
}

static json_t *column_value(sqlite3_stmt *statement, int column, const char *type)
{
	if (type && strcmp(type, "::json") == 0)
		return parse_column(statement, column);
	if (type && strcmp(type, "::bool") == 0)
		return json_boolean(sqlite3_column_int(statement, column));
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(statement, column));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(statement, column));
	case SQLITE_TEXT:
		return json_stringn((const char *)sqlite3_column_text(statement, column),
				    (size_t)sqlite3_column_bytes(statement, column));
	default:
		return json_null();
	}
}

static json_t *row_value(sqlite3_stmt *statement)
{
	json_t *row = json_object();
	char name[64];

	for (int i = 0; i < sqlite3_column_count(statement); i++) {
		const char *full = sqlite3_column_name(statement, i);
		const char *type = strstr(full, "::");

		snprintf(name, sizeof(name), "%.*s", type ? (int)(type - full) : 63, full);
		json_object_set_new(row, name, column_value(statement, i, type));
	}
	return row;
}

int database_run_item(struct database *database, const char *sql, const json_t *item,
		      const json_t *arguments, json_t *rows, struct error *why)
{
	sqlite3_stmt *statement;
	int code = SQLITE_DONE;
	int r = prepare(database, sql, &statement, why);

	if (r == 0)
		r = bind(database, statement, item, arguments, why);
	if (r < 0)
		return r;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (rows)
			json_array_append_new(rows, row_value(statement));
	if (code != SQLITE_DONE)
		r = failed(database, code, why);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

int database_begin(struct database *database, bool durable, struct error *why)
{
	int r = execute(database, durable ? "PRAGMA synchronous = FULL" :
					    "PRAGMA synchronous = NORMAL", why);

	return r == 0 ? execute(database, "BEGIN IMMEDIATE", why) : r;
}

int database_commit(struct database *database, struct error *why)
{
	int r = execute(database, "COMMIT", why);

	if (r < 0)
		database_roll_back(database);
	return r;
}

void database_roll_back(struct database *database)
{
	sqlite3_exec(database->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

int database_mark(struct database *database, struct error *why)
{
	return execute(database, "SAVEPOINT mark", why);
}

bool database_end_mark(struct database *database, bool keep)
{
	sqlite3_exec(database->sqlite, keep ? "RELEASE mark" : "ROLLBACK TO mark; RELEASE mark",
		     NULL, NULL, NULL);
	return !sqlite3_get_autocommit(database->sqlite);
}
