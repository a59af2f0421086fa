#include "workers/git/trailers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* What was there when it was measured has it not; what HEAD has was looked at. */
static void hide_known(git_revwalk *walk, const struct improvement *improvement, bool hide_head)
{
	git_oid id;

	if (improvement->since && git_oid_fromstr(&id, improvement->since) == 0)
		git_revwalk_hide(walk, &id);
	if (hide_head)
		git_revwalk_hide_head(walk);
}

static int look_from(git_repository *repository, const char *reference, bool hide_head,
		     const struct improvement *improvement, struct found *found)
{
	git_revwalk *walk;
	git_oid id;

	if (git_revwalk_new(&walk, repository) < 0)
		return -EIO;
	git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL);
	hide_known(walk, improvement, hide_head);
	if (git_revwalk_push_ref(walk, reference) == 0)
		while (git_revwalk_next(&id, walk) == 0) {
			git_commit *commit;

			if (git_commit_lookup(&commit, repository, &id) < 0)
				break;
			if (has_trailer(commit, TRAILER_UNDONE, improvement)) {
				found->undone = true;
				found->revert = id;
			}
			if (has_trailer(commit, TRAILER_DONE, improvement)) {
				found->done = true;
				found->commit = id;
				snprintf(found->reference, sizeof(found->reference), "%s", reference);
			}
			git_commit_free(commit);
			if (found->done)
				break;
		}
	git_revwalk_free(walk);
	return 0;
}

void trailers_look(git_repository *repository, const struct improvement *improvement,
		   struct found *ret)
{
	git_reference_iterator *branches;
	git_reference *head;
	const char *name;
	bool has_head;

	*ret = (struct found){ 0 };
	has_head = git_repository_head(&head, repository) == 0;
	if (has_head) {
		look_from(repository, git_reference_name(head), false, improvement, ret);
		git_reference_free(head);
	}
	if (ret->done || git_reference_iterator_glob_new(&branches, repository,
							 "refs/heads/*") < 0)
		return;
	while (!ret->done && git_reference_next_name(&name, branches) == 0)
		look_from(repository, name, has_head, improvement, ret);
	git_reference_iterator_free(branches);
}
