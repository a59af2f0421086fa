#include "workers/git/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "workers/git/edits.h"
#include "workers/git/lock.h"
#include "workers/git/trailers.h"
#include "workers/git/worktree.h"

__attribute__((format(printf, 2, 3)))
static int refuse(struct error *why, const char *format, ...)
{
	char text[ERROR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION, "%s", text);
}

struct work {
	struct edits edits;
	git_commit *parent;		/* owned */
	char reference[REFERENCE_BYTES];	/* full name of the branch; or empty */
	bool fresh;			/* which is not there yet */
	bool checked_out;		/* HEAD is that branch */
	struct git_lock lock;
};

/* ---- the commit ---- */

static int make_signature(git_repository *repository, git_signature **ret, struct error *why)
{
	if (git_signature_default(ret, repository) == 0 ||
	    git_signature_now(ret, "Cupel", "cupel@localhost") == 0)
		return 0;
	return git_failure("signature", why);
}

/* The commit as an object; no reference leads to it yet. */
static int make_commit(const struct work *work, const char *message, git_oid *ret,
		       struct error *why)
{
	const git_commit *parents[1] = { work->parent };
	git_signature *signature = NULL;
	git_tree *tree = NULL;
	int r = make_signature(work->edits.repository, &signature, why);

	if (r == 0)
		r = edits_tree(&work->edits, work->parent, &tree, why);
	if (r == 0 && git_commit_create(ret, work->edits.repository, NULL, signature, signature,
					"UTF-8", message, tree, 1, parents) < 0)
		r = git_failure("commit", why);
	git_signature_free(signature);
	git_tree_free(tree);
	return r;
}

/* From the parent to the new commit, or not at all. */
static int move_reference(struct work *work, const git_oid *commit, const char *message,
			  struct error *why)
{
	git_reference *moved = NULL;
	char note[128];
	int r = lock_reference(&work->lock, work->reference, why);

	if (r < 0)
		return r;
	snprintf(note, sizeof(note), "cupel: %.*s", (int)strcspn(message, "\n"), message);
	r = work->fresh ? git_reference_create(&moved, work->edits.repository, work->reference,
					       commit, 0, note) :
			  git_reference_create_matching(&moved, work->edits.repository,
							work->reference, commit, 1,
							git_commit_id(work->parent), note);
	git_reference_free(moved);
	return r < 0 ? git_failure(work->reference, why) : 0;
}

static json_t *hex_of(const git_oid *id)
{
	char hex[GIT_OID_HEXSZ + 1];

	return json_string(git_oid_tostr(hex, sizeof(hex), id));
}

static json_t *describe(const struct work *work, const git_oid *commit)
{
	const char *branch = work->reference;

	if (strncmp(branch, "refs/heads/", 11) == 0)
		branch += 11;
	return json_pack("{s:o, s:o, s:s, s:o}", "inverse", edits_inverse(&work->edits), "commit",
			 hex_of(commit), "branch", branch, "files", edits_files(&work->edits));
}

/* Up to here nothing has changed; a full disk is noticed here at the latest. */
static int prepare(struct work *work, struct error *why)
{
	int r = lock_index(&work->lock, why);

	if (r == 0)
		r = worktree_check(&work->edits, why);
	return r < 0 ? r : worktree_stage(&work->edits, why);
}

static int carry_out(struct work *work, const char *message, json_t **ret,
		     struct error *why)
{
	git_oid commit;
	int r = make_commit(work, message, &commit, why);

	if (r == 0 && work->checked_out)
		r = prepare(work, why);
	if (r == 0)
		r = move_reference(work, &commit, message, why);
	if (r == 0 && work->checked_out)
		r = worktree_follow(&work->edits, why);
	if (r == 0)
		*ret = describe(work, &commit);
	return r;
}

static void release(struct work *work)
{
	git_commit_free(work->parent);
	lock_release(&work->lock);
}

static int lookup_commit(git_repository *repository, const char *hex, git_commit **ret,
			 struct error *why)
{
	git_oid id;

	if (git_oid_fromstr(&id, hex) < 0 || git_commit_lookup(ret, repository, &id) < 0)
		return error_set(why, -ENOENT, "there is no commit %.40s", hex);
	return 0;
}

static bool is_checked_out(git_repository *repository, const char *reference)
{
	git_reference *head;
	bool is = false;

	if (git_repository_head(&head, repository) == 0) {
		is = strcmp(git_reference_name(head), reference) == 0;
		git_reference_free(head);
	}
	return is;
}

/* Whether the branch still holds what the edits made. */
static bool is_last_word(const struct work *work, const char *reference)
{
	git_object *tip;
	bool is = git_revparse_single(&tip, work->edits.repository, reference) == 0;
	git_oid now;

	for (size_t i = 0; is && i < work->edits.count; i++)
		is = blob_find(work->edits.repository, (git_commit *)tip,
			       work->edits.items[i].path, &now, NULL) &&
		     git_oid_equal(&now, &work->edits.items[i].after);
	git_object_free(tip);
	return is;
}

static int catch_up(struct work *work, struct error *why)
{
	struct edits left;
	int r;

	worktree_left_behind(&work->edits, &left);
	if (left.count == 0)
		return 0;
	r = lock_index(&work->lock, why);
	if (r == 0)
		r = worktree_stage(&left, why);
	return r < 0 ? r : worktree_follow(&left, why);
}

/* As trailers_look(), for those who must know whether it is there. */
static int look(git_repository *repository, const struct improvement *improvement,
		struct found *ret, struct error *why)
{
	int r = trailers_look(repository, improvement, ret, why);

	if (r == 0 && ret->unsure)
		return refuse(why, "this is a shallow clone, and improvement %lld may be in the history it leaves out; run git fetch --unshallow first",
			      (long long)improvement->number);
	return r;
}

static int find(struct work *work, const struct improvement *improvement, json_t **ret,
		struct error *why)
{
	git_repository *repository = work->edits.repository;
	git_commit *commit = NULL;
	struct found found;
	int r = look(repository, improvement, &found, why);

	if (r < 0)
		return r;
	if (!found.done) {
		*ret = json_pack("{s:n, s:b, s:n, s:n, s:[]}", "commit", "reverted", 0,
				 "revert", "branch", "files");
		return 0;
	}
	/* What happened last is what the work tree has to follow. */
	if (git_commit_lookup(&commit, repository, found.undone ? &found.revert :
							      &found.commit) < 0)
		return git_failure("commit", why);
	r = edits_read(&work->edits, commit, why);
	r = r == -ENOTSUP ? 0 : r;
	snprintf(work->reference, sizeof(work->reference), "%s", found.reference);
	if (r == 0 && is_checked_out(repository, found.reference) &&
	    is_last_word(work, found.reference))
		r = catch_up(work, why);
	if (r == 0) {
		*ret = describe(work, &found.commit);
		json_object_set_new(*ret, "reverted", json_boolean(found.undone));
		json_object_set_new(*ret, "revert", found.undone ? hex_of(&found.revert) :
								   json_null());
	}
	edits_release(&work->edits);
	git_commit_free(commit);
	return r;
}

int change_find(git_repository *repository, const struct improvement *improvement,
		json_t **ret, struct error *why)
{
	struct work work = { .edits.repository = repository };
	int r = lock_take(&work.lock, repository, why);

	if (r == 0)
		r = find(&work, improvement, ret, why);
	release(&work);
	return r;
}

/* ---- doing ---- */

static int add_edit(struct work *work, const git_commit *base, const json_t *file,
		    struct error *why)
{
	const char *path = json_string_value(json_object_get(file, "path"));
	const json_t *content = json_object_get(file, "content");
	struct edits *edits = &work->edits;
	struct edit *edit = &edits->items[edits->count];
	git_oid now;

	if (edits->count == EDITS_MAX)
		return error_set(why, -E2BIG, "more than %d files", EDITS_MAX);
	edit->path = path;
	if (!blob_find(edits->repository, base, path, &edit->before, &edit->mode))
		return error_set(why, -ENOENT, "%s is no file of the base commit", path);
	if (!blob_find(edits->repository, work->parent, path, &now, &edit->mode) ||
	    !git_oid_equal(&now, &edit->before))
		return refuse(why, "%s has changed on the branch since this was measured; run cupel improve again",
			      path);
	if (git_blob_create_from_buffer(&edit->after, edits->repository,
					json_string_value(content),
					json_string_length(content)) < 0)
		return git_failure(path, why);
	edits->count++;
	return 0;
}

/* An existing branch, and the commit it stands at. */
static int take_tip(struct work *work, const char *reference, struct error *why)
{
	git_reference *branch;
	int r = 0;

	snprintf(work->reference, sizeof(work->reference), "%s", reference);
	if (git_reference_lookup(&branch, work->edits.repository, reference) < 0)
		return git_failure(reference, why);
	if (git_commit_lookup(&work->parent, work->edits.repository,
			      git_reference_target(branch)) < 0)
		r = git_failure(reference, why);
	git_reference_free(branch);
	work->checked_out = is_checked_out(work->edits.repository, reference);
	if (r == 0 && !work->checked_out &&
	    worktree_is_held(work->edits.repository, reference))
		r = refuse(why, "the branch %.200s is checked out in another work tree, or a rebase or bisection is at it; end that first, or take the change back by hand: git revert",
			   reference + strlen("refs/heads/"));
	return r;
}

static int take_head(struct work *work, struct error *why)
{
	git_reference *head;
	int r;

	if (git_repository_head_detached(work->edits.repository) == 1)
		return refuse(why, "HEAD is detached; check out a branch first");
	if (git_repository_head(&head, work->edits.repository) < 0)
		return git_failure("HEAD", why);
	r = take_tip(work, git_reference_name(head), why);
	git_reference_free(head);
	return r;
}

/* A new branch from the base; one of that name that is there is not ours. */
static int take_branch(struct work *work, const git_commit *base, const char *branch,
		       struct error *why)
{
	git_reference *there;

	snprintf(work->reference, sizeof(work->reference), "refs/heads/%.200s", branch);
	if (!git_reference_is_valid_name(work->reference))
		return error_set(why, -EINVAL, "'%.200s' is no name of a branch", branch);
	if (git_reference_lookup(&there, work->edits.repository, work->reference) == 0) {
		git_reference_free(there);
		return refuse(why, "the branch %.200s is there already; delete or rename it",
			      branch);
	}
	work->fresh = true;
	return git_commit_dup(&work->parent, (git_commit *)(uintptr_t)base) < 0 ?
		       git_failure("commit", why) : 0;
}

static int check_sums(const struct edits *edits, const json_t *files, struct error *why)
{
	for (size_t i = 0; i < edits->count; i++) {
		const char *want = json_string_value(json_object_get(json_array_get(files, i),
								     "before_sha256"));
		char sum[SHA256_TEXT_BYTES];
		git_blob *blob;

		if (git_blob_lookup(&blob, edits->repository, &edits->items[i].before) < 0)
			return git_failure(edits->items[i].path, why);
		blob_sum(blob, sum);
		git_blob_free(blob);
		if (!want || strcmp(want, sum) != 0)
			return refuse(why, "%s is not what was measured", edits->items[i].path);
	}
	return 0;
}

static int commit_on(struct work *work, const struct change *change,
		     const git_commit *base, json_t **ret, struct error *why)
{
	AUTO_FREE char *message = NULL;
	char trailers[TRAILERS_BYTES];
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(change->files); i++)
		r = add_edit(work, base, json_array_get(change->files, i), why);
	if (r == 0)
		r = check_sums(&work->edits, change->files, why);
	if (r < 0)
		return r;
	trailers_write(TRAILER_DONE, &change->improvement, trailers);
	if (asprintf(&message, "%s%s", change->message, trailers) < 0) {
		message = NULL;
		return error_set(why, -ENOMEM, "out of memory");
	}
	return carry_out(work, message, ret, why);
}

static int commit_once(struct work *work, const struct change *change, json_t **ret,
		       struct error *why)
{
	git_repository *repository = work->edits.repository;
	struct found found;
	git_commit *base = NULL;
	int r;

	r = trailers_look(repository, &change->improvement, &found, why);
	if (r == 0 && found.done)
		return find(work, &change->improvement, ret, why);
	if (r == 0)
		r = lookup_commit(repository, change->base, &base, why);
	if (r == 0)
		r = change->branch ? take_branch(work, base, change->branch, why) :
				     take_head(work, why);
	if (r == 0)
		r = commit_on(work, change, base, ret, why);
	git_commit_free(base);
	return r;
}

int change_commit(git_repository *repository, const struct change *change,
		  json_t **ret, struct error *why)
{
	struct work work = { .edits.repository = repository };
	int r = lock_take(&work.lock, repository, why);

	if (r == 0)
		r = commit_once(&work, change, ret, why);
	release(&work);
	return r;
}

/* The branch must still hold what the commit made of each file. */
static int turn_round(struct work *work, json_int_t number, struct error *why)
{
	for (size_t i = 0; i < work->edits.count; i++) {
		struct edit *edit = &work->edits.items[i];
		git_oid was = edit->before, now;

		if (!blob_find(work->edits.repository, work->parent, edit->path, &now,
			       &edit->mode) ||
		    !git_oid_equal(&now, &edit->after))
			return refuse(why, "%s has changed since; take the change back by hand, with the patch of 'cupel show %lld --inverse'",
				      edit->path, (long long)number);
		edit->before = edit->after;
		edit->after = was;
	}
	return 0;
}

/*
 * As it was found, rebased perhaps, if it is still that change and nothing of
 * anybody's besides; else as it was made, where that is still to be had.
 */
static int read_done(struct work *work, const struct found *found, const struct undo *undo,
		     git_commit **ret, struct error *why)
{
	git_repository *repository = work->edits.repository;
	git_commit *made = NULL;
	struct error ignored;
	bool is_made = lookup_commit(repository, undo->commit, &made, &ignored) == 0;

	if (git_commit_lookup(ret, repository, &found->commit) < 0) {
		git_commit_free(made);
		return git_failure("commit", why);
	}
	if (is_made && !commits_same_patch(repository, *ret, made)) {
		git_commit_free(*ret);
		*ret = made;
		made = NULL;
	}
	git_commit_free(made);
	int r = edits_read(&work->edits, *ret, why);

	if (r == -ENOTSUP || (r == 0 && !is_made && !edits_are_recorded(&work->edits, undo->files)))
		return refuse(why, "%.12s holds more than improvement %lld, or changes it otherwise by now; take it back by hand, with the patch of 'cupel show %lld --inverse'",
			      git_oid_tostr_s(&found->commit), (long long)undo->improvement.number,
			      (long long)undo->improvement.number);
	return r;
}

static int revert_once(struct work *work, const struct undo *undo, json_t **ret,
		       struct error *why)
{
	const struct improvement *improvement = &undo->improvement;
	git_commit *done = NULL;
	struct found found;
	char message[300 + TRAILERS_BYTES], trailers[TRAILERS_BYTES], hex[GIT_OID_HEXSZ + 1];
	int r = look(work->edits.repository, improvement, &found, why);

	if (r < 0)
		return r;
	if (!found.done)
		return error_set_code(why, -ENOENT, ERROR_NOT_FOUND,
				      "no branch here holds improvement %lld",
				      (long long)improvement->number);
	if (found.undone) {
		r = find(work, improvement, ret, why);
		if (r == 0)
			json_object_set(*ret, "commit", json_object_get(*ret, "revert"));
		return r;
	}
	if (strcmp(found.reference, "HEAD") == 0)
		return refuse(why, "no branch holds improvement %lld, only the detached HEAD does; check out a branch (git switch -c NAME) first",
			      (long long)improvement->number);
	r = read_done(work, &found, undo, &done, why);
	if (r == 0)
		r = take_tip(work, found.reference, why);
	if (r == 0)
		r = turn_round(work, improvement->number, why);
	if (r == 0) {
		trailers_write(TRAILER_UNDONE, improvement, trailers);
		snprintf(message, sizeof(message),
			 "Revert \"%.120s\"\n\nThis reverts commit %.40s.\n%s",
			 git_commit_summary(done),
			 git_oid_tostr(hex, sizeof(hex), git_commit_id(done)), trailers);
		r = carry_out(work, message, ret, why);
	}
	edits_release(&work->edits);
	git_commit_free(done);
	return r;
}

int change_revert(git_repository *repository, const struct undo *undo, json_t **ret,
		  struct error *why)
{
	struct work work = { .edits.repository = repository };
	int r = lock_take(&work.lock, repository, why);

	if (r == 0)
		r = revert_once(&work, undo, ret, why);
	release(&work);
	return r;
}
