/*
 * methods.h - what the store can be asked: a row each, with its statements.
 *
 * A method is done as a whole or not at all. Its statements see the call's arguments
 * and what the statements before them have returned: the columns of their last
 * row become arguments of the same name. With `each`, the first statement is
 * run for every object in the array of that name, with that object's fields as
 * arguments beside the call's own.
 */
#ifndef CUPEL_WORKERS_STORE_METHODS_H
#define CUPEL_WORKERS_STORE_METHODS_H

#include "workers/store/database.h"

#define METHOD_STATEMENTS_MAX 5

enum method_answer {
	ANSWER_NOTHING,		/* {} */
	ANSWER_ROW,		/* the columns of the last row of all */
	ANSWER_LIST,		/* {"<key>": rows of the last statement} */
	ANSWER_PAGE,		/* as a list; "count": what the first says there are */
	ANSWER_COUNT,		/* {"<key>": rows of the first statement, counted} */
	ANSWER_ONE,		/* {"<key>": the last row} */
};

struct method {
	const char *name;
	const char *sql[METHOD_STATEMENTS_MAX];
	enum method_answer answer;
	const char *key;
	const char *each;
	bool durable;		/* on the disk before the answer */
	const char *missing;	/* what it means that the first returns no row */
};

/* NULL if there is none of that name. */
const struct method *method_named(const char *name);

/*
 * In the transaction that the caller has begun, of which a failure undoes nothing
 * else; *ret_lost if SQLite has undone all of it. The answer is the caller's.
 * -ENOENT or -EBUSY with `missing`; others below.
 */
int method_run(struct database *database, const struct method *method,
	       const json_t *arguments, json_t **ret, bool *ret_lost,
	       struct error *why);

#endif
