#include "workers/git/libgit.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

/* What this library does not read yet, and how git makes it what it does. */
static const char *way_out(const char *message)
{
	static const char *const ways[][2] = {
		{ "extension: 'link'", "; run: git update-index --no-split-index" },
		{ "extension: 'sdir'", "; run: git sparse-checkout reapply --no-sparse-index" },
	};

	for (size_t i = 0; i < COUNT(ways); i++)
		if (strstr(message, ways[i][0]))
			return ways[i][1];
	return "";
}

int git_failure(const char *what, struct error *why)
{
	const git_error *last = git_error_last();
	const char *message = last ? last->message : "git failed";

	return error_set(why, -EIO, "%s: %s%s", what, message, way_out(message));
}
