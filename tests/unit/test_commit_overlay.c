/*
 * What a commit makes of a workspace, against what the kernel's own overlay
 * showed the run.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/trees.h"

#define CANNOT 77	/* exit status: not on this host */
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
	int status = test_as_ordinary_user(overlay_rounds);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		test_skip("no mount namespace for this user");
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_workspace_becomes_what_the_run_saw),
	};

	return cmocka_run_group_tests_name("commit_overlay", tests, NULL, NULL);
}
