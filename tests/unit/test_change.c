/*
 * A change of a repository, killed at every system call that writes: what is
 * left is old or new, whoever comes next completes it, and git finds nothing
 * in its way.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "workers/git/change.h"
#include "workers/git/edits.h"

#define NUMBER 7
#define CHANGE "a change"
#define POINTS_MAX 2000

const char *git_folder = ".git";

static char top[] = "/tmp/cupel-change.XXXXXX";
static struct error why;

/* ---- a repository, and what git says of it ---- */

static void shell(const char *script)
{
	test_row(system(script) == 0, "%s", script);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	git_libgit2_init();
	shell("git init -q -b main before && cd before && git config user.name t &&"
	      " git config user.email t@localhost && mkdir src && echo old >src/a.h &&"
	      " echo theirs >theirs && chmod 600 src/a.h && git add -A && git commit -qm start &&"
	      " echo edited >theirs && echo scratch >scratch");
	return 0;
}

static int tear_down(void **state)
{
	char script[80];

	(void)state;
	git_libgit2_shutdown();
	snprintf(script, sizeof(script), "rm -rf %s", top);
	return chdir("/") == 0 && system(script) == 0 ? 0 : -1;
}

/* ---- what is done, in a process of its own ---- */

static json_t *files_of(git_repository *repository)
{
	char sum[SHA256_TEXT_BYTES] = "";
	git_object *blob;

	if (git_revparse_single(&blob, repository, "HEAD:src/a.h") == 0) {
		blob_sum((git_blob *)blob, sum);
		git_object_free(blob);
	}
	return json_pack("[{s:s, s:s, s:s}]", "path", "src/a.h", "content", "new\n",
			 "before_sha256", sum);
}

/* As the store has them of what was applied. */
static json_t *recorded(void)
{
	const struct span texts[] = { span_of_text("old\n"), span_of_text("new\n") };
	char before[SHA256_TEXT_BYTES], after[SHA256_TEXT_BYTES];

	sha256_text(&texts[0], 1, before);
	sha256_text(&texts[1], 1, after);
	return json_pack("[{s:s, s:s, s:s}]", "path", "src/a.h", "before_sha256", before,
			 "after_sha256", after);
}

enum step { COMMIT, REVERT, RECOVER, FIND };

/* Which commit a change is of, or is taken back. */
static const char *base = "refs/heads/main";
static const char *since;	/* a revision; or NULL */

static void name_commit(git_repository *repository, const char *revision,
			char ret[GIT_OID_HEXSZ + 1])
{
	git_object *commit;

	ret[0] = '\0';
	if (git_revparse_single(&commit, repository, revision) < 0)
		return;
	git_oid_tostr(ret, GIT_OID_HEXSZ + 1, git_object_id(commit));
	git_object_free(commit);
}

/* As the worker does it; the call before it tells the tracer to begin. */
static int act(enum step step)
{
	git_repository *repository;
	char head[GIT_OID_HEXSZ + 1], known[GIT_OID_HEXSZ + 1];
	json_t *answer = NULL;
	int r;

	if (chdir("work") < 0 || git_repository_open(&repository, ".") < 0)
		return 9;
	name_commit(repository, base, head);
	if (since)
		name_commit(repository, since, known);
	const struct change change = {
		.base = head, .message = "Tune a\n", .files = files_of(repository),
		.improvement = { NUMBER, CHANGE, since ? known : NULL },
	};

	const struct undo undo = { head, recorded(), change.improvement };

	syscall(SYS_getppid);
	r = step == COMMIT ? change_commit(repository, &change, &answer, &why) :
	    step == REVERT ? change_revert(repository, &undo, &answer, &why) :
			     change_find(repository, &change.improvement, &answer, &why);
	if (r < 0)
		fprintf(stderr, "# %s\n", why.text);
	return r < 0 ? -r : step == FIND && json_is_null(json_object_get(answer, "commit"));
}

/* ---- killed at the nth call that changes anything ---- */

static bool changes_something(unsigned long long call)
{
	static const long calls[] = {
		SYS_write, SYS_pwrite64, SYS_openat, SYS_openat2, SYS_open, SYS_creat, SYS_rename,
		SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat, SYS_unlink, SYS_unlinkat,
		SYS_mkdir, SYS_mkdirat, SYS_ftruncate, SYS_fchmod, SYS_chmod, SYS_fsync,
	};

	for (size_t i = 0; i < COUNT(calls); i++)
		if (call == (unsigned long long)calls[i])
			return true;
	return false;
}

/* False once the process ends by itself before that many. */
static bool kill_at(enum step step, int point)
{
	bool begun = false, entering = true;
	int status, count = 0;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(act(step));
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		struct user_regs_struct registers;

		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			test_row(WEXITSTATUS(status) == 0, "step %d ends with %d", step,
				 WEXITSTATUS(status));
			return false;
		}
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GETREGS, pid, NULL, &registers);
		begun |= registers.orig_rax == SYS_getppid;
		entering = !entering;
		if (begun && entering && changes_something(registers.orig_rax) &&
		    count++ == point)
			break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return true;
}

static int status_of(enum step step)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(act(step));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void run_untraced(enum step step)
{
	int status = status_of(step);

	test_row(status == 0, "step %d: status %x", step, (unsigned)status);
}

/* ---- what must hold ---- */

static void check_torn(enum step step, int point)
{
	char got[400];

	test_output(point % 8 ? "cd work && cat src/a.h && git show HEAD:src/a.h && cat theirs scratch &&"
			" git rev-list --count HEAD" :
			"cd work && cat src/a.h && git show HEAD:src/a.h && cat theirs scratch &&"
			" git rev-list --count HEAD && git fsck 2>&1 | grep -v dangling", got, sizeof(got));
	const char *file = strncmp(got, "old\n", 4) == 0 ? "old" : "new";
	const char *head = strncmp(got + 4, "old\n", 4) == 0 ? "old" : "new";
	const char *after = step == COMMIT ? "new" : "old";
	char want[80];

	/* The branch goes first: a file ahead of it would be nobody's change. */
	test_row(strcmp(file, after) != 0 || strcmp(head, after) == 0,
		 "step %d killed at %d: the file is ahead of the branch", step, point);

	snprintf(want, sizeof(want), "%s\n%s\nedited\nscratch\n%d\n", file, head,
		 step == COMMIT ? 1 + (strcmp(head, "new") == 0) :
				  2 + (strcmp(head, "old") == 0));
	test_row(strcmp(got, want) == 0, "step %d killed at %d: got\n%swant\n%s", step, point, got,
		 want);
}

static void check_whole(enum step step, int point)
{
	char got[400];

	test_output("cd work && git status --porcelain && cat src/a.h && stat -c %a src/a.h &&"
	    " cat theirs scratch && git log --format=%b | grep -c '^Cupel-[IR]' &&"
	    " git diff-index --cached --name-only HEAD; find .git -name '*.lock' ! -size 0;"
	    " find .git -name 'index.lock' -o -name 'main.lock'; find . -name '.cupel*';"
	    " git -c user.name=t -c user.email=t commit -q --allow-empty -m theirs && echo free",
	    got, sizeof(got));
	const char *want = step == COMMIT ?
		" M theirs\n?? scratch\nnew\n600\nedited\nscratch\n1\nfree\n" :
		" M theirs\n?? scratch\nold\n600\nedited\nscratch\n2\nfree\n";

	test_row(strcmp(got, want) == 0, "step %d killed at %d, completed: got\n%swant\n%s", step,
		 point, got, want);
}

/* Each point on a fresh copy; what was cut short is then found, and done. */
static void kill_everywhere(enum step step, const char *template)
{
	char copy[80];
	int point = 0;

	snprintf(copy, sizeof(copy), "rm -rf work && cp -a %s work", template);
	for (bool cut = true; cut && point < POINTS_MAX; point++) {
		shell(copy);
		cut = kill_at(step, point);
		check_torn(step, point);
		if (cut)
			run_untraced(RECOVER);
		if (cut)
			run_untraced(step);
		check_whole(step, point);
	}
	test_row(point > 20, "only %d points", point);
	print_message("# step %d: killed at %d points\n", step, point - 1);
}

static void a_commit_is_there_or_not(void **state)
{
	(void)state;
	kill_everywhere(COMMIT, "before");
}

static void and_so_is_its_inverse(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("rm -rf after && cp -a work after");
	kill_everywhere(REVERT, "after");
}

/* A colleague's of the same number is another; ours is so on every branch. */
static void it_is_known_by_what_it_changes(void **state)
{
	char got[400];

	(void)state;
	shell("rm -rf work && cp -a before work && cd work && git commit -q --allow-empty -m"
	      " \"$(printf 'Tune b\\n\\nCupel-Improvement: 7\\nCupel-Change: another\\n')\"");
	run_untraced(COMMIT);
	test_output("cd work && cat src/a.h && git rev-list --count HEAD", got, sizeof(got));
	assert_string_equal(got, "new\n3\n");
	shell("cd work && git checkout -q -b aside HEAD~1");
	run_untraced(COMMIT);
	test_output("cd work && cat src/a.h && git rev-list --count --all", got, sizeof(got));
	assert_string_equal(got, "old\n3\n");
	run_untraced(REVERT);
	test_output("cd work && git show main:src/a.h && git rev-list --count HEAD main &&"
	    " git log -1 --format=%b main | grep -c '^Cupel-Change: " CHANGE "$' &&"
	    " git status --porcelain", got, sizeof(got));
	assert_string_equal(got, "old\n4\n1\n M theirs\n?? scratch\n");
}

/* Committed on top: that is somebody's work, and it stays. */
static void what_came_since_is_not_taken_back_with_it(void **state)
{
	char got[400];

	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("cd work && echo newer >src/a.h && git commit -qm newer src/a.h");
	base = "refs/heads/main~1";
	int here = status_of(REVERT);

	shell("cd work && git checkout -q -b aside main~2");
	int aside = status_of(REVERT);

	base = "refs/heads/main";
	assert_int_equal(WEXITSTATUS(here), EBUSY);
	assert_int_equal(WEXITSTATUS(aside), EBUSY);
	test_output("cd work && cat src/a.h && git show main:src/a.h && git rev-list --count main &&"
	    " git status --porcelain", got, sizeof(got));
	assert_string_equal(got, "old\nnewer\n3\n M theirs\n?? scratch\n");
}

/* ---- where it is looked for ---- */

#define ABSENT 1	/* what FIND ends with where no branch holds it */

static void check_ends(enum step step, int want)
{
	int status = status_of(step);

	test_row(WIFEXITED(status) && WEXITSTATUS(status) == want, "step %d: status %x, not %d",
		 step, (unsigned)status, want);
}

static void check_says(const char *script, const char *want)
{
	char got[400];

	test_output(script, got, sizeof(got));
	test_row(strcmp(got, want) == 0, "%s: got\n%swant\n%s", script, got, want);
}

static void clone_shallow(const char *from)
{
	char script[200];

	snprintf(script, sizeof(script),
		 "rm -rf work && git clone -q --depth 1 file://$PWD/%s work", from);
	shell(script);
}

static void a_shallow_clone_has_what_was_committed_in_it(void **state)
{
	static const char *const known[] = { NULL, "main~1" };

	(void)state;
	shell("rm -rf deep && cp -a before deep && git -C deep commit -q --allow-empty -m more");
	for (size_t i = 0; i < COUNT(known); i++) {
		clone_shallow("deep");
		run_untraced(COMMIT);
		since = known[i];
		check_ends(FIND, 0);
		check_ends(REVERT, 0);
		since = NULL;
		check_says("cd work && cat src/a.h && git show main:src/a.h &&"
			   " git rev-list --count main", "old\nold\n3\n");
	}
}

/* Not there is one thing; not to be seen from here another. */
static void what_a_shallow_clone_leaves_out_may_be_there(void **state)
{
	(void)state;
	clone_shallow("before");
	since = "main";
	check_ends(FIND, ABSENT);
	since = NULL;
	check_ends(FIND, EBUSY);
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("rm -rf deep && mv work deep && git -C deep commit -q --allow-empty -m more");
	clone_shallow("deep");
	check_ends(FIND, EBUSY);
	check_ends(REVERT, EBUSY);
	shell("git -C work fetch -q --unshallow");
	base = "refs/heads/main~1";
	check_ends(FIND, 0);
	check_ends(REVERT, 0);
	base = "refs/heads/main";
	check_says("git -C work show main:src/a.h", "old\n");
}

static void a_history_that_cannot_be_read_holds_it_perhaps(void **state)
{
	static const char *const lost[] = { "main", "main~1", "main~2" };
	char script[300];

	(void)state;
	for (size_t i = 0; i < COUNT(lost); i++) {
		shell("rm -rf work && cp -a before work");
		run_untraced(COMMIT);
		shell("git -C work commit -q --allow-empty -m more");
		snprintf(script, sizeof(script),
			 "cd work && rm -f .git/objects/$(git rev-parse %s | sed 's,..,&/,')",
			 lost[i]);
		shell(script);
		check_ends(FIND, EIO);
		check_ends(REVERT, EIO);
	}
}

static void histories_that_meet_again_are_read_once(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work && git -C work checkout -q -b aside");
	run_untraced(COMMIT);
	shell("cd work && git stash -q && git checkout -q main &&"
	      " GIT_COMMITTER_DATE=@1000000000 git commit -q --allow-empty -m old &&"
	      " GIT_COMMITTER_DATE=@900000000 git merge -q --no-ff -m both aside &&"
	      " git branch -q -D aside");
	base = "refs/heads/main^2";
	since = "main^2~1";
	check_ends(FIND, 0);
	check_ends(REVERT, 0);
	check_ends(REVERT, 0);	/* again: it is done */
	base = "refs/heads/main";
	since = "main";
	check_ends(FIND, ABSENT);
	since = NULL;
	check_says("cd work && cat src/a.h && git rev-list --count main", "old\n5\n");
}

/* Its commits are nobody's branch: what a rebase is at, or what is looked at. */
static void a_detached_head_is_no_branch(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("git -C work checkout -q --detach");
	check_ends(REVERT, 0);
	check_says("cd work && git show main:src/a.h && cat src/a.h && git rev-list --count main &&"
		   " git rev-list --count HEAD && git status --porcelain",
		   "old\nnew\n3\n2\n M theirs\n?? scratch\n");
	shell("git -C work branch -q -D main");
	base = "HEAD";
	check_ends(FIND, 0);
	check_ends(REVERT, EBUSY);
	check_says("cd work && cat src/a.h && git rev-list --count HEAD", "new\n2\n");
	shell("git -C work switch -q -c main");
	check_ends(REVERT, 0);
	base = "refs/heads/main";
	check_says("cd work && cat src/a.h && git rev-list --count main", "old\n3\n");
}

static void a_mode_committed_since_stays(void **state)
{
	static const char chmod[] =
		"cd work && chmod +x src/a.h && git commit -qm mode src/a.h";
	static const char look[] =
		"cd work && git ls-tree main src/a.h | cut -c1-6 && git status --porcelain";
	static const char want[] = "100755\n M theirs\n?? scratch\n";

	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell(chmod);
	base = "refs/heads/main~1";
	check_ends(REVERT, 0);
	check_says(look, want);
	shell("rm -rf work && cp -a before work");
	shell(chmod);
	check_ends(COMMIT, 0);
	check_says(look, want);
	base = "refs/heads/main";
}

/* The index, renamed last, has been there: so what is in the files is a person's. */
static void what_was_done_since_stays(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("cd work && echo mine >src/a.h && git add src/a.h && echo old >src/a.h");
	check_ends(FIND, 0);
	check_says("cd work && git show :src/a.h && cat src/a.h", "mine\nold\n");
	shell("cd work && git reset -q && git status --porcelain >/dev/null");
	check_ends(FIND, 0);
	check_says("cd work && git show :src/a.h && cat src/a.h", "new\nold\n");
}

/* Written in the second in which git looked, as large: only its bytes tell. */
static void what_git_could_not_see_yet_it_sees(void **state)
{
	static const char status[] = "cd work && git --no-optional-locks status --porcelain -uno";

	(void)state;
	shell("rm -rf work && cp -a before work && cd work && git config core.trustctime false &&"
	      " echo one >theirs && touch -d @1700000000 theirs && git add theirs &&"
	      " echo two >theirs && touch -d @1700000000 theirs .git/index");
	check_says(status, "MM theirs\n");
	run_untraced(COMMIT);
	check_says(status, "MM theirs\n");
}

/* A rebase has made another commit of it, and the first one is gone. */
static void it_is_taken_back_as_it_was_rebased(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work && cd work && git checkout -q theirs");
	run_untraced(COMMIT);
	shell("cd work && git switch -q -c up HEAD~1 && echo up >theirs && git commit -qam up &&"
	      " git switch -q main && git rebase -q up && git branch -q -D up &&"
	      " git reflog expire --expire=now --all && git gc -q --prune=now");
	base = "gone";
	check_ends(REVERT, 0);
	base = "refs/heads/main";
	check_says("cd work && cat src/a.h && git log -1 --format=%b | head -n 1 |"
		   " grep -c \"$(git rev-parse HEAD~1)\"", "old\n1\n");
}

/* What else was put into its commit is somebody's, whether its first form is there or not. */
static void what_was_amended_is_not_taken_back_with_it(void **state)
{
	static const struct {
		const char *amend, *forget, *want;
		int end;
	} rows[] = {
		{ "echo mine >theirs", "true", "mine\nold\n", 0 },
		{ "echo mine >>src/a.h", "true", "theirs\nnew\nmine\n", EBUSY },
		{ "echo mine >theirs", "git reflog expire --expire=now --all && git gc -q --prune=now",
		  "mine\nnew\n", EBUSY },
		{ "echo mine >>src/a.h", "git reflog expire --expire=now --all && git gc -q --prune=now",
		  "theirs\nnew\nmine\n", EBUSY },
	};
	char script[400], made[400];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		shell("rm -rf work && cp -a before work && cd work && git checkout -q theirs");
		base = "refs/heads/main";
		run_untraced(COMMIT);
		test_output("cd work && git rev-parse HEAD | tr -d '\n'", made, sizeof(made));
		snprintf(script, sizeof(script), "cd work && %s && git commit -qa --amend --no-edit && %s",
			 rows[i].amend, rows[i].forget);
		shell(script);
		base = made;
		check_ends(REVERT, rows[i].end);
		check_says("cd work && cat theirs src/a.h", rows[i].want);
		check_says("cd work && git status --porcelain -uno", "");
	}
	base = "refs/heads/main";
}

static void what_was_squashed_is_found(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("cd work && git add scratch && git commit -q --amend --no-edit");
	check_ends(FIND, 0);
}

static void a_branch_in_a_rebase_stays(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work && cd work && git checkout -q theirs");
	run_untraced(COMMIT);
	shell("cd work && git switch -q -c up HEAD~1 && echo up >src/a.h && git commit -qam up &&"
	      " git switch -q main && ! git rebase -q up >/dev/null 2>&1");
	check_ends(REVERT, EBUSY);
	shell("git -C work rebase --abort");
	check_ends(REVERT, 0);
}

static void another_name_is_no_branch(void **state)
{
	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("cd work && git branch tuned && git reset -q --hard HEAD~1 &&"
	      " git symbolic-ref refs/heads/alias refs/heads/tuned");
	base = "refs/heads/tuned";
	check_ends(REVERT, 0);
	check_says("cd work && git rev-list --count tuned && git symbolic-ref refs/heads/alias",
		   "3\nrefs/heads/tuned\n");
	base = "refs/heads/main";
}

/* A branch that moves below the files of another work tree, which stay behind. */
static void a_branch_in_another_work_tree_stays(void **state)
{
	static const char count[] = "cd work && git rev-list --count tuned";

	(void)state;
	shell("rm -rf work && cp -a before work");
	run_untraced(COMMIT);
	shell("cd work && git branch tuned && git reset -q --hard HEAD~1 &&"
	      " git worktree add -q ../other tuned");
	base = "refs/heads/tuned";
	check_ends(REVERT, EBUSY);
	check_says(count, "2\n");
	check_says("git -C other status --porcelain", "");
	shell("git -C other checkout -q --detach");
	check_ends(REVERT, 0);
	check_says(count, "3\n");
	check_says("git -C other status --porcelain", "");
	shell("rm -rf other");
	base = "refs/heads/main";
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_is_there_or_not),
		cmocka_unit_test(and_so_is_its_inverse),
		cmocka_unit_test(it_is_known_by_what_it_changes),
		cmocka_unit_test(what_came_since_is_not_taken_back_with_it),
		cmocka_unit_test(a_shallow_clone_has_what_was_committed_in_it),
		cmocka_unit_test(what_a_shallow_clone_leaves_out_may_be_there),
		cmocka_unit_test(a_history_that_cannot_be_read_holds_it_perhaps),
		cmocka_unit_test(histories_that_meet_again_are_read_once),
		cmocka_unit_test(a_detached_head_is_no_branch),
		cmocka_unit_test(a_mode_committed_since_stays),
		cmocka_unit_test(what_was_done_since_stays),
		cmocka_unit_test(what_git_could_not_see_yet_it_sees),
		cmocka_unit_test(it_is_taken_back_as_it_was_rebased),
		cmocka_unit_test(what_was_amended_is_not_taken_back_with_it),
		cmocka_unit_test(what_was_squashed_is_found),
		cmocka_unit_test(a_branch_in_a_rebase_stays),
		cmocka_unit_test(another_name_is_no_branch),
		cmocka_unit_test(a_branch_in_another_work_tree_stays),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
