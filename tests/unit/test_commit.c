#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/commit_owner.h"
#include "sandbox/commit_place.h"
#include "tests/support/trees.h"

#define NOBODY 65534

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

static void a_commit_does_what_the_run_did(void **state)
{
	(void)state;
	commit_cases();
}

static void and_so_as_an_ordinary_user(void **state)
{
	(void)state;
	assert_int_equal(test_as_ordinary_user(commit_cases), 0);
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
	};

	return cmocka_run_group_tests_name("commit", tests, trees_own_mounts, NULL);
}
