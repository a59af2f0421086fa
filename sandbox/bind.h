/*
 * bind.h - what of the host a command sees, and where.
 *
 * Paths are absolute and plain: no "." or "..", no empty component. Binds are
 * kept in the order of their targets, so that one below another is mounted
 * after it, and a target is there once.
 */
#ifndef CUPEL_SANDBOX_BIND_H
#define CUPEL_SANDBOX_BIND_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct error;

enum bind_access { BIND_READ, BIND_WRITE };

struct bind {
	const char *source;	/* absolute, on the host */
	const char *target;	/* absolute, inside */
	enum bind_access access;
	bool optional;		/* a missing source is passed over */
};

/* -EINVAL and a sentence unless the path is absolute and plain. */
int bind_check_path(const char *path, struct error *why);

/*
 * "[-]SRC:DST[:ro|rw]" as of a policy's bind list and --bind; "-" makes it
 * optional. "/", and what is below /proc, cannot be a target. The strings
 * live in the arena.
 */
int bind_parse(struct bind *ret, const char *text, struct arena *arena,
	       struct error *why);

/* "[-]PATH": the same path on both sides. */
int bind_parse_path(struct bind *ret, const char *text, enum bind_access access,
		    struct arena *arena, struct error *why);

/* Puts it in its place, or in that of a bind with the same target. 0, -E2BIG. */
int bind_insert(struct bind *binds, size_t *count, size_t capacity,
		const struct bind *bind);

#endif
