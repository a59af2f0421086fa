#include "sandbox/bind.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "common/error.h"

int bind_check_path(const char *path, struct error *why)
{
	const char *component = path;

	if (path[0] != '/')
		return error_set(why, -EINVAL, "'%s' is not an absolute path", path);
	if (path[1] == '\0')
		return error_set(why, -EINVAL,
				 "'/' is the whole machine; name directories");
	while (*component == '/') {
		size_t length = strcspn(++component, "/");

		if (length == 0 || (length <= 2 && strncmp(component, "..", length) == 0))
			return error_set(why, -EINVAL,
					 "'%s' has a '.', '..', '//' or '/' at its end", path);
		component += length;
	}
	return 0;
}

static int finish(struct bind *bind, struct error *why)
{
	if (!bind->source || !bind->target)
		return error_set(why, -ENOMEM, "out of memory");
	int r = bind_check_path(bind->source, why);

	if (r == 0)
		r = bind_check_path(bind->target, why);
	if (r == 0 && strncmp(bind->target, "/proc", 5) == 0 &&
	    (bind->target[5] == '/' || bind->target[5] == '\0'))
		return error_set(why, -EINVAL,
				 "'%s': /proc inside is the command's own", bind->target);
	return r;
}

int bind_parse_path(struct bind *ret, const char *text, enum bind_access access,
		    struct arena *arena, struct error *why)
{
	bool optional = text[0] == '-';
	const char *path = arena_text(arena, "%s", text + optional);

	*ret = (struct bind){ path, path, access, optional };
	return finish(ret, why);
}

int bind_parse(struct bind *ret, const char *text, struct arena *arena,
	       struct error *why)
{
	bool optional = text[0] == '-';
	const char *source = text + optional;
	const char *colon = strchr(source, ':');
	const char *mode = colon ? strchr(colon + 1, ':') : NULL;
	bool writes = mode && strcmp(mode, ":rw") == 0;

	if (!colon || (mode && !writes && strcmp(mode, ":ro") != 0))
		return error_set(why, -EINVAL,
				 "'%s': write SRC:DST, SRC:DST:ro or SRC:DST:rw", text);
	*ret = (struct bind){
		.source = arena_text(arena, "%.*s", (int)(colon - source), source),
		.target = arena_text(arena, "%.*s",
				     (int)strcspn(colon + 1, ":"), colon + 1),
		.access = writes ? BIND_WRITE : BIND_READ,
		.optional = optional,
	};
	return finish(ret, why);
}

int bind_insert(struct bind *binds, size_t *count, size_t capacity,
		const struct bind *bind)
{
	size_t place = 0;

	while (place < *count && strcmp(binds[place].target, bind->target) < 0)
		place++;
	if (place == *count || strcmp(binds[place].target, bind->target) != 0) {
		if (*count == capacity)
			return -E2BIG;
		memmove(&binds[place + 1], &binds[place],
			(*count - place) * sizeof(*binds));
		++*count;
	}
	binds[place] = *bind;
	return 0;
}
