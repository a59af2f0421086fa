/*
 * database.h - SQLite behind JSON: statements, arguments, rows.
 *
 *	arguments {"session": 3}  -->  ":session" in the statement
 *	row (id AS session, options AS "options::json")  -->  {"session", "options"}
 *
 * One connection, one writer: WAL, foreign keys on, statements prepared once.
 * An argument that is missing or null is NULL, never 0; arrays and objects are
 * stored as JSON text. A column whose name ends in "::json" comes back as
 * JSON, one in "::bool" as a truth.
 *
 * Opening brings an older file up to the schema of this program, after a copy
 * of it was made beside it, and refuses a newer one. On a full disk what only
 * reads goes on (-ENOSPC for the rest); if it is opened there, no other process
 * can look at the file, as what they would share has no room.
 *
 * Sources: sqlite.org, "Using SQLite in WAL mode", "STRICT tables".
 */
#ifndef CUPEL_WORKERS_STORE_DATABASE_H
#define CUPEL_WORKERS_STORE_DATABASE_H

#include <stdbool.h>

#include "common/json.h"

struct database;

/*
 * Opens or makes the file; the caller closes it. -EUCLEAN for a file that is
 * newer or no database of ours, with the way out; -EIO and others from below.
 */
int database_open(struct database **ret, const char *path, struct error *why);
void database_close(struct database *database);

/*
 * Runs one statement, with what item (may be NULL) has of its parameters and
 * arguments of the others, and appends its rows as objects to rows (an array;
 * may be NULL). -EBUSY with the sentence of a trigger or constraint that objects.
 */
int database_run_item(struct database *database, const char *sql, const json_t *item,
		      const json_t *arguments, json_t *rows, struct error *why);

static inline int database_run(struct database *database, const char *sql,
			       const json_t *arguments, json_t *rows, struct error *why)
{
	return database_run_item(database, sql, NULL, arguments, rows, why);
}

/* durable: on the disk, not only with the system, when commit returns. */
int database_begin(struct database *database, bool durable, struct error *why);
int database_commit(struct database *database, struct error *why);
void database_roll_back(struct database *database);

/*
 * What has been done since the mark is undone alone. False afterwards if SQLite
 * has given up the whole transaction, as with a full disk.
 */
int database_mark(struct database *database, struct error *why);
bool database_end_mark(struct database *database, bool keep);

#endif
