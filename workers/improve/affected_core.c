#include "workers/improve/affected_core.h"

#include <string.h>

int affected_compile(struct affected *affected, const char *pattern)
{
	int r;

	glob_set_init(&affected->set, affected->globs, AFFECTED_ALTERNATIVES_MAX,
		      affected->memory, sizeof(affected->memory));
	r = glob_set_add(&affected->set, span_of_text(pattern));
	return r < 0 ? r : 0;
}

bool affected_by(const struct affected *affected, const char *path)
{
	for (const char *end = path; *end; ) {
		end = strchrnul(end + 1, '/');
		if (glob_set_match(&affected->set, (struct span){
			    (const uint8_t *)path, (size_t)(end - path) }))
			return true;
	}
	return false;
}
