/*
 * verdict.h - the result of `cupel run` as JSON (schema cupel.run/1) and as a
 * sentence; cupel-run(1) documents every field.
 */
#ifndef CUPEL_SUPERVISOR_CLI_VERDICT_H
#define CUPEL_SUPERVISOR_CLI_VERDICT_H

#include "common/json.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"

/*
 * A new reference; NULL only without memory. changes is taken over, NULL
 * without an overlay; why is the sentence of a failed set-up.
 */
json_t *verdict_json(const struct plan *plan, const struct run_result *result,
		     json_t *changes, const struct error *why);

/* The resolved sandbox, as --dry-run prints it. */
json_t *verdict_plan_json(const struct plan *plan);

/* What follows the reason of a failed set-up: where to look; "" if it says all. */
const char *verdict_way_out(int error);

/* One line for a person on what ended the run unusually; false if nothing did. */
bool verdict_sentence(const struct run_result *result, const struct policy *policy,
		      const struct error *why, char *ret, size_t size);

#endif
