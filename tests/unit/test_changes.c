#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/changes_direct.h"
#include "sandbox/changes_later.h"
#include "sandbox/changes_list.h"
#include "tests/support/trees.h"

/* ---- what is told ---- */

static const struct {
	const char *name, *lower, *upper, *opaque, *want;
} cases[] = {
	{ "an empty upper tree is no change", "echo 1 >a", NULL, NULL, "no changes\n" },
	{ "a new file", NULL, "echo 123 >a", NULL, "A a  4 B\n1 added, 4 B\n" },
	{ "a new tree is a row each",
	  NULL, "mkdir -p d/e; echo 1 >d/e/f; ln -s f d/e/l", NULL,
	  "A d/\nA d/e/\nA d/e/f  2 B\nA d/e/l -> f\n4 added, 2 B\n" },
	{ "other bytes of the same length and time",
	  "echo 1 >a; touch -d @1 a", "echo 2 >a; touch -d @1 a", NULL,
	  "M a  2 B\n1 modified, 2 B\n" },
	{ "another length", "echo 1 >a", "echo 12 >a", NULL, "M a  3 B\n1 modified, 3 B\n" },
	{ "copied up but left as it was", "echo 1 >a", "cp -p $WS/a a", NULL, "no changes\n" },
	{ "only the mode", "echo 1 >a", "cp -p $WS/a a; chmod 755 a", NULL,
	  "m a  2 B  (mode 755)\n1 with other attributes\n" },
	{ "only the time", "echo 1 >a", "cp -p $WS/a a; touch -d @5 a", NULL,
	  "m a  2 B  (mode 644)\n1 with other attributes\n" },
	{ "a deleted file", "echo 1 >a", "mknod a c 0 0", NULL, "D a\n1 deleted\n" },
	{ "a deletion of nothing is none", NULL, "mknod a c 0 0", NULL, "no changes\n" },
	{ "a deleted tree is a row each", "mkdir -p d/e; echo 1 >d/e/f; echo 2 >d/g",
	  "mknod d c 0 0", NULL, "D d/\nD d/e/\nD d/e/f\nD d/g\n4 deleted\n" },
	{ "a merged directory keeps what it does not name",
	  "mkdir d; echo 1 >d/a; echo 2 >d/b", "mkdir d; echo 3 >d/a", NULL,
	  "M d/a  2 B\n1 modified, 2 B\n" },
	{ "an opaque directory hides what was in it",
	  "mkdir d; echo 1 >d/a; echo 2 >d/b", "mkdir d; echo 3 >d/c", "d",
	  "D d/a\nD d/b\nA d/c  2 B\n1 added, 2 deleted, 2 B\n" },
	{ "and so in its directories",
	  "mkdir -p d/e; echo 1 >d/e/a", "mkdir -p d/e; echo 3 >d/e/c", "d",
	  "D d/e/a\nA d/e/c  2 B\n1 added, 1 deleted, 2 B\n" },
	{ "only the mode of a directory", "mkdir d", "mkdir d; chmod 700 d", NULL,
	  "m d/  (mode 700)\n1 with other attributes\n" },
	{ "a file becomes a directory", "echo 1 >a", "mkdir a; echo 2 >a/b", NULL,
	  "T a/  (was a file)\nA a/b  2 B\n1 added, 1 of another kind, 2 B\n" },
	{ "a directory becomes a link", "mkdir a; echo 1 >a/b", "ln -s x a", NULL,
	  "T a -> x  (was a directory)\nD a/b\n1 deleted, 1 of another kind\n" },
	{ "a link leads elsewhere", "ln -s x a; ln -s y b", "ln -s z a; ln -s y b", NULL,
	  "M a -> z\n1 modified\n" },
	{ "nor can the target of a link", NULL, "ln -s \"$(printf '\\033c/etc')\" a", NULL,
	  "A a -> \\x1bc/etc\n1 added\n" },
	{ "special files are named", NULL, "mkfifo f", NULL,
	  "A f  (special file: no commit takes it)\n1 added, 1 special\n" },
	{ "a special file that is deleted is no longer one", "mkfifo f", "mknod f c 0 0", NULL,
	  "D f\n1 deleted\n" },
	{ "what others will run is said", "mkdir .git",
	  "mkdir -p .git/hooks; echo 1 >.git/hooks/pre-commit", NULL,
	  "A .git/hooks/\nA .git/hooks/pre-commit  2 B  (run later by others: git hook)\n"
	  "2 added, 2 B, 1 run later by others\n" },
	{ "names cannot steer a terminal",
	  NULL, "echo 1 >\"$(printf 'a\\nb\\033[31m\\377')\"", NULL,
	  "A a\\nb\\x1b[31m\\xff  2 B\n1 added, 2 B\n" },
};

static void a_listing_says_what_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trees trees;

		trees_init(&trees);
		trees_script(&trees, "ws", cases[i].lower);
		trees_script(&trees, "up/upper", cases[i].upper);
		trees_make_opaque(&trees, cases[i].opaque);
		test_row(trees_read(&trees) == 0, "%s: %s", cases[i].name, trees.why.text);
		char *got = trees_listing(&trees);

		test_row(strcmp(got, cases[i].want) == 0, "%s:\ngot\n%swant\n%s",
			 cases[i].name, got, cases[i].want);
		assert_int_equal(trees.changes.omitted, 0);
		free(got);
		trees_release(&trees);
	}
}

static void a_short_listing_counts_the_rest(void **state)
{
	struct trees trees;
	char *text = NULL;
	size_t size;

	(void)state;
	trees_init(&trees);
	trees_script(&trees, "up/upper", "touch a b c");
	assert_int_equal(trees_read(&trees), 0);
	FILE *out = open_memstream(&text, &size);

	changes_print(&trees.changes, 1, out);
	fclose(out);
	assert_string_equal(text, "A a  0 B\n... and 2 more\n3 added\n");
	free(text);
	trees_release(&trees);
}

/* ---- bounds ---- */

/* A chain of directories that no path can name as a whole. */
static void make_deep(int directory, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		assert_int_equal(mkdirat(directory, "d", 0755), 0);
		int next = openat(directory, "d", O_RDONLY | O_DIRECTORY);

		assert_true(next >= 0);
		if (i > 0)
			close(directory);
		directory = next;
	}
	close(directory);
}

/* From the top: what is below a directory is moved up, then it is removed. */
static void remove_deep(int directory)
{
	while (renameat(directory, "d/d", directory, "e") == 0) {
		assert_int_equal(unlinkat(directory, "d", AT_REMOVEDIR), 0);
		assert_int_equal(renameat(directory, "e", directory, "d"), 0);
	}
	assert_int_equal(unlinkat(directory, "d", AT_REMOVEDIR), 0);
}

static void a_tree_too_deep_to_name_ends(void **state)
{
	struct trees trees;
	char path[128];

	(void)state;
	trees_init_below(&trees, TREES_MEMORY);
	snprintf(path, sizeof(path), "%s/up/upper", trees.top);
	int upper = open(path, O_RDONLY | O_DIRECTORY);

	make_deep(upper, 100000);
	assert_int_equal(trees_read(&trees), 0);
	assert_int_equal(trees.changes.count, PATH_MAX / 2);
	assert_int_equal(trees.changes.omitted, 1);
	trees_start(&trees);
	int r = trees_commit(&trees);

	test_row(r == -E2BIG, "got %d: %s", r, trees.why.text);
	remove_deep(upper);
	close(upper);
	trees_script(&trees, ".", "rm -rf state/*");
	trees_release(&trees);
}

static void a_list_takes_no_more_memory_than_it_may(void **state)
{
	struct trees trees;

	(void)state;
	trees_init_below(&trees, TREES_MEMORY);
	trees_script(&trees, "up/upper", "seq 100000 | xargs touch");
	assert_int_equal(trees_read(&trees), 0);
	assert_int_equal(trees.changes.count, 100000);
	assert_int_equal(trees.changes.omitted, 0);
	printf("# 100000 changes: %zu bytes\n", trees.arena.bytes);
	assert_in_range(trees.arena.bytes, 1, 32 << 20);

	arena_release(&trees.arena);
	arena_init(&trees.arena, 4 << 20);
	assert_int_equal(trees_read(&trees), 0);
	assert_in_range(trees.changes.count, 1000, 99999);
	assert_int_equal(trees.changes.count + trees.changes.omitted, 100000);
	assert_in_range(trees.arena.bytes, 1, 4 << 20);
	trees_release(&trees);
}

/* ---- what is in the way ---- */

static void read_unreadable(void)
{
	struct trees trees;

	trees_init(&trees);
	trees_script(&trees, "up/upper", "echo 1 >a; mkdir d; echo 2 >d/b; chmod 0 a d/b d");
	assert_int_equal(trees_read(&trees), 0);
	char *got = trees_listing(&trees);

	assert_string_equal(got, "A a  2 B\nA d/\nA d/b  2 B\n3 added, 4 B\n");
	for (const struct change *row = trees.changes.first; row; row = row->next)
		assert_int_equal(row->mode, 0);
	free(got);
	trees_release(&trees);
}

static void a_run_cannot_hide_what_it_made_unreadable(void **state)
{
	(void)state;
	assert_int_equal(test_as_ordinary_user(read_unreadable), 0);
}

static void count_unreadable(void)
{
	struct trees trees;

	trees_init(&trees);
	trees_script(&trees, "ws", "mkdir d; echo 1 >d/a; chmod 0 d");
	trees_script(&trees, "up/upper", "mknod d c 0 0; echo 1 >b");
	assert_int_equal(trees_read(&trees), 0);
	assert_int_equal(trees.changes.count, 2);
	assert_int_equal(trees.changes.omitted, 1);
	trees_release(&trees);
}

static void a_directory_that_cannot_be_read_is_counted(void **state)
{
	(void)state;
	assert_int_equal(test_as_ordinary_user(count_unreadable), 0);
}

/* ---- lists ---- */

static const struct {
	const char *name, *text;
	size_t length;
	bool want;
} lists[] = {
#define LIST(name, text, want) { name, text, sizeof(text), want }
	LIST("no changes", "cupel.changes/1 0 0 1 2 3 /w", true),
	LIST("a change", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 a", true),
	LIST("a time before 1970", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 -5 6 a", true),
	LIST("a name with a line break", "cupel.changes/1 1 0 1 2 3 /w\0D - f 0 0 0 a\nb/c", true),
	LIST("another version", "cupel.changes/2 0 0 1 2 3 /w", false),
	LIST("a record too few", "cupel.changes/1 1 0 1 2 3 /w", false),
	LIST("a record too many", "cupel.changes/1 0 0 1 2 3 /w\0A f - 644 5 6 a", false),
	LIST("an unknown verb", "cupel.changes/1 1 0 1 2 3 /w\0X f - 644 5 6 a", false),
	LIST("an unknown kind", "cupel.changes/1 1 0 1 2 3 /w\0A x - 644 5 6 a", false),
	LIST("added where something was", "cupel.changes/1 1 0 1 2 3 /w\0A f f 644 5 6 a", false),
	LIST("deleted but there", "cupel.changes/1 1 0 1 2 3 /w\0D f f 644 5 6 a", false),
	LIST("no octal", "cupel.changes/1 1 0 1 2 3 /w\0A f - 648 5 6 a", false),
	LIST("a mode too large", "cupel.changes/1 1 0 1 2 3 /w\0A f - 10000 5 6 a", false),
	LIST("a size too large", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 99999999999999999999 a", false),
	LIST("two blanks", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644  5 6 a", false),
	LIST("no path", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 ", false),
	LIST("an absolute path", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 /a", false),
	LIST("a path upwards", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 a/../../b", false),
	LIST("a path in place", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 a/./b", false),
	LIST("a path that ends in a slash", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 a/", false),
	LIST("a name of three dots", "cupel.changes/1 1 0 1 2 3 /w\0A f - 644 5 6 .../..a", true),
#undef LIST
};

static void a_list_is_read_strictly(void **state)
{
	struct changes changes;
	struct changes_origin origin;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct span text = { (const uint8_t *)lists[i].text, lists[i].length };
		int r = list_parse(text, &arena, &changes, &origin, NULL);

		test_row((r == 0) == lists[i].want, "%s: %d", lists[i].name, r);
		for (text.length = 0; r == 0 && text.length < lists[i].length; text.length++)
			test_row(list_parse(text, &arena, &changes, &origin, NULL) == -EBADMSG,
				 "%s: %zu bytes of it are taken for a list",
				 lists[i].name, text.length);
	}
	arena_release(&arena);
}

static void a_list_written_is_read_back(void **state)
{
	struct trees trees;
	struct changes changes;
	struct changes_origin origin = { 7, UINT64_MAX, -5, "/a b\nc" }, read_back;

	(void)state;
	trees_init(&trees);
	trees_script(&trees, "ws", "mkdir d; echo 1 >d/a; ln -s x l; mkfifo p");
	trees_script(&trees, "up/upper",
		     "mknod d c 0 0; ln -s y l; mkdir p; mkfifo q; "
		     "echo 1 >\"$(printf 'p/a\\nb')\"");
	assert_int_equal(trees_read(&trees), 0);
	trees.changes.omitted = 3;
	int fd = openat(trees.state, "changes", O_WRONLY | O_CREAT, 0600);

	assert_int_equal(list_write(fd, &trees.changes, &origin, NULL), 0);
	assert_int_equal(list_read(trees.state, &trees.arena, &changes, &read_back, NULL), 0);
	assert_int_equal(read_back.device, 7);
	assert_int_equal(read_back.inode, UINT64_MAX);
	assert_int_equal(read_back.started_ns, -5);
	assert_string_equal(read_back.workspace, origin.workspace);
	assert_int_equal(changes.count, 6);
	assert_int_equal(changes.omitted, 3);
	const struct change *got = changes.first;

	for (const struct change *want = trees.changes.first; want; want = want->next) {
		assert_string_equal(got->path, want->path);
		assert_int_equal(got->verb, want->verb);
		assert_int_equal(got->kind, want->kind);
		assert_int_equal(got->was, want->was);
		assert_int_equal(got->mode, want->mode);
		assert_int_equal(got->size, want->size);
		assert_int_equal(got->modified_ns, want->modified_ns);
		got = got->next;
	}
	trees_release(&trees);
}

/* ---- what others execute ---- */

static const struct {
	const char *path;
	bool is_link;
	const char *want;
} later[] = {
	{ ".git/hooks/pre-commit", false, "git hook" },
	{ "sub/.git/hooks/post-checkout", false, "git hook" },
	{ ".git/modules/sub/hooks/x", false, "git hook" },
	{ ".GIT/Hooks/pre-commit", false, "git hook" },
	{ ".git/config", false, "git configuration" },
	{ "bare.git/config", false, "git configuration" },
	{ ".git/modules/a/config", false, "git configuration" },
	{ ".git", false, "git" },
	{ ".git/index", false, NULL },
	{ ".git/objects/00/config0", false, NULL },
	{ ".git/hooks", true, "git hook" },
	{ ".git/hooks", false, NULL },
	{ ".git/modules", true, "git hook" },
	{ ".gitattributes", false, NULL },
	{ ".gitmodules", false, "git configuration" },
	{ ".github/workflows/ci.yml", false, "CI" },
	{ ".github/workflows", true, "CI" },
	{ ".github", true, "CI" },
	{ ".github/ISSUE_TEMPLATE/bug.md", false, NULL },
	{ ".gitlab-ci.yml", false, "CI" },
	{ "ci/Jenkinsfile.release", false, "CI" },
	{ ".vscode/tasks.json", false, "editor" },
	{ ".vscode", true, "editor" },
	{ ".idea/workspace.xml", false, "editor" },
	{ "CLAUDE.md", false, "agent" },
	{ "docs/AGENTS.md", false, "agent" },
	{ ".cursor/rules/a.mdc", false, "agent" },
	{ ".envrc", false, "direnv" },
	{ ".bashrc", false, "shell" },
	{ ".bash_aliases", false, "shell" },
	{ ".config/fish/config.fish", false, "shell" },
	{ ".config", true, "git configuration" },
	{ ".npmrc", false, "package manager" },
	{ "lib/site-packages/evil.pth", false, "python" },
	{ "etc/systemd/system/a.service", false, "systemd" },
	{ "etc/cron.d/a", false, "cron" },
	{ "app.desktop", false, "desktop" },
	{ "Makefile", false, NULL },
	{ "package.json", false, NULL },
	{ "src/main.c", false, NULL },
	{ "src/main", true, NULL },
	{ "git/hooks/a", false, NULL },
};

static void what_others_execute_is_known_by_its_path(void **state)
{
	struct later_table table;

	(void)state;
	assert_int_equal(later_init(&table, NULL), 0);
	for (size_t i = 0; i < COUNT(later); i++) {
		const char *got = later_of(&table, later[i].path, later[i].is_link);

		test_row((!got && !later[i].want) ||
			 (got && later[i].want && strcmp(got, later[i].want) == 0),
			 "%s: got %s, want %s", later[i].path, got ? got : "nothing",
			 later[i].want ? later[i].want : "nothing");
	}
}

/* ---- without an overlay ---- */

static void look(struct trees *trees, struct direct_look *ret)
{
	assert_int_equal(direct_look(&trees->workspace, &trees->arena, ret, &trees->why), 0);
}

static char *listing(struct trees *trees, const struct direct_look *before)
{
	struct direct_look after;

	look(trees, &after);
	direct_compare(before, &after, &trees->arena, &trees->changes);
	return trees_listing(trees);
}

static bool is_listed(const struct trees *trees, const char *path)
{
	for (const struct change *row = trees->changes.first; row; row = row->next)
		if (strcmp(row->path, path) == 0)
			return row->later;
	return false;
}

/* Each path above, in a folder of its own, is found by looking as by its name. */
static void a_look_finds_what_has_a_reason(void **state)
{
	char script[16384], path[200];
	struct direct_look before;
	struct later_table table;
	struct trees trees;
	size_t length = 0, wanted = 0;

	(void)state;
	assert_int_equal(later_init(&table, NULL), 0);
	trees_init(&trees);
	look(&trees, &before);
	for (size_t i = 0; i < COUNT(later); i++)
		length += (size_t)snprintf(script + length, sizeof(script) - length,
			"p='%zu/.b/%s'; mkdir -p \"${p%%/*}\"; %s \"$p\"\n", i, later[i].path,
			later[i].is_link ? "ln -s x" : "echo 1 >");
	assert_true(length < sizeof(script));
	trees_script(&trees, "ws", script);
	free(listing(&trees, &before));
	for (size_t i = 0; i < COUNT(later); i++) {
		snprintf(path, sizeof(path), "%zu/.b/%s", i, later[i].path);
		bool want = later_of(&table, path, later[i].is_link);

		test_row(is_listed(&trees, path) == want, "%s: want %d", path, want);
		wanted += want;
	}
	assert_int_equal(trees.changes.count, wanted);
	trees_release(&trees);
}

static const struct {
	const char *name, *before, *run, *want;
} direct[] = {
	{ "nothing", "echo 1 >.envrc; mkdir .git; echo 1 >.git/config", "true", "no changes\n" },
	{ "what nobody runs", "echo 1 >a", "echo 2 >a; echo 1 >b; mkdir -p .git/objects/hooks; "
	  "echo 1 >.git/objects/hooks/x; echo 1 >.git/HEAD", "no changes\n" },
	{ "a new one", NULL, "mkdir -p .git/hooks; echo 1 >.git/hooks/a",
	  "A .git/hooks/a  2 B  (run later by others: git hook)\n1 added, 2 B, 1 run later by others\n" },
	{ "other bytes of the same length and time", "echo 1 >.envrc; touch -d @1 .envrc",
	  "echo 2 >.envrc; touch -d @1 .envrc",
	  "M .envrc  2 B  (run later by others: direnv)\n1 modified, 2 B, 1 run later by others\n" },
	{ "a mode", "mkdir -p .git/hooks; echo 1 >.git/hooks/a", "chmod 755 .git/hooks/a",
	  "M .git/hooks/a  2 B  (run later by others: git hook)\n1 modified, 2 B, 1 run later by others\n" },
	{ "one moved along with its folder", "mkdir -p a/workflows; echo 1 >a/workflows/c",
	  "mv a .github",
	  "A .github/workflows/c  2 B  (run later by others: CI)\n1 added, 2 B, 1 run later by others\n" },
	{ "one replaced by a link", "echo 1 >.envrc", "ln -sf x .envrc",
	  "T .envrc -> ?  (was a file)  (run later by others: direnv)\n1 of another kind, 1 B, 1 run later by others\n" },
	{ "one gone", "echo 1 >.envrc", "rm .envrc",
	  "D .envrc  (run later by others: direnv)\n1 deleted, 1 run later by others\n" },
	{ "a link is not followed", "mkdir a; echo 1 >a/tasks.json", "ln -s a .vscode; echo 2 >a/tasks.json",
	  "A .vscode -> ?  (run later by others: editor)\n1 added, 1 B, 1 run later by others\n" },
};

static void what_a_run_left_directly_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(direct); i++) {
		struct direct_look before;
		struct trees trees;

		trees_init(&trees);
		trees_script(&trees, "ws", direct[i].before);
		look(&trees, &before);
		/* A change is dated by the kernel's tick. */
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		trees_script(&trees, "ws", direct[i].run);
		char *got = listing(&trees, &before);

		test_row(strcmp(got, direct[i].want) == 0, "%s:\ngot\n%swant\n%s",
			 direct[i].name, got, direct[i].want);
		free(got);
		trees_release(&trees);
	}
}

/* The top comes first; what is not looked at is counted. */
static void a_look_is_bounded(void **state)
{
	struct direct_look before, after;
	struct trees trees;

	(void)state;
	trees_init(&trees);
	trees_script(&trees, "ws", "mkdir -p many a/b; echo 1 >a/.envrc");
	look(&trees, &before);
	assert_int_equal(before.omitted, 0);
	trees_script(&trees, "ws", "cd many && seq 1 21000 | xargs touch; "
		     "mkdir ../a/deep ../a/b/c; echo 1 >../.bashrc");
	look(&trees, &after);
	assert_true(after.omitted >= 1 && after.omitted <= 4);
	direct_compare(&before, &after, &trees.arena, &trees.changes);
	assert_int_equal(trees.changes.omitted, after.omitted);
	assert_string_equal(trees.changes.first->path, ".bashrc");
	trees_release(&trees);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listing_says_what_changed),
		cmocka_unit_test(a_short_listing_counts_the_rest),
		cmocka_unit_test(a_tree_too_deep_to_name_ends),
		cmocka_unit_test(a_list_takes_no_more_memory_than_it_may),
		cmocka_unit_test(a_run_cannot_hide_what_it_made_unreadable),
		cmocka_unit_test(a_directory_that_cannot_be_read_is_counted),
		cmocka_unit_test(a_list_is_read_strictly),
		cmocka_unit_test(a_list_written_is_read_back),
		cmocka_unit_test(what_others_execute_is_known_by_its_path),
		cmocka_unit_test(a_look_finds_what_has_a_reason),
		cmocka_unit_test(what_a_run_left_directly_is_told),
		cmocka_unit_test(a_look_is_bounded),
	};

	return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
