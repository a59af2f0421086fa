/*
 * store.h - one of the store's methods in a transaction of its own.
 */
#ifndef CUPEL_TESTS_SUPPORT_STORE_H
#define CUPEL_TESTS_SUPPORT_STORE_H

#include "workers/store/methods.h"

/* As method_run(), begun and committed. */
int store_run(struct database *database, const struct method *method,
	      const json_t *arguments, json_t **ret, struct error *why);

#endif
