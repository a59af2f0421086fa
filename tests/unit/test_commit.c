#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/commit_owner.h"
#include "sandbox/commit_place.h"
#include "tests/support/trees.h"

#define NOBODY 65534
#define CANNOT 77	/* exit status: not on this host */

static void make(struct trees *trees, const char *lower, const char *upper,
		 const char *opaque)
{
	trees_script(trees, "ws", lower);
	trees_start(trees);
	trees_script(trees, "up/upper", upper);
	trees_make_opaque(trees, opaque);
	test_row(trees_read(trees) == 0, "%s", trees->why.text);
}

static void check_same(const char *name, char *got, char *want)
{
	test_row(strcmp(got, want) == 0, "%s:\ngot\n%swant\n%s", name, got, want);
	free(got);
	free(want);
}

/* ---- what a commit does ---- */

static const struct {
	const char *name, *lower, *upper, *opaque, *want;
} cases[] = {
	{ "nothing", "echo 1 >a", NULL, NULL, NULL },
	{ "a new file", NULL, "echo 1 >a; chmod 640 a", NULL, "echo 1 >a; chmod 640 a" },
	{ "a new tree, read-only directories and all",
	  NULL, "mkdir -p d/e; echo 1 >d/e/f; ln -s f d/e/l; chmod 555 d/e d",
	  NULL, "mkdir -p d/e; echo 1 >d/e/f; ln -s f d/e/l; chmod 555 d/e d" },
	{ "a new file in a directory that is there", "mkdir -p d/e", "mkdir -p d/e; echo 1 >d/e/a",
	  NULL, "echo 1 >d/e/a" },
	{ "other content", "echo 1 >a; chmod 600 a", "echo 22 >a; chmod 755 a", NULL,
	  "echo 22 >a; chmod 755 a" },
	{ "a mode", "echo 1 >a", "cp -p $WS/a a; chmod 400 a", NULL, "chmod 400 a" },
	{ "a mode of a directory", "mkdir d; echo 1 >d/a", "mkdir d; chmod 700 d", NULL, "chmod 700 d" },
	{ "a deletion", "echo 1 >a; echo 2 >b", "mknod a c 0 0", NULL, "rm a" },
	{ "a tree deleted", "mkdir -p d/e; echo 1 >d/e/f; echo 2 >d/g; mkfifo d/p",
	  "mknod d c 0 0", NULL, "rm -r d" },
	{ "a move", "mkdir d; echo 1 >d/a; echo 2 >b", "mkdir d; mknod d/a c 0 0; cp -p $WS/d/a c", NULL,
	  "mv d/a c" },
	{ "a directory made anew", "mkdir -p d/e; echo 1 >d/e/f; echo 2 >d/g",
	  "mkdir -p d/e; echo 3 >d/e/h", "d", "rm -r d; mkdir -p d/e; echo 3 >d/e/h" },
	{ "a file becomes a directory", "echo 1 >a", "mkdir a; echo 2 >a/b", NULL,
	  "rm a; mkdir a; echo 2 >a/b" },
	{ "a directory becomes a file", "mkdir -p a/b; echo 1 >a/b/c", "echo 2 >a", NULL,
	  "rm -r a; echo 2 >a" },
	{ "a directory becomes a link to a directory", "mkdir -p a b; echo 1 >a/c", "ln -s b a", NULL,
	  "rm -r a; ln -s b a" },
	{ "a link becomes a directory", "mkdir b; ln -s b a", "mkdir a; echo 1 >a/c", NULL,
	  "rm a; mkdir a; echo 1 >a/c" },
	{ "a file becomes a link", "echo 1 >a", "ln -s /etc/passwd a", NULL, "ln -sf /etc/passwd a" },
	{ "a link becomes a file", "echo 1 >b; ln -s b a", "echo 2 >a", NULL, "rm a; echo 2 >a" },
	{ "a link leads elsewhere", "ln -s x a", "ln -s y a", NULL, "ln -sfn y a" },
	{ "a fifo becomes a file", "mkfifo a", "echo 1 >a", NULL, "rm a; echo 1 >a" },
	{ "setuid, setgid and sticky bits are left out",
	  NULL, "echo 1 >a; chmod 6755 a; echo 1 >b; chmod 1644 b; mkdir d; chmod 7755 d", NULL,
	  "echo 1 >a; chmod 755 a; echo 1 >b; mkdir d; chmod 1755 d" },
	{ "files with one inode are no conflict with each other",
	  "echo 1 >a; ln a b; ln a c; ln a d", "mknod a c 0 0; mknod b c 0 0; echo 2 >c", NULL,
	  "rm a b c; echo 2 >c" },
	{ "names of any bytes", NULL, "echo 1 >\"$(printf 'a\\nb\\377')\"; mkdir -- '-rf *'; echo 2 >'-rf */x'", NULL,
	  "echo 1 >\"$(printf 'a\\nb\\377')\"; mkdir -- '-rf *'; echo 2 >'-rf */x'" },
	{ "an emptied and closed directory", "mkdir d; echo 1 >d/a; chmod 555 d",
	  "mkdir d; mknod d/a c 0 0; echo 2 >d/b; chmod 555 d", NULL,
	  "chmod 755 d; rm d/a; echo 2 >d/b; chmod 555 d" },
	{ "a closed tree deleted", "mkdir -p d/e; echo 1 >d/e/a; chmod 555 d/e d",
	  "mknod d c 0 0", NULL, "chmod -R u+w d; rm -r d" },
};

static void commit_cases(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trees trees;

		trees_init(&trees);
		make(&trees, cases[i].lower, cases[i].upper, cases[i].opaque);
		trees_script(&trees, ".", "cp -a ws out");
		trees_script(&trees, "out", cases[i].want);
		test_row(trees_commit(&trees) == 0, "%s: %s", cases[i].name, trees.why.text);
		check_same(cases[i].name, trees_snapshot(&trees, "ws"),
			   trees_snapshot(&trees, "out"));
		test_row(trees_state_is_empty(&trees), "%s: kept changes stay", cases[i].name);
		assert_string_equal(trees.result.kept, "");
		trees_release(&trees);
	}
}

/* Runs a test's body as an ordinary user, if we are root. */
static void as_ordinary_user(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(9);
		prctl(PR_SET_DUMPABLE, 1);	/* /proc/self is its own */
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		test_skip("no mount namespace for this user");
	assert_int_equal(status, 0);
}

static void a_commit_does_what_the_run_did(void **state)
{
	(void)state;
	commit_cases();
}

static void and_so_as_an_ordinary_user(void **state)
{
	(void)state;
	as_ordinary_user(commit_cases);
}

/* ---- what it refuses ---- */

static const struct {
	const char *name, *lower, *upper, *opaque, *meanwhile;
	int want;
	const char *marked;	/* the row in conflict */
} refusals[] = {
	{ "a fifo", NULL, "mkfifo f; echo 1 >a", NULL, NULL, -EPERM, NULL },
	{ "a socket", NULL, "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(\"s\")) or die'",
	  NULL, NULL, -EPERM, NULL },
	{ "a file changed meanwhile", "echo 1 >a", "echo 2 >a", NULL, "echo 3 >a", -ESTALE, "a" },
	{ "though it looks older", "echo 1 >a", "echo 2 >a", NULL, "echo 3 >a; touch -d @1 a", -ESTALE, "a" },
	{ "a mode changed meanwhile", "echo 1 >a", "echo 2 >a", NULL, "chmod 755 a", -ESTALE, "a" },
	{ "a file that is new on both sides", NULL, "echo 2 >a", NULL, "echo 3 >a", -ESTALE, "a" },
	{ "a file deleted meanwhile", "echo 1 >a", "echo 2 >a", NULL, "rm a", -ESTALE, "a" },
	{ "a deletion of what was changed", "echo 1 >a", "mknod a c 0 0", NULL, "echo 2 >a", -ESTALE, "a" },
	{ "a tree deleted in which something is new", "mkdir -p d/e", "mknod d c 0 0", NULL,
	  "echo 1 >d/e/a", -ESTALE, "d/e/a" },
	{ "a directory made anew in which something is new", "mkdir -p d/e", "mkdir -p d/e; echo 1 >d/b", "d",
	  "echo 1 >d/e/a", -ESTALE, "d/e/a" },
	{ "a file where there is a directory now", "echo 1 >a", "echo 2 >a", NULL, "rm a; mkdir a",
	  -ESTALE, "a" },
	{ "a directory where there is a file now", "mkdir d", "mkdir d; chmod 700 d", NULL,
	  "rmdir d; echo 1 >d", -ESTALE, "d" },
	{ "a file below what is a link now", "mkdir d e; echo 1 >d/a; echo 1 >e/a", "mkdir d; echo 2 >d/a", NULL,
	  "rm -r d; ln -s e d", -ESTALE, "d/a" },
};

static const struct change *marked_row(const struct changes *changes)
{
	const struct change *row = changes->first;

	while (row && !row->conflict)
		row = row->next;
	return row;
}

/* The list is made before the workspace changes, and after: both are refused. */
static void refuse_case(size_t i, bool read_after)
{
	struct trees trees;
	struct changes kept;
	struct changes_origin origin;

	trees_init(&trees);
	make(&trees, refusals[i].lower, refusals[i].upper, refusals[i].opaque);
	trees_script(&trees, "ws", refusals[i].meanwhile);
	if (read_after)
		assert_int_equal(trees_read(&trees), 0);
	char *before = trees_snapshot(&trees, "ws");
	int r = trees_commit(&trees);

	test_row(r == refusals[i].want, "%s: got %d, want %d: %s", refusals[i].name, r,
		 refusals[i].want, trees.why.text);
	check_same(refusals[i].name, trees_snapshot(&trees, "ws"), before);
	const struct change *row = marked_row(&trees.changes);

	if (refusals[i].marked)
		test_row(row && strcmp(row->path, refusals[i].marked) == 0,
			 "%s: marked %s", refusals[i].name, row ? row->path : "nothing");
	assert_false(trees.result.begun);
	int directory = openat(trees.state, trees.result.kept, O_RDONLY | O_DIRECTORY);

	test_row(directory >= 0, "%s: nothing kept", refusals[i].name);
	assert_int_equal(list_read(directory, &trees.arena, &kept, &origin, NULL), 0);
	assert_int_equal(kept.count, trees.changes.count);
	close(directory);
	trees_release(&trees);
}

static void what_cannot_be_committed_is_refused_as_a_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		/* Once it is gone, a list made later takes it for a new file. */
		bool later = refusals[i].meanwhile && !strstr(refusals[i].meanwhile, "rm");

		/* A list made before cannot know what is new in a tree. */
		if (!refusals[i].marked || strcmp(refusals[i].marked, "d/e/a") != 0)
			refuse_case(i, false);
		if (later)
			refuse_case(i, true);
	}
}

/* Listed before a file came into a tree that the run deleted. */
static void a_directory_with_unknown_files_is_not_removed(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	make(&trees, "mkdir -p d/e; echo 1 >d/a", "mknod d c 0 0; echo 1 >b", NULL);
	trees_script(&trees, "ws", "echo mine >d/e/new");
	assert_int_equal(trees_commit(&trees), -ESTALE);
	assert_true(trees.result.begun);
	trees_script(&trees, "ws", "grep -q mine d/e/new && grep -q 1 b");
	trees_script(&trees, "ws", "rm d/e/new");

	char name[KEEP_NAME_BYTES];

	memcpy(name, trees.result.kept, sizeof(name));
	test_row(trees_recover(&trees, name) == 0, "%s", trees.why.text);
	trees_script(&trees, "ws", "test ! -e d");
	assert_true(trees_state_is_empty(&trees));
	trees_release(&trees);
}

static void what_others_wanted_too_is_no_conflict(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	make(&trees, "echo 1 >a; echo 1 >b",
	     "echo 2 >a; mknod b c 0 0; echo 3 >c; ln -s x l", NULL);
	trees_script(&trees, "ws", "rm a b; echo 2 >a; echo 3 >c; ln -s x l");
	test_row(trees_commit(&trees) == 0, "%s", trees.why.text);
	trees_release(&trees);
}

/* ---- what new files are like ---- */

static void times_holes_and_user_attributes_are_kept(void **state)
{
	struct trees trees;
	struct stat status;
	char value[16];

	(void)state;
	trees_init(&trees);
	make(&trees, NULL,
	     "echo 1 >a; touch -d @1.5 a; truncate -s 1G s; echo end >>s; mkdir d", NULL);
	int upper = openat(trees.upper, "upper/a", O_RDONLY);
	int directory = openat(trees.upper, "upper/d", O_RDONLY);

	assert_int_equal(fsetxattr(upper, "user.note", "mine", 4, 0), 0);
	assert_int_equal(fsetxattr(upper, "user.overlay.origin", "theirs", 6, 0), 0);
	assert_int_equal(fsetxattr(directory, "user.note", "mine", 4, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(fsetxattr(upper, "security.capability",
					   "\1\0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0), 0);
	close(upper);
	close(directory);
	test_row(trees_commit(&trees) == 0, "%s", trees.why.text);
	int fd = openat(trees.workspace.directory, "a", O_RDONLY);

	assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 4);
	assert_int_equal(fgetxattr(fd, "user.overlay.origin", value, sizeof(value)), -1);
	assert_int_equal(fgetxattr(fd, "security.capability", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mtim.tv_sec, 1);
	assert_int_equal(status.st_mtim.tv_nsec, 500000000);
	close(fd);
	fd = openat(trees.workspace.directory, "d", O_RDONLY);
	assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 4);
	close(fd);
	assert_int_equal(fstatat(trees.workspace.directory, "s", &status, 0), 0);
	assert_int_equal(status.st_size, (1 << 30) + 4);
	assert_in_range(status.st_blocks, 1, 64);
	trees_release(&trees);
}

static void need_root(void)
{
	if (geteuid() != 0)
		test_skip("needs root");
}

/* Upper as in the full tier: files of an id that nobody has. */
static void root_commits_as_the_owner(void **state)
{
	struct trees trees;
	struct stat status;

	(void)state;
	need_root();
	trees_init(&trees);
	trees_script(&trees, "ws",
		     "echo 1 >a; mkdir d roots s; echo 1 >roots/x; echo 1 >roots-own; "
		     "chown -R nobody:nogroup .; chown -R root:root roots roots-own; "
		     "chown nobody:daemon s; chmod g+s d s");
	trees_start(&trees);
	trees_script(&trees, "up/upper",
		     "echo 2 >a; chmod 600 a; mkdir -m 700 d e; mkdir s; chmod 2755 s; "
		     "echo 3 >s/b; echo 4 >roots-own; ln -s a l; "
		     "chown -hR 2000000001:2000000001 .");
	assert_int_equal(trees_read(&trees), 0);
	test_row(trees_commit(&trees) == 0, "%s", trees.why.text);
	static const struct {
		const char *path;
		gid_t gid;
	} want[] = { { "a", NOBODY }, { "s/b", 1 }, { "e", NOBODY }, { "l", NOBODY },
		     { "roots-own", NOBODY } };

	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(fstatat(trees.workspace.directory, want[i].path, &status,
					 AT_SYMLINK_NOFOLLOW), 0);
		test_row(status.st_uid == NOBODY && status.st_gid == want[i].gid, "%s: %u:%u",
			 want[i].path, status.st_uid, status.st_gid);
	}
	assert_int_equal(fstatat(trees.workspace.directory, "d", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 02700);
	assert_int_equal(setfsuid((uid_t)-1), 0);
	assert_true(trees_state_is_empty(&trees));
	trees_release(&trees);
}

static void root_cannot_do_what_the_owner_could_not(void **state)
{
	struct trees trees;

	(void)state;
	need_root();
	trees_init(&trees);
	trees_script(&trees, "ws", "mkdir roots; echo 1 >roots/x; chown nobody .");
	trees_start(&trees);
	trees_script(&trees, "up/upper", "mkdir roots; echo 2 >roots/x");
	assert_int_equal(trees_read(&trees), 0);
	assert_int_equal(trees_commit(&trees), -EACCES);
	trees_script(&trees, "ws", "grep -q 1 roots/x");
	trees_release(&trees);
}

/* ---- places ---- */

static void put_all(struct trees *trees, struct place *place)
{
	int directory = openat(trees->state, "k", O_RDONLY | O_DIRECTORY);

	place->workspace = trees->workspace.directory;
	place->kept = directory;
	place->tree = openat(directory, "tree", O_PATH | O_DIRECTORY);
	place->started_ns = trees->started_ns;
	place->draft = ".cupel-draft";
	place->why = &trees->why;
	for (struct change *row = trees->changes.first; row; row = row->next) {
		test_row(place_judge(place, row) == PLACE_READY, "%s", row->path);
		test_row(place_put(place, row) == 0, "%s", trees->why.text);
		assert_int_equal(place_judge(place, row),
				 row->kind == KIND_DIRECTORY ? PLACE_READY : PLACE_DONE);
	}
	close(place->kept);
	close(place->tree);
}

static void a_file_system_without_nameless_files_will_do(void **state)
{
	struct trees trees;
	struct place place = { .named = true };

	(void)state;
	trees_init(&trees);
	make(&trees, "echo 1 >a", "echo 2 >a; echo 3 >b", NULL);
	trees_script(&trees, "state", "mkdir -p k/tree; cp -p $UP/a $UP/b k/tree");
	put_all(&trees, &place);
	trees_script(&trees, "ws", "test \"$(echo $(ls -A) $(cat a b))\" = 'a b 2 3'");
	trees_release(&trees);
}

static void kept_changes_may_lie_on_another_file_system(void **state)
{
	struct trees trees, other;

	(void)state;
	trees_init_below(&trees, "/tmp");
	trees_init_below(&other, TREES_MEMORY);
	make(&trees, "echo 1 >a; ln -s x l", "echo 2 >a; echo 3 >b; ln -s y l", NULL);
	int mine = trees.state;

	trees.state = other.state;
	test_row(trees_commit(&trees) == 0, "%s", trees.why.text);
	trees_script(&trees, "ws",
		     "test \"$(echo $(ls -A) $(cat a b) $(readlink l))\" = 'a b l 2 3 y'");
	assert_true(trees_state_is_empty(&other));
	trees.state = mine;
	trees_release(&trees);
	trees_release(&other);
}

/* ---- keeping ---- */

static void changes_are_kept_as_a_plain_tree(void **state)
{
	struct trees trees;
	struct owner self;
	struct changes_origin origin = { .workspace = "/w" };
	char path[128];

	(void)state;
	trees_init(&trees);
	make(&trees, "mkdir -p d/e; echo 1 >d/a; echo 1 >b",
	     "mkdir -p d/e; echo 2 >d/e/c; echo 2 >d/a; chmod 4111 d/a; mknod b c 0 0; "
	     "ln -s /etc/passwd l; mkfifo p", NULL);
	owner_init_self(&self);
	snprintf(path, sizeof(path), "%s/out/", trees.top);
	int directory = keep_create_at(path, &trees.why);

	test_row(directory >= 0, "%s", trees.why.text);
	assert_int_equal(keep_write(directory, trees.upper, &trees.changes, &origin, &self,
				    &trees.why), 0);
	close(directory);
	assert_int_equal(keep_create_at(path, &trees.why), -EEXIST);
	trees_script(&trees, ".",
		     "mkdir -p want/d/e; cd want; echo 2 >d/e/c; echo 2 >d/a; "
		     "chmod 711 d/a; chmod 700 d d/e; ln -s /etc/passwd l");
	check_same("kept", trees_snapshot(&trees, "out/tree"), trees_snapshot(&trees, "want"));
	trees_script(&trees, ".", "rm -r want");
	trees_release(&trees);
}

static void kept_changes_of_another_workspace_are_refused(void **state)
{
	struct trees trees;
	char name[KEEP_NAME_BYTES];

	(void)state;
	trees_init(&trees);
	make(&trees, "echo 1 >a", "echo 2 >a", NULL);
	trees_script(&trees, "ws", "echo 3 >a");
	assert_int_equal(trees_commit(&trees), -ESTALE);
	memcpy(name, trees.result.kept, sizeof(name));
	trees.workspace.inode++;
	assert_int_equal(trees_recover(&trees, name), -EXDEV);
	trees.workspace.inode--;
	if (geteuid() == 0) {	/* nor does one user's list count for another's files */
		trees_script(&trees, "state", "chown -R nobody .");
		assert_int_equal(trees_recover(&trees, name), -EXDEV);
		trees_script(&trees, "state", "chown -R root .");
	}
	assert_int_equal(trees_recover(&trees, name), -ESTALE);
	assert_int_equal(trees_recover(&trees, "../ws"), -EXDEV);
	trees_release(&trees);
}

static void a_commit_waits_for_another(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	make(&trees, NULL, "echo 2 >a", NULL);
	pid_t pid = fork();

	if (pid == 0) {
		int fd = openat(trees.workspace.directory, ".", O_RDONLY);

		_exit(flock(fd, LOCK_EX) < 0 || usleep(300000) < 0 ||
		      faccessat(fd, "a", F_OK, 0) == 0);
	}
	usleep(100000);
	test_row(trees_commit(&trees) == 0, "%s", trees.why.text);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	trees_script(&trees, "ws", "test -e a");
	trees_release(&trees);
}

static void a_full_disk_changes_nothing(void **state)
{
	struct trees trees;
	char path[128];

	(void)state;
	need_root();
	trees_init(&trees);
	snprintf(path, sizeof(path), "%s/state", trees.top);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, "size=64k"), 0);
	close(trees.state);
	trees.state = open(path, O_RDONLY | O_DIRECTORY);
	make(&trees, "echo 1 >a", "head -c 200000 /dev/zero >a; echo 1 >b", NULL);
	assert_int_equal(trees_commit(&trees), -ENOSPC);
	assert_true(trees_state_is_empty(&trees));
	trees_script(&trees, "ws", "grep -q 1 a && test ! -e b");
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	trees_release(&trees);
}

/* ---- somebody swaps directories and links under us ---- */

#define SWAP_ROUNDS 40

/* By descriptors, lest the swapper be caught itself. */
static _Noreturn void swap_for_ever(int workspace, int directory)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		renameat2(workspace, "d", workspace, "trap", RENAME_EXCHANGE);
		renameat2(directory, "a", workspace, "trap-file", RENAME_EXCHANGE);
		renameat2(workspace, "d", workspace, "trap", RENAME_EXCHANGE);
		renameat2(directory, "e", workspace, "trap", RENAME_EXCHANGE);
		renameat2(directory, "e", workspace, "trap", RENAME_EXCHANGE);
	}
}

/* Whether the trap works at all: a plain path does lead out now and then. */
static bool a_plain_path_is_caught(int workspace, ino_t canary)
{
	struct stat status;

	for (int i = 0; i < 1000000; i++)
		if (fstatat(workspace, "d/b", &status, 0) == 0 && status.st_ino == canary)
			return true;
	return false;
}

static void swapped_links_lead_nowhere(void **state)
{
	struct trees trees;
	struct stat canary;

	(void)state;
	trees_init(&trees);
	trees_script(&trees, ".",
		     "mkdir -p out/e; for f in a b c e/f; do echo canary >out/$f; done");
	trees_script(&trees, "ws", "mkdir -p d/e; ln -s ../out trap; ln -s ../out/a trap-file");
	trees_script(&trees, "up/upper",
		     "mkdir -p d/e; for i in a b e/f e/g; do echo new >d/$i; done; mknod d/c c 0 0;"
		     "for i in $(seq 50); do echo new >d/$i; echo new >d/e/$i; done");
	char *before = trees_snapshot(&trees, "out");

	assert_int_equal(fstatat(trees.workspace.directory, "trap/b", &canary, 0), 0);
	int directory = openat(trees.workspace.directory, "d", O_RDONLY | O_DIRECTORY);
	pid_t pid = fork();

	if (pid == 0)
		swap_for_ever(trees.workspace.directory, directory);
	close(directory);
	bool caught = a_plain_path_is_caught(trees.workspace.directory, canary.st_ino);
	int committed = 0;

	for (int i = 0; i < SWAP_ROUNDS; i++) {
		arena_reset(&trees.arena);
		trees.started_ns = INT64_MAX;	/* no conflict stands in the way */
		if (trees_read(&trees) == 0)
			committed += trees_commit(&trees) == 0 || trees.result.begun;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("# %d of %d commits began\n", committed, SWAP_ROUNDS);
	assert_true(caught);
	assert_int_not_equal(committed, 0);
	check_same("canary", trees_snapshot(&trees, "out"), before);
	trees_release(&trees);
}

/* ---- killed at any moment ---- */

#define FILE_BYTES 20000

static void make_models(const struct trees *trees)
{
	trees_script(trees, ".",
		     "mkdir -p out/ws out/upper; export UP=$PWD/out/upper; cd out/ws; "
		     "old() { head -c 20000 /dev/zero | tr '\\0' o; }; "
		     "new() { head -c 20000 /dev/zero | tr '\\0' n; }; "
		     "for d in m d t; do mkdir $d; "
		     "for i in 1 2 3 4 5 6; do old >$d/$i; done; done; mkdir t/s; old >t/s/1; old >f; ln -s x l; cd $UP; mkdir m a f; "
		     "for i in 1 2 3 4 5 6; do new >m/$i; new >a/$i; new >f/$i; done; "
		     "mknod d c 0 0; new >t; ln -s y l; chmod 500 a");
}

static void start_anew(struct trees *trees)
{
	trees_script(trees, ".",
		     "chmod -R u+rwX ws; rm -rf ws/* ws/.c* up/upper/*; "
		     "cp -a out/ws .; cp -a out/upper up");
	trees_empty_state(trees);
	trees_start(trees);
	arena_reset(&trees->arena);
	assert_int_equal(trees_read(trees), 0);
}

/* Whether a file has all of its old or all of its new bytes. */
static bool is_whole(const char *path)
{
	char bytes[FILE_BYTES + 1];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd >= 0)
		close(fd);
	if (n != FILE_BYTES || (bytes[0] != 'o' && bytes[0] != 'n'))
		return false;
	return memcmp(bytes, bytes + 1, FILE_BYTES - 1) == 0;
}

static void check_whole(const struct trees *trees, bool nothing_strange)
{
	char command[256], path[256];

	/* What is modified is there at every moment. */
	trees_script(trees, "ws/m", "test \"$(echo *)\" = '1 2 3 4 5 6'");
	snprintf(command, sizeof(command), "find %s/ws -type f", trees->top);
	FILE *in = popen(command, "re");

	assert_non_null(in);
	while (fgets(path, sizeof(path), in)) {
		path[strcspn(path, "\n")] = '\0';
		if (strstr(path, "/.cupel-"))
			test_row(!nothing_strange, "%s is left", path);
		else
			test_row(is_whole(path), "%s is neither old nor new", path);
	}
	pclose(in);
}

/* Between the two halves of replacing a file, if there are two. */
static bool enters_rename(pid_t pid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       (info.entry.nr == SYS_renameat || info.entry.nr == SYS_renameat2);
}

/*
 * Runs a commit in a process that is killed as it enters or leaves a system
 * call, or as it enters renameat(2): the stop with that number. The number of
 * stops if it got to its end.
 */
static uint64_t commit_and_be_killed(struct trees *trees, bool renames,
				     uint64_t at_stop)
{
	uint64_t stops = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(trees_commit(trees) != 0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
		if ((!renames || enters_rename(pid)) && stops++ == at_stop)
			kill(pid, SIGKILL);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return stops;
}

struct tally {
	unsigned untouched, interrupted, done;
};

/* The next start finds out, goes on, and finds nothing afterwards. */
static void check_after_kill(struct trees *trees, const char *old, const char *new,
			     bool same_disk, struct tally *tally)
{
	struct commit_request request = {
		.state = trees->state, .workspace = &trees->workspace, .path = trees->top,
	};
	char name[KEEP_NAME_BYTES];

	check_whole(trees, same_disk);
	int found = commit_find_interrupted(&request, &trees->arena, name, &trees->why);

	if (found == 1) {
		tally->interrupted++;
		test_row(trees_recover(trees, name) == 0, "%s", trees->why.text);
		assert_int_equal(commit_find_interrupted(&request, &trees->arena, name,
							 NULL), 0);
	}
	check_whole(trees, true);
	char *now = trees_snapshot(trees, "ws");
	bool is_new = strcmp(now, new) == 0;

	test_row(is_new || (found == 0 && strcmp(now, old) == 0), "got\n%swant\n%s", now, new);
	tally->untouched += !is_new;
	tally->done += is_new && found == 0;
	if (is_new)
		assert_true(trees_state_is_empty(trees));
	free(now);
}

static void kill_rounds(const char *property, struct trees *trees, int rounds,
			bool same_disk)
{
	struct random random;
	struct tally tally = { 0 };

	test_random_init(&random, property);
	make_models(trees);
	start_anew(trees);
	char *old = trees_snapshot(trees, "ws");

	uint64_t stops[2];

	for (int renames = 0; renames < 2; renames++) {
		start_anew(trees);
		stops[renames] = commit_and_be_killed(trees, renames, UINT64_MAX);
		assert_int_not_equal(stops[renames], 0);
	}
	char *new = trees_snapshot(trees, "ws");

	for (int i = 0; i < rounds; i++) {
		bool renames = i % 3 == 0;

		start_anew(trees);
		commit_and_be_killed(trees, renames, random_below(&random, stops[renames]));
		check_after_kill(trees, old, new, same_disk, &tally);
	}
	printf("# %s: %ju stops, %u untouched, %u interrupted, %u done\n", property,
	       (uintmax_t)stops[0], tally.untouched, tally.interrupted, tally.done);
	free(old);
	free(new);
}

static void killed_at_any_moment_a_commit_is_recovered(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	kill_rounds("state beside the workspace", &trees, 100, true);
	trees_release(&trees);
}

/* The other one is a second tmpfs, or the disk, which takes more time to sync. */
static void and_so_with_the_state_on_another_file_system(void **state)
{
	struct trees trees, other;
	char path[128];

	(void)state;
	trees_init_below(&trees, TREES_MEMORY);
	trees_init_below(&other, "/tmp");
	snprintf(path, sizeof(path), "%s/state", other.top);
	bool fast = mount("tmpfs", path, "tmpfs", 0, NULL) == 0;
	int mine = trees.state;

	trees.state = open(path, O_RDONLY | O_DIRECTORY);
	kill_rounds("state on another file system", &trees, fast ? 40 : 5, false);
	close(trees.state);
	trees.state = mine;
	if (fast)
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	trees_release(&trees);
	trees_release(&other);
}

/* ---- against the kernel's own overlay ---- */

#define OVERLAY_ROUNDS 40
#define STEPS_PER_ROUND 40

/* With $1 and $2 as names; what fails is no matter. */
static const char *const steps[] = {
	"echo new $1 >$2", "echo more $1 >>$2", "mkdir -p $1", "rm -rf $1",
	"rm -rf $1; mkdir $1", "mv $1 $2", "mv -T $1 $2", "ln -sfn $1 $2",
	"chmod 750 $1", "chmod 640 $1", "touch $1", "ln $1 $2", "cp -r $1 $2",
	"truncate -s 5 $1", "chmod 555 $1", "cp -p $1 t && mv -T t $1", "true >>$1",
};

static const char *const names[] = {
	"a", "b", "c", "a/b", "a/c", "b/a", "b/c/d", "c/d",
};

static char *make_steps(struct random *random)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs("exec 2>/dev/null\n", out);
	for (int i = 0; i < STEPS_PER_ROUND; i++)
		fprintf(out, "set -- %s %s; %s\n", names[random_below(random, COUNT(names))],
			names[random_below(random, COUNT(names))],
			steps[random_below(random, COUNT(steps))]);
	fputs(":", out);
	fclose(out);
	return text;
}

static void map_id(const char *path, unsigned id)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fprintf(out, "0 %u 1", id);
	assert_int_equal(fclose(out), 0);
}

static void deny_groups(void)
{
	int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, "deny", 4), 4);
	close(fd);
}

/* Mounts of our own; false where that is not allowed. */
static bool enter_namespaces(void)
{
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) < 0)
		return false;
	if (uid) {
		map_id("/proc/self/uid_map", uid);
		deny_groups();
		map_id("/proc/self/gid_map", gid);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void mount_overlay(struct trees *trees)
{
	char options[512], up[128], merged[128];

	snprintf(up, sizeof(up), "%s/up", trees->top);
	snprintf(merged, sizeof(merged), "%s/merged", trees->top);
	assert_int_equal(mount("tmpfs", up, "tmpfs", 0, NULL), 0);
	close(trees->upper);
	trees->upper = open(up, O_RDONLY | O_DIRECTORY);
	trees_script(trees, ".", "mkdir up/upper up/work merged");
	snprintf(options, sizeof(options),
		 "userxattr,lowerdir=%s/ws,upperdir=%s/upper,workdir=%s/work", trees->top,
		 up, up);
	test_row(mount("overlay", merged, "overlay", 0, options) == 0, "overlay: %s",
		 strerror(errno));
}

static void overlay_round(struct random *random, int round)
{
	struct trees trees;
	char path[128];
	char *before = make_steps(random), *inside = make_steps(random);

	trees_init(&trees);
	trees_script(&trees, "ws", before);
	trees_start(&trees);
	mount_overlay(&trees);
	trees_script(&trees, "merged", inside);
	char *want = trees_snapshot(&trees, "merged");

	snprintf(path, sizeof(path), "%s/merged", trees.top);
	assert_int_equal(umount(path), 0);
	assert_int_equal(trees_read(&trees), 0);
	test_row(trees_commit(&trees) == 0, "round %d: %s\n%s\n--\n%s", round, trees.why.text,
		 before, inside);
	char *got = trees_snapshot(&trees, "ws");

	test_row(strcmp(got, want) == 0, "round %d\n%s\n--\n%s\n--\ngot\n%swant\n%s", round,
		 before, inside, got, want);
	snprintf(path, sizeof(path), "%s/up", trees.top);
	umount2(path, MNT_DETACH);
	free(got);
	free(want);
	free(before);
	free(inside);
	trees_release(&trees);
}

static void overlay_rounds(void)
{
	struct random random;

	test_random_init(&random, "overlay");
	if (!enter_namespaces())
		_exit(CANNOT);
	for (int i = 0; i < OVERLAY_ROUNDS; i++)
		overlay_round(&random, i);
}

static void the_workspace_becomes_what_the_run_saw(void **state)
{
	(void)state;
	as_ordinary_user(overlay_rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_does_what_the_run_did),
		cmocka_unit_test(and_so_as_an_ordinary_user),
		cmocka_unit_test(what_cannot_be_committed_is_refused_as_a_whole),
		cmocka_unit_test(a_directory_with_unknown_files_is_not_removed),
		cmocka_unit_test(what_others_wanted_too_is_no_conflict),
		cmocka_unit_test(times_holes_and_user_attributes_are_kept),
		cmocka_unit_test(root_commits_as_the_owner),
		cmocka_unit_test(root_cannot_do_what_the_owner_could_not),
		cmocka_unit_test(a_file_system_without_nameless_files_will_do),
		cmocka_unit_test(kept_changes_may_lie_on_another_file_system),
		cmocka_unit_test(changes_are_kept_as_a_plain_tree),
		cmocka_unit_test(kept_changes_of_another_workspace_are_refused),
		cmocka_unit_test(a_commit_waits_for_another),
		cmocka_unit_test(a_full_disk_changes_nothing),
		cmocka_unit_test(swapped_links_lead_nowhere),
		cmocka_unit_test(killed_at_any_moment_a_commit_is_recovered),
		cmocka_unit_test(and_so_with_the_state_on_another_file_system),
		cmocka_unit_test(the_workspace_becomes_what_the_run_saw),
	};

	/* Mounts of a test that is killed go with it. */
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
