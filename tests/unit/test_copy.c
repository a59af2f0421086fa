/*
 * Private copies of commits that are made to reach out of them: what is there
 * afterwards, and that nothing outside has changed.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "workers/git/copy.h"

const char *git_folder = ".git";

static char top[] = "/tmp/cupel-copy.XXXXXX";
static git_repository *repository;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top) || chdir(top) < 0 ||
	    system("mkdir outside && echo kept >outside/kept && git init -q -b main work") != 0 ||
	    chdir("work") < 0)
		return -1;
	git_libgit2_init();
	return git_repository_open(&repository, ".");
}

static int tear_down(void **state)
{
	char script[80];

	(void)state;
	git_repository_free(repository);
	git_libgit2_shutdown();
	snprintf(script, sizeof(script), "rm -rf %s", top);
	return chdir("/") == 0 && system(script) == 0 ? 0 : -1;
}

/* A commit of one entry, byte by byte, as no git would write it. */
static git_commit *commit_of(const char *mode, const char *name, const char *content)
{
	char script[1200], hex[800] = "";
	git_commit *commit = NULL;
	git_oid id;

	setenv("MODE", mode, 1);
	setenv("NAME", name, 1);
	setenv("CONTENT", content, 1);
	snprintf(script, sizeof(script),
		 "blob=$(printf %%s \"$CONTENT\" | git hash-object -w --stdin);"
		 "case $MODE in"
		 " 40000) tree=$(printf '100644 blob %%s\\tinner\\n' $blob | git mktree) ;;"
		 " 160000) tree=$(printf '%%040d' 1) ;;"
		 " *) tree=$blob ;;"
		 "esac;"
		 "tree=$(perl -e 'print \"$ENV{MODE} $ENV{NAME}\\0\", pack(\"H*\", $ARGV[0])' $tree |"
		 " git hash-object -t tree -w --stdin --literally);"
		 "git -c user.name=t -c user.email=t@localhost commit-tree -m m $tree | tr -d '\\n'");
	test_output(script, hex, sizeof(hex));
	if (git_oid_fromstr(&id, hex) == 0)
		git_commit_lookup(&commit, repository, &id);
	return commit;
}

/* What stands in the copy, and outside: "TYPE NAME MODE TARGET" a line. */
#define LOOK "find .git/cupel/a -mindepth 1 -printf '%y %P %m %l;';" \
	     "(cd .. && find . -path ./work -prune -o -type f -print -exec cat {} +) | tr '\\n' ' '"
#define NOTHING_ELSE "./outside/kept kept "

static void no_tree_reaches_out(void **state)
{
	static const struct {
		const char *what, *mode, *name, *content;
		bool refused;
		const char *made;
	} rows[] = {
		{ "a file", "100644", "a", "x", false, "f a 644 ;" },
		{ "its folder", "40000", "a", "x", false, "d a 755 ;f a/inner 644 ;" },
		{ "the folder above", "40000", "..", "x", true, "" },
		{ "a file above", "100644", "../outside/kept", "x", true, "" },
		{ "an absolute one", "100644", "/tmp/cupel-copy-escape", "x", true, "" },
		{ "itself", "40000", ".", "x", true, "" },
		{ "git's own", "40000", ".git", "x", true, "" },
		{ "in other letters", "40000", ".GiT", "x", true, "" },
		{ "no name", "100644", "", "x", true, "" },
		{ "a slash within", "100644", "a/b", "x", true, "" },
		{ "a link inside", "120000", "l", "a/b", false, "l l 777 a/b;" },
		{ "a link to the root", "120000", "l", "/etc", false, "" },
		{ "a link above", "120000", "l", "..", false, "" },
		{ "one by a way round", "120000", "l", "a/../../../outside", false, "" },
		{ "an empty link", "120000", "l", "", false, "" },
		{ "setuid", "104755", "s", "x", false, "f s 755 ;" },
		{ "writable by all", "100666", "w", "x", false, "f w 644 ;" },
		{ "a submodule", "160000", "m", "x", false, "" },
		{ "a control character", "100644", "a\033b", "x", false, "f a\033b 644 ;" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		git_commit *commit = commit_of(rows[i].mode, rows[i].name, rows[i].content);
		json_t *skipped = json_array();
		json_int_t count;
		struct error why;
		char got[800], want[800];

		int r = commit ? copy_fill(repository, commit, "a", NULL, skipped, &count, &why) :
				 -ENOENT;
		test_output(LOOK, got, sizeof(got));
		snprintf(want, sizeof(want), "%s" NOTHING_ELSE, rows[i].made);
		test_row((r < 0) == rows[i].refused, "%s: %d %s", rows[i].what, r,
			 r < 0 ? why.text : "");
		test_row(strcmp(got, want) == 0, "%s: %s, not %s", rows[i].what, got, want);
		json_decref(skipped);
		git_commit_free(commit);
	}
}

/* One of a/b/inner. */
static git_commit *commit_in_folders(void)
{
	char hex[800];
	git_commit *commit = NULL;
	git_oid id;

	test_output("blob=$(printf x | git hash-object -w --stdin);"
	    "tree=$(printf '100644 blob %s\tinner\n' $blob | git mktree);"
	    "tree=$(printf '040000 tree %s\tb\n' $tree | git mktree);"
	    "tree=$(printf '040000 tree %s\ta\n' $tree | git mktree);"
	    "git -c user.name=t -c user.email=t@localhost commit-tree -m m $tree | tr -d '\n'", hex, sizeof(hex));
	if (git_oid_fromstr(&id, hex) == 0)
		git_commit_lookup(&commit, repository, &id);
	return commit;
}

/* What a build left in the place of a protected file, or of its folders. */
static void what_is_put_back_stays_inside(void **state)
{
	static const char *const builds[] = {
		"ln -sf ../../../../../outside/kept a/b/inner", "rm -r a; ln -s ../../../../outside a",
		"rm -r a/b; ln -s ../../../../../outside a/b", "rm -r a; ln -s . a",
		"rm a/b/inner; mkdir -p a/b/inner/x", "rm a/b/inner; mkfifo a/b/inner",
		"rm a/b/inner; ln ../../../../outside/kept a/b/inner", "chmod 0 a/b/inner",
		"rm -r a; echo >a", "rm -r a/b; mkfifo a/b", "rm -r a",
	};
	git_commit *commit = commit_in_folders();
	json_t *paths = json_pack("[s]", "a");

	(void)state;
	for (size_t i = 0; i < COUNT(builds); i++) {
		json_t *changed = json_array(), *missing = json_array();
		char script[200], got[800];
		json_int_t count;
		struct error why;

		assert_int_equal(copy_fill(repository, commit, "a", NULL, changed, &count, &why), 0);
		snprintf(script, sizeof(script), "cd .git/cupel/a && { %s; }", builds[i]);
		assert_int_equal(system(script), 0);
		int r = copy_protect(repository, commit, "a", paths, changed, missing, &why);

		test_output("find .git/cupel/a -type f -o -type l | tr '\\n' ' ';"
		    "cat .git/cupel/a/a/b/inner; echo; cat ../outside/kept; find ../outside", got, sizeof(got));
		test_row(r == 0, "%s: %s", builds[i], r < 0 ? why.text : "");
		test_row(strcmp(got, ".git/cupel/a/a/b/inner x\nkept\n../outside\n../outside/kept\n") == 0,
			 "%s: %s", builds[i], got);
		json_decref(changed);
		json_decref(missing);
	}
	json_decref(paths);
	git_commit_free(commit);
}

/* A protected link, as it was, changed or gone; of one that leads out nothing was there. */
static void a_link_is_put_back_as_well(void **state)
{
	static const struct {
		const char *target, *build;
		size_t changed, missing;
		const char *want;
	} rows[] = {
		{ "a/b", "true", 0, 0, "l a/b;" },
		{ "a/b", "ln -sfn b/a l", 1, 0, "l a/b;" },
		{ "a/b", "rm l; echo mine >l", 0, 1, "l a/b;" },
		{ "a/b", "rm l; mkdir -p l/l", 0, 1, "l a/b;" },
		{ "a/b", "rm l", 0, 1, "l a/b;" },
		{ "../out", "true", 0, 0, "" },
	};
	json_t *paths = json_pack("[s]", "l");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		git_commit *commit = commit_of("120000", "l", rows[i].target);
		json_t *changed = json_array(), *missing = json_array(), *skipped = json_array();
		char script[200], got[800];
		json_int_t count;
		struct error why = { 0 };

		assert_int_equal(copy_fill(repository, commit, "a", NULL, skipped, &count, &why), 0);
		snprintf(script, sizeof(script), "cd .git/cupel/a && { %s; }", rows[i].build);
		assert_int_equal(system(script), 0);
		int r = copy_protect(repository, commit, "a", paths, changed, missing, &why);

		test_output("find .git/cupel/a -mindepth 1 -printf '%y %l;'", got, sizeof(got));
		test_row(r == 0 && json_array_size(changed) == rows[i].changed &&
			 json_array_size(missing) == rows[i].missing &&
			 strcmp(got, rows[i].want) == 0,
			 "%s: %d %s: %s", rows[i].build, r, why.text, got);
		json_decref(changed);
		json_decref(missing);
		json_decref(skipped);
		git_commit_free(commit);
	}
	json_decref(paths);
}

/* Beside them lie the files of a change that another is making. */
static void copies_go_and_nothing_else(void **state)
{
	struct error why = { 0 };
	char got[800];

	(void)state;
	assert_int_equal(system("mkdir -p .git/cupel/a/b && touch .git/cupel/new-0 .git/cupel/index"), 0);
	test_row(copy_remove(NULL, &why) == 0, "%s", why.text);
	test_output("ls .git/cupel | tr '\n' ' '", got, sizeof(got));
	assert_string_equal(got, "index new-0 ");
	assert_int_equal(system("rm .git/cupel/*"), 0);
}

/* What a build that ran away has left, with few descriptors. */
static void deep_folders_go(void **state)
{
	struct error why = { 0 };
	char got[800];

	(void)state;
	assert_int_equal(system("mkdir -p .git/cupel/a && cd .git/cupel/a &&"
				" for i in $(seq 1000); do mkdir -p d e && cd d; done"), 0);
	test_row(copy_remove(NULL, &why) == 0, "%s", why.text);
	test_output("find .git/cupel -mindepth 1", got, sizeof(got));
	assert_string_equal(got, "");
}

/* By whom prefers another disk, say: nothing is written through it. */
static void a_link_in_place_of_the_folder_is_named(void **state)
{
	static const char *const places[] = { "ln -s ../../outside .git/cupel",
					      "touch .git/cupel" };

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct error why = { 0 };

		assert_int_equal(system("rm -rf .git/cupel"), 0);
		assert_int_equal(system(places[i]), 0);
		test_row(copy_open("tuned", &why) == -ENOTDIR &&
			 strcmp(why.text, ".git/cupel is no folder; remove it, and try again") == 0,
			 "%s: %s", places[i], why.text);
	}
	assert_int_equal(system("test ! -e ../outside/tuned && rm .git/cupel"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_tree_reaches_out),
		cmocka_unit_test(what_is_put_back_stays_inside),
		cmocka_unit_test(a_link_is_put_back_as_well),
		cmocka_unit_test(copies_go_and_nothing_else),
		cmocka_unit_test(deep_folders_go),
		cmocka_unit_test(a_link_in_place_of_the_folder_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
