#include "supervisor/cli/on_exit.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/changes_diff.h"
#include "sandbox/changes_keep.h"
#include "sandbox/changes_list.h"
#include "sandbox/commit.h"
#include "sandbox/commit_owner.h"

#define ROWS_SHOWN 200
#define LATER_SHOWN 10
#define DIFF_BYTES_SHOWN (64 << 10)
#define ROWS_IN_VERDICT 1000

/* Where kept changes lie, for people. */
static void name_kept(struct on_exit_result *result, int state, const char *name)
{
	char link[40], directory[200];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", state);
	ssize_t length = readlink(link, directory, sizeof(directory) - 1);

	snprintf(result->kept, sizeof(result->kept), "%.*s/%.50s",
		 length > 0 ? (int)length : 0, directory, name);
}

static int keep(const struct plan *plan, int upper, int64_t started_ns,
		struct on_exit_result *result, struct error *why)
{
	const struct tree *workspace = &plan->sandbox.workspace_tree;
	const struct changes_origin origin = {
		.device = workspace->device,
		.inode = workspace->inode,
		.started_ns = started_ns,
		.workspace = plan->sandbox.workspace,
	};
	char name[KEEP_NAME_BYTES];
	struct owner owner;
	AUTO_CLOSE int state = keep_open_state(why);
	int r = state < 0 ? state : owner_init(&owner, workspace->directory, why);

	if (r < 0)
		return r;
	AUTO_CLOSE int directory = keep_create(state, &owner, name, why);

	r = directory < 0 ? directory :
	    keep_write(directory, upper, &result->changes, &origin, &owner, why);
	owner_release(&owner);
	if (r == 0)
		name_kept(result, state, name);
	return r;
}

static int commit(const struct plan *plan, int upper, int64_t started_ns,
		  struct on_exit_result *result, struct error *why)
{
	AUTO_CLOSE int state = keep_open_state(why);
	struct commit_result committed;

	if (state < 0)
		return state;
	const struct commit_request request = {
		.upper = upper,
		.state = state,
		.workspace = &plan->sandbox.workspace_tree,
		.path = plan->sandbox.workspace,
		.started_ns = started_ns,
	};
	int r = commit_apply(&request, &result->changes, &committed, why);

	if (committed.kept[0])
		name_kept(result, state, committed.kept);
	result->committed = r == 0;
	return r;
}

/* What runs unasked from now on does not go by in silence. */
static void tell_later(const struct changes *changes, const char *committed)
{
	static const char *const done[CHANGE_VERB_COUNT] = {
		[CHANGE_ADDED] = "the command added",
		[CHANGE_MODIFIED] = "the command changed",
		[CHANGE_DELETED] = "the command removed",
		[CHANGE_TYPE] = "the command replaced",
	};
	char path[4096];
	size_t told = 0;

	for (const struct change *change = changes->first;
	     change && told < LATER_SHOWN; change = change->next) {
		if (!change->later)
			continue;
		text_escape(span_of_text(change->path), path, sizeof(path));
		fprintf(stderr, "cupel: %s %s, which others run later: %s\n",
			committed ? committed : done[change->verb], path, change->later);
		told++;
	}
	if (told < changes->later)
		fprintf(stderr, "cupel: and %zu more of this kind; --json has them\n",
			changes->later - told);
}

int on_exit_do(enum on_exit action, const struct plan *plan,
	       const struct run_result *run, int64_t started_ns, bool quiet,
	       struct arena *arena, struct on_exit_result *ret, struct error *why)
{
	bool succeeded = run->cause == RUN_EXITED && run->exit_code == 0;

	*ret = (struct on_exit_result){ 0 };
	int r = changes_read(run->upper, &plan->sandbox.workspace_tree, arena,
			     &ret->changes, why);

	if (r < 0)
		return r;
	if (action == ON_EXIT_COMMIT && succeeded)
		r = commit(plan, run->upper, started_ns, ret, why);
	else if (action >= ON_EXIT_KEEP && ret->changes.count)
		r = keep(plan, run->upper, started_ns, ret, why);
	if (!quiet && (action == ON_EXIT_DIFF || r < 0))
		changes_print(&ret->changes, ROWS_SHOWN, stderr);
	if (r == 0 && !quiet && action == ON_EXIT_DIFF)
		r = changes_diff(run->upper, &plan->sandbox.workspace_tree,
				 &ret->changes, DIFF_BYTES_SHOWN, stderr, why);
	if (!quiet && ret->committed)
		tell_later(&ret->changes, "committed");
	if (!quiet && ret->kept[0])
		fprintf(stderr, "cupel: the changes are kept in %s\n", ret->kept);
	return r;
}

int on_exit_direct(const struct direct_look *before, const struct plan *plan, bool quiet,
		   struct arena *arena, struct on_exit_result *ret, struct error *why)
{
	struct direct_look after;
	int r = direct_look(&plan->sandbox.workspace_tree, arena, &after, why);

	*ret = (struct on_exit_result){ 0 };
	if (r < 0)
		return r;
	direct_compare(before, &after, arena, &ret->changes);
	if (!quiet)
		tell_later(&ret->changes, NULL);
	if (!quiet && after.omitted > before->omitted)
		fprintf(stderr, "cupel: not all of the workspace was looked through for files that others run later\n");
	return 0;
}

static json_t *row_json(const struct change *change)
{
	const char letter[2] = { change_letter(change->verb), '\0' };
	char path[4096];

	text_escape(span_of_text(change->path), path, sizeof(path));
	return json_pack("{ss ss ss sI ss? sb}", "path", path, "change", letter,
			 "kind", file_kind_name(change->kind),
			 "bytes", (json_int_t)change->size,
			 "executed_later_by", change->later,
			 "conflict", change->conflict);
}

json_t *on_exit_json(const struct on_exit_result *result)
{
	json_t *rows = json_array();
	size_t count = 0;

	for (const struct change *change = result->changes.first;
	     change && count < ROWS_IN_VERDICT; change = change->next, count++)
		json_array_append_new(rows, row_json(change));
	return json_pack("{sI sI sI sb ss? so}",
			 "count", (json_int_t)result->changes.count,
			 "omitted", (json_int_t)(result->changes.omitted +
						 result->changes.count - count),
			 "specials", (json_int_t)result->changes.specials,
			 "committed", result->committed,
			 "kept", result->kept[0] ? result->kept : NULL,
			 "rows", rows);
}
