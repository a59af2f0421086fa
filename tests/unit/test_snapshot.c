/*
 * Snapshots of a folder without git, one of which was cut short: the next
 * leaves everything as it has to be for a change.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "workers/git/lock.h"
#include "workers/git/snapshot.h"

const char *git_folder;

static int set_up(void **state)
{
	git_libgit2_init();
	return test_enter_folder(state);
}

static int tear_down(void **state)
{
	git_libgit2_shutdown();
	return test_leave_folder(state);
}

/* As another worker does it. */
static void snapshot(void)
{
	git_repository *repository = NULL;
	json_t *answer = NULL;
	struct error why;
	int r = snapshot_open(&repository, &why);

	if (r == 0)
		r = snapshot_take(repository, &answer, &why);
	test_row(r == 0, "%s", why.text);
	json_decref(answer);
	git_repository_free(repository);
}

/* A commit is made, an index is not, or not wholly. */
static void one_cut_short_is_made_whole(void **state)
{
	static const char *const left[] = {
		"true", "rm .cupel/index", "cp before .cupel/index",
		"rm .cupel/index; echo half >.cupel/index.lock",
		"ln .cupel/cupel.lock .cupel/index.lock",
		"rm .cupel/index; : >.cupel/refs/heads/main.lock;"
		" printf refs/heads/main >.cupel/cupel.lock",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(left); i++) {
		char got[400];

		assert_int_equal(system("rm -rf .cupel; echo before >.gitignore; echo old >a"), 0);
		snapshot();
		assert_int_equal(system("cp .cupel/index before; echo new >a; echo b >b"), 0);
		snapshot();
		assert_int_equal(system(left[i]), 0);
		snapshot();
		test_output("export GIT_DIR=.cupel GIT_WORK_TREE=.; git rev-list --count main;"
		    " git diff --cached --name-only main; git ls-files; find .cupel -name '*.lock';"
		    " rm b", got, sizeof(got));
		test_row(strcmp(got, "2\n.gitignore\na\nb\n.cupel/cupel.lock\n") == 0, "%s: %s",
			 left[i], got);
	}
}

/* In the user's own git, a lock that is not ours says that git is at work. */
static void what_git_holds_stays_held(void **state)
{
	git_repository *repository;
	struct git_lock lock;
	struct error why;

	(void)state;
	assert_int_equal(system("git init -q . && echo theirs >.git/index.lock"), 0);
	assert_int_equal(git_repository_open(&repository, "."), 0);
	git_folder = ".git";
	assert_int_equal(lock_take(&lock, repository, &why), 0);
	assert_int_equal(lock_index(&lock, &why), -EBUSY);
	lock_release(&lock);
	assert_int_equal(system("grep -q theirs .git/index.lock && rm -r .git"), 0);
	git_repository_free(repository);
}

/* No repository is made at the other end of a link. */
static void it_is_a_folder_itself(void **state)
{
	git_repository *repository;
	struct error why;

	(void)state;
	assert_int_equal(system("rm -rf .cupel; mkdir elsewhere && ln -s elsewhere .cupel"), 0);
	assert_int_equal(snapshot_open(&repository, &why), -ENOTDIR);
	assert_int_equal(system("rmdir elsewhere"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_cut_short_is_made_whole),
		cmocka_unit_test(what_git_holds_stays_held),
		cmocka_unit_test(it_is_a_folder_itself),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
