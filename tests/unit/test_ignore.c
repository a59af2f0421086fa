#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/core/ignore.h"

#define FILES 8
#define RULES 64

struct fixture {
	struct ignore ignore;
	struct ignore_file files[FILES];
	struct ignore_rule rules[RULES];
	uint8_t memory[8192];
};

static void start(struct fixture *fixture)
{
	fixture->ignore = (struct ignore){
		.files = fixture->files, .file_capacity = FILES,
		.rules = fixture->rules, .rule_capacity = RULES,
		.memory = fixture->memory,
		.memory_bytes = sizeof(fixture->memory),
	};
	ignore_init(&fixture->ignore);
}

static int push(struct fixture *fixture, const char *directory,
		const char *content)
{
	return ignore_push_file(&fixture->ignore, span_of_text(directory),
				span_of_text(content));
}

/* A path that ends in a slash names a directory. */
static bool excludes(const struct fixture *fixture, const char *path)
{
	struct span span = span_of_text(path);
	bool is_directory = path[span.length - 1] == '/';

	span.length -= is_directory;
	return ignore_excludes_path(&fixture->ignore, span, is_directory);
}

static const struct {
	const char *name, *content, *path;
	bool want;
} cases[] = {
	{ "a name at the top", "foo\n", "foo", true },
	{ "a name at any depth", "foo\n", "a/b/foo", true },
	{ "a name is a whole name", "foo\n", "foobar", false },
	{ "a name covers what is below it", "foo\n", "a/foo/b", true },
	{ "a leading slash anchors", "/foo\n", "a/foo", false },
	{ "a leading slash anchors at the top", "/foo\n", "foo", true },
	{ "a middle slash anchors", "a/foo\n", "b/a/foo", false },
	{ "a middle slash anchors at the top", "a/foo\n", "a/foo", true },
	{ "a trailing slash does not anchor", "foo/\n", "a/foo/", true },
	{ "a trailing slash wants a directory", "foo/\n", "foo", false },
	{ "a trailing slash covers what is below", "foo/\n", "foo/a", true },
	{ "a star stays in its component", "a/*\n", "a/b", true },
	{ "a star excludes a directory's content", "a/*\n", "a/b/c", true },
	{ "a star needs its component", "a/*/c\n", "a/b/x/c", false },
	{ "a suffix at any depth", "*.o\n", "a/b/c.o", true },
	{ "** before a name", "**/foo/bar\n", "a/foo/bar", true },
	{ "** between", "a/**/b\n", "a/x/y/b", true },
	{ "** between may be nothing", "a/**/b\n", "a/b", true },
	{ "** after is below only", "foo/**\n", "foo/", false },
	{ "** after is all below", "foo/**\n", "foo/a", true },
	{ "braces are plain", "{a,b}\n", "a", false },
	{ "the last match wins", "*.o\n!keep.o\n", "keep.o", false },
	{ "the last match wins either way", "!keep.o\n*.o\n", "keep.o", true },
	{ "no way back into an excluded directory", "out/\n!out/keep\n", "out/keep", true },
	{ "a way back when only the content is excluded", "out/*\n!out/keep\n", "out/keep", false },
	{ "all but one tree", "/*\n!/src\n", "src/a", false },
	{ "all but one tree: the others", "/*\n!/src\n", "doc/a", true },
	{ "a comment", "#foo\n", "#foo", false },
	{ "an escaped hash", "\\#foo\n", "#foo", true },
	{ "a hash further on", "foo#\n", "foo#", true },
	{ "a hash after a space is a name", " #foo\n", " #foo", true },
	{ "an escaped bang", "\\!foo\n", "!foo", true },
	{ "a bang alone", "foo\n!\n", "foo", true },
	{ "a slash alone", "/\n", "foo/", false },
	{ "trailing spaces go", "foo  \n", "foo", true },
	{ "an escaped trailing space stays", "foo\\ \n", "foo ", true },
	{ "the space before an escaped one stays", "foo \\  \n", "foo  ", true },
	{ "an inner space stays", "a b\n", "a b", true },
	{ "a leading space stays", " foo\n", "foo", false },
	{ "a trailing tab stays", "foo\t\n", "foo", false },
	{ "empty lines say nothing", "\n\n  \n", "foo", false },
	{ "a line may end in CR LF", "foo\r\nbar\r\n", "foo", true },
	{ "the last line needs no end", "a\nfoo", "foo", true },
	{ "a byte order mark is skipped", "\xef\xbb\xbf" "foo\n", "foo", true },
	{ "a malformed line matches nothing", "[a\nfoo\\\n", "foo", false },
	{ "a malformed line harms no other", "[a\nfoo\n", "foo", true },
	{ "a doubled trailing slash matches nothing", "foo//\n", "foo/", false },
};

static void one_file_excludes_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;

		start(&fixture);
		assert_true(push(&fixture, "", cases[i].content) >= 0);
		bool got = excludes(&fixture, cases[i].path);
		test_row(got == cases[i].want, "%s: got %d", cases[i].name, got);
	}
}

static const struct {
	const char *name, *root, *nested, *path;	/* nested is in src/lib */
	bool want;
} nested_cases[] = {
	{ "a nested file excludes below itself", "", "*.o\n", "src/lib/a.o", true },
	{ "a nested file says nothing beside itself", "", "*.o\n", "src/a.o", false },
	{ "a nested file says nothing of its directory", "", "lib\n", "src/lib/", false },
	{ "a nested name is no mere prefix", "", "*.o\n", "src/library/a.o", false },
	{ "a nested anchor is its own directory", "", "/a\n", "src/lib/a", true },
	{ "a nested anchor is not below it", "", "/a\n", "src/lib/x/a", false },
	{ "a nested file overrules the root", "*.o\n", "!a.o\n", "src/lib/a.o", false },
	{ "a nested file overrules where it speaks", "*.o\n", "!a.o\n", "src/lib/b.o", true },
	{ "a nested file cannot open its parent", "src/\n", "!a.o\n", "src/lib/a.o", true },
};

static void nested_files_overrule_below_themselves(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(nested_cases); i++) {
		struct fixture fixture;

		start(&fixture);
		assert_true(push(&fixture, "", nested_cases[i].root) >= 0);
		assert_true(push(&fixture, "src/lib", nested_cases[i].nested) >= 0);
		bool got = excludes(&fixture, nested_cases[i].path);
		test_row(got == nested_cases[i].want, "%s: got %d",
			 nested_cases[i].name, got);
	}
}

static void an_entry_is_judged_without_its_directory(void **state)
{
	struct fixture fixture;
	struct span path = span_of_text("out/keep");

	(void)state;
	start(&fixture);
	push(&fixture, "", "out/\n");
	assert_false(ignore_excludes_entry(&fixture.ignore, path, false));
	assert_true(ignore_excludes_path(&fixture.ignore, path, false));
}

static void popping_forgets_one_file(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture);
	assert_int_equal(push(&fixture, "", "*.o\n# two\n*.a\n"), 2);
	size_t used = fixture.ignore.memory_used;
	assert_int_equal(push(&fixture, "src", "!x.o\n"), 1);
	assert_false(excludes(&fixture, "src/x.o"));
	ignore_pop_file(&fixture.ignore);
	assert_true(excludes(&fixture, "src/x.o"));
	assert_int_equal(fixture.ignore.memory_used, used);
}

static void too_little_room_adds_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	for (int array = 0; array < 3; array++) {
		start(&fixture);
		assert_int_equal(push(&fixture, "", "*.o\n"), 1);
		struct ignore *ignore = &fixture.ignore, before = *ignore;

		ignore->file_capacity = array == 0 ? 1 : FILES;
		ignore->rule_capacity = array == 1 ? 2 : RULES;
		ignore->memory_bytes = array == 2 ? before.memory_used + 8 :
						    sizeof(fixture.memory);
		assert_int_equal(push(&fixture, "src", "a\nlonger\n"), -ENOSPC);
		assert_int_equal(ignore->file_count, before.file_count);
		assert_int_equal(ignore->rule_count, before.rule_count);
		assert_int_equal(ignore->memory_used, before.memory_used);
		assert_true(excludes(&fixture, "src/a.o"));
		assert_false(excludes(&fixture, "src/a"));
	}
}

/*
 * The same questions to git itself: a repository of directories and files
 * with short names, random .gitignore files in three of its directories.
 */
#define ROUNDS 150
static const char *const ruled[] = { "", "a", "a/b" };
static const char *const directories[] = {
	"a", "a/a", "a/b", "a/b/a", "a/b/c", "b", "b/a", "b/a/b", "c d", "ab", "ab/c",
};
static const char *const names[] = { "ac", "x.o", "b.c", "#x", "!y", "z ", "[q]", "-" };

/* Fills path with the index-th path of the repository; false past the last. */
static bool nth_path(size_t index, char *path, size_t bytes)
{
	size_t files = COUNT(names) * (COUNT(directories) + 1);

	if (index < COUNT(directories)) {
		snprintf(path, bytes, "%s/", directories[index]);
		return true;
	}
	index -= COUNT(directories);
	if (index >= files)
		return false;
	size_t place = index / COUNT(names);
	snprintf(path, bytes, "%s%s%s", place ? directories[place - 1] : "",
		 place ? "/" : "", names[index % COUNT(names)]);
	return true;
}

/* Creates every path, and "list" for git: each path and a NUL. */
static bool make_tree(void)
{
	FILE *list = fopen("list", "w");
	char path[64];

	if (!list)
		return false;
	for (size_t i = 0; nth_path(i, path, sizeof(path)); i++) {
		size_t length = strlen(path);

		if (path[length - 1] == '/') {
			path[length - 1] = '\0';
			mkdir(path, 0700);
		} else {
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		}
		fwrite(path, 1, strlen(path) + 1, list);
	}
	return fclose(list) == 0;
}

static char directory[] = "/tmp/cupel-test-ignore-XXXXXX";

static bool make_repository(void)
{
	if (system("git --version >/dev/null 2>&1") != 0)
		return false;
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	assert_non_null(mkdtemp(directory));
	setenv("HOME", directory, 1);
	setenv("XDG_CONFIG_HOME", directory, 1);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(system("git init -q . && : >.git/info/exclude"), 0);
	return make_tree();
}

static int remove_repository(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* Stars after a name and before a slash are left out: see ignore.h. */
static void random_line(struct random *random, char *line)
{
	static const char *const pieces[] = {
		"a", "b", "c", "a/", "b/", "*", "?", "x", ".o", "*.c", "[a-c]",
		"[!a]", "[[:punct:]]", "\\", "\\ ", " ", "#", "!", "[", "]", "/",
	};

	line[0] = '\0';
	if (random_below(random, 3) == 0)
		strcat(line, "!");
	if (random_below(random, 4) == 0)
		strcat(line, "/");
	if (random_below(random, 6) == 0)
		strcat(line, "**/");
	for (uint64_t n = 1 + random_below(random, 4); n > 0; n--)
		strcat(line, pieces[random_below(random, COUNT(pieces))]);
	if (random_below(random, 6) == 0)
		strcat(line, "/**");
	if (random_below(random, 6) == 0)
		strcat(line, "/**/c");
	if (random_below(random, 5) == 0)
		strcat(line, "/");
	strcat(line, random_below(random, 9) ? "\n" : "\r\n");
}

static bool beyond_the_manual(const char *line)
{
	for (const char *s = strstr(line, "**"); s; s = strstr(s + 1, "**"))
		if (s > line && s[-1] != '/' && s[-1] != '!' && s[-1] != '*')
			return true;
	return strstr(line, "\\/") != NULL;
}

static void random_content(struct random *random, char *content)
{
	content[0] = '\0';
	for (uint64_t n = 1 + random_below(random, 4); n > 0; n--) {
		char line[64];

		do
			random_line(random, line);
		while (beyond_the_manual(line));
		strcat(content, line);
	}
}

static void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Takes the next NUL-terminated path out of git's answer, if it is path. */
static bool answer_has(FILE *answer, const char *path)
{
	long at = ftell(answer);
	size_t length = strlen(path);
	char text[64] = "";

	if (fread(text, 1, length + 1, answer) == length + 1 &&
	    memcmp(text, path, length + 1) == 0)
		return true;
	fseek(answer, at, SEEK_SET);
	return false;
}

/* Returns how many paths are excluded; fails on the first difference. */
static size_t compare_with_git(const struct fixture *fixture, char (*content)[256])
{
	FILE *answer = fopen("answer", "r");
	size_t excluded = 0;
	char path[64];

	assert_non_null(answer);
	for (size_t i = 0; nth_path(i, path, sizeof(path)); i++) {
		bool got = excludes(fixture, path);

		if (path[strlen(path) - 1] == '/')
			path[strlen(path) - 1] = '\0';
		bool want = answer_has(answer, path);
		test_row(got == want, "'%s': got %d\n/:\n%s\na:\n%s\na/b:\n%s",
			 path, got, content[0], content[1], content[2]);
		excluded += got;
	}
	assert_int_equal(fgetc(answer), EOF);
	fclose(answer);
	return excluded;
}

static void agrees_with_git(void **state)
{
	char content[COUNT(ruled)][256];
	struct random random;
	size_t excluded = 0;

	(void)state;
	if (!make_repository())
		test_skip("git is not installed");
	test_random_init(&random, "git check-ignore");
	for (int round = 0; round < ROUNDS; round++) {
		struct fixture fixture;

		start(&fixture);
		for (size_t i = 0; i < COUNT(ruled); i++) {
			char path[64];

			snprintf(path, sizeof(path), "./%s/.gitignore", ruled[i]);
			random_content(&random, content[i]);
			write_file(path, content[i]);
			assert_true(push(&fixture, ruled[i], content[i]) >= 0);
		}
		int status = system("git check-ignore --no-index -z --stdin "
				    "<list >answer 2>&1");
		assert_true(status == 0 || status == 1 << 8);
		excluded += compare_with_git(&fixture, content);
	}
	assert_in_range(excluded, ROUNDS, ROUNDS * 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_file_excludes_as_the_table_says),
		cmocka_unit_test(nested_files_overrule_below_themselves),
		cmocka_unit_test(an_entry_is_judged_without_its_directory),
		cmocka_unit_test(popping_forgets_one_file),
		cmocka_unit_test(too_little_room_adds_nothing),
		cmocka_unit_test_teardown(agrees_with_git, remove_repository),
	};

	return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
