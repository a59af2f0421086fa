/*
 * cupel recover: finishes a commit that was killed on its way.
 */
#include "supervisor/cli/recover.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/changes_keep.h"
#include "sandbox/commit.h"
#include "sandbox/path.h"
#include "sandbox/tree.h"
#include "supervisor/cli/cli.h"

#define ARENA_BYTES_MAX (64U << 20)
#define EXIT_UNFINISHED 1

int recover_workspace(const struct tree *workspace, const char *path, bool quiet,
		      struct arena *arena, struct error *why)
{
	AUTO_CLOSE int state = keep_open_state(why);
	const struct commit_request request = { .upper = -1, .state = state,
						.workspace = workspace, .path = path };
	char name[KEEP_NAME_BYTES];
	int count = 0, found = state;

	while (found >= 0 &&
	       (found = commit_find_interrupted(&request, arena, name, why)) == 1) {
		struct changes changes = { 0 };
		struct commit_result result;
		int r = commit_recover(&request, name, arena, &changes, &result, why);

		if (r < 0)
			return error_prefix(why, r, "the interrupted commit %s", name);
		if (!quiet)
			fprintf(stderr, "cupel: finished an interrupted commit to %s: %zu changes\n",
				path, changes.count);
		count++;
	}
	return found < 0 ? found : count;
}

static int recover_directory(const char *asked, struct error *why)
{
	char path[PATH_MAX];
	struct tree workspace;
	struct arena arena;
	int fd = path_open(PATH_ABSOLUTE, asked, O_PATH | O_DIRECTORY, 0, PATH_HOST, why);
	int r = fd < 0 ? fd : tree_take(&workspace, fd, asked, (uid_t)-1, (gid_t)-1, why);

	if (r < 0)
		return r;
	arena_init(&arena, ARENA_BYTES_MAX);
	r = recover_workspace(&workspace, realpath(asked, path) ? path : asked, false,
			      &arena, why);
	arena_release(&arena);
	tree_close(&workspace);
	return r;
}

int cli_recover(const struct verb *verb, int argc, char **argv)
{
	struct error why = { 0 };

	if (argc != 2 || argv[1][0] == '-')
		return cli_refuse_usage(verb);
	int r = recover_directory(argv[1], &why);

	if (r < 0)
		fprintf(stderr, "cupel recover: %s\n", why.text);
	else if (r == 0)
		fprintf(stderr, "cupel: no commit to %s was interrupted\n", argv[1]);
	return r < 0 ? EXIT_UNFINISHED : EXIT_OK;
}

void cli_recover_explain(FILE *out)
{
	fputs("\nA commit of an overlay that was killed leaves each file old or new, and some of\n"
	      "either; this applies the rest. 'cupel run --on-exit commit' does so by itself.\n"
	      "Exit status: 0 nothing is left to do, 1 it could not be finished. See\n"
	      "cupel-run(1).\n", out);
}
