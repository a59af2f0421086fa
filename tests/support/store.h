/*
 * store.h - one of the store's methods in a transaction of its own, and the
 * files that older ones left.
 */
#ifndef CUPEL_TESTS_SUPPORT_STORE_H
#define CUPEL_TESTS_SUPPORT_STORE_H

#include "workers/store/methods.h"

/* As method_run(), begun and committed. */
int store_run(struct database *database, const struct method *method,
	      const json_t *arguments, json_t **ret, struct error *why);

/*
 * Makes a file as the cupel of that schema did, with a session of each kind of
 * row that a later schema takes along. Fails the test if it cannot.
 */
void store_make_older(const char *path, unsigned version);

/* A whole file of just that version, or the test fails. */
void store_check_version(const char *path, unsigned version);

#endif
