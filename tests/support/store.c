#include "tests/support/store.h"

int store_run(struct database *database, const struct method *method,
	      const json_t *arguments, json_t **ret, struct error *why)
{
	bool lost;
	int r = database_begin(database, method->durable, why);

	if (r < 0)
		return r;
	r = method_run(database, method, arguments, ret, &lost, why);
	if (r < 0) {
		database_roll_back(database);
		return r;
	}
	r = database_commit(database, why);
	if (r < 0)
		json_decref(*ret);
	return r;
}
