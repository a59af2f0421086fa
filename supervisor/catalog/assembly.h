/*
 * assembly.h - manifests judged in their place and put together.
 *
 * What a manifest says is taken only if it can be kept here: there is such a
 * program and such a policy, no other worker has the name, and, where a
 * catalogue is in force already, it permits nothing that catalogue does not.
 * A manifest is taken whole or not at all; what it replaces stays then. But a
 * fallback is another manifest's tool, so it is judged when all are there, and a
 * tool whose fallback cannot be has none: it need not go because another went.
 */
#ifndef CUPEL_SUPERVISOR_CATALOG_ASSEMBLY_H
#define CUPEL_SUPERVISOR_CATALOG_ASSEMBLY_H

#include "common/catalog.h"
#include "supervisor/catalog/manifest.h"

/* A directory, opened while that was still possible. */
struct place {
	const char *path;
	int fd;			/* or -errno */
};

struct assembly {
	struct catalog *catalog;	/* with room for the most text */
	const struct catalog *previous;	/* checked; or NULL */
	const struct place *places;	/* of programs by bare name; a path of NULL ends */
	const char *const *policies;	/* besides the presets; NULL ends, or NULL */
	bool may_widen;
};

/* Begins an empty one; the caller has filled in the other members. -ENOMEM. */
int assembly_init(struct assembly *assembly, struct error *why);
void assembly_release(struct assembly *assembly);

/* 0, or -EINVAL, -ENOENT, -EPERM, -E2BIG with the reason; then nothing of it is in. */
int assembly_add(struct assembly *assembly, struct manifest *manifest,
		 struct error *why);

/* The previous rows of that worker, if there were any: whether there were. */
bool assembly_keep(struct assembly *assembly, const char *worker);

/*
 * Once all is in: takes away one fallback that cannot be, and says which and why.
 * False: there is none any more.
 */
bool assembly_drop_fallback(struct assembly *assembly, struct error *why);

/*
 * Numbers it: as the previous one if nothing has changed, else one more.
 * Returns its length in bytes.
 */
size_t assembly_finish(struct assembly *assembly);

#endif
