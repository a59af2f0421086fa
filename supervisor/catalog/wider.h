/*
 * wider.h - whether a manifest would permit what the one in force does not.
 */
#ifndef CUPEL_SUPERVISOR_CATALOG_WIDER_H
#define CUPEL_SUPERVISOR_CATALOG_WIDER_H

#include "common/catalog.h"

struct error;

/*
 * Compares a pool or a tool with its previous row. 0, or -EPERM with what it
 * would permit: more roles that may call, a role to call as, a workspace it may
 * change more of, state that stays, or a policy that leaves open what the other
 * closes (sandbox/exposure.h).
 */
int wider_pool(const struct catalog_pool *before,
	       const struct catalog_pool *now, struct error *why);
int wider_tool(const struct catalog_tool *before,
	       const struct catalog_tool *now, struct error *why);

#endif
