#include "workers/git/trailers.h"

#include <stdio.h>
#include <string.h>

#include "workers/git/history.h"

void trailers_write(const char *key, const struct improvement *improvement,
			   char ret[TRAILERS_BYTES])
{
	snprintf(ret, TRAILERS_BYTES, "\n%s: %lld\n" TRAILER_CHANGE ": %.200s\n", key,
		 (long long)improvement->number, improvement->change);
}

static bool has_trailer(const git_commit *commit, const char *key,
			const struct improvement *improvement)
{
	char trailers[TRAILERS_BYTES];
	const char *message = git_commit_message(commit);

	trailers_write(key, improvement, trailers);
	return message && strstr(message, trailers);
}

static void look_at(const git_commit *commit, const struct improvement *improvement,
		    struct found *found)
{
	if (has_trailer(commit, TRAILER_UNDONE, improvement)) {
		found->undone = true;
		found->revert = *git_commit_id(commit);
	}
	if (has_trailer(commit, TRAILER_DONE, improvement)) {
		found->done = true;
		found->commit = *git_commit_id(commit);
	}
}

/* What was looked at from another reference is not looked at again. */
static int look_from(struct history *history, const char *reference,
		     const struct improvement *improvement, struct found *found,
		     struct error *why)
{
	git_commit *commit;
	git_oid tip;
	int r = git_reference_name_to_id(&tip, history->repository, reference);

	if (r == GIT_ENOTFOUND)	/* it was deleted, or leads to one that is not there yet */
		return 0;
	if (r < 0)
		return git_failure(reference, why);
	*found = (struct found){ 0 };
	r = history_add(history, &tip, false, why);
	if (r < 0)
		return r;
	while ((r = history_next(history, &commit, why)) > 0) {
		look_at(commit, improvement, found);
		git_commit_free(commit);
	}
	if (r == 0 && found->done)
		snprintf(found->reference, sizeof(found->reference), "%s", reference);
	return r;
}

static int look_from_head(struct history *history, const struct improvement *improvement,
			  struct found *found, struct error *why)
{
	git_reference *head;
	int r = git_repository_head(&head, history->repository);

	if (r == GIT_EUNBORNBRANCH || r == GIT_ENOTFOUND)
		return 0;
	if (r < 0)
		return git_failure("HEAD", why);
	r = look_from(history, git_reference_name(head), improvement, found, why);
	git_reference_free(head);
	return r;
}

static int look_from_branches(struct history *history, const struct improvement *improvement,
			      struct found *found, struct error *why)
{
	git_reference_iterator *branches;
	git_reference *branch;
	int r = 0, next = 0;

	if (git_reference_iterator_glob_new(&branches, history->repository, "refs/heads/*") < 0)
		return git_failure("branches", why);
	while (r == 0 && !found->done && (next = git_reference_next(&branch, branches)) == 0) {
		/* Another name of a branch is no branch of its own. */
		if (git_reference_type(branch) == GIT_REFERENCE_DIRECT)
			r = look_from(history, git_reference_name(branch), improvement, found, why);
		git_reference_free(branch);
	}
	if (r == 0 && next < 0 && next != GIT_ITEROVER)
		r = git_failure("branches", why);
	git_reference_iterator_free(branches);
	return r;
}

/* What was there when it was measured has it not. */
static int hide_known(struct history *history, const struct improvement *improvement,
		      struct error *why)
{
	git_commit *since;
	git_oid id;

	if (!improvement->since || git_oid_fromstr(&id, improvement->since) < 0)
		return 0;
	int r = git_commit_lookup(&since, history->repository, &id);

	if (r == GIT_ENOTFOUND)
		return 0;
	if (r < 0)
		return git_failure(improvement->since, why);
	git_commit_free(since);
	return history_add(history, &id, true, why);
}

int trailers_look(git_repository *repository, const struct improvement *improvement,
		  struct found *ret, struct error *why)
{
	const bool detached = git_repository_head_detached(repository) == 1;
	struct history history;
	int r = history_init(&history, repository, why);

	*ret = (struct found){ 0 };
	if (r == 0)
		r = hide_known(&history, improvement, why);
	if (r == 0 && !detached)
		r = look_from_head(&history, improvement, ret, why);
	if (r == 0 && !ret->done)
		r = look_from_branches(&history, improvement, ret, why);
	if (r == 0 && !ret->done && detached)
		r = look_from_head(&history, improvement, ret, why);
	ret->unsure = !ret->done && history.cut;
	history_release(&history);
	return r;
}
