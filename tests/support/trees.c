#include "tests/support/trees.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test.h"

#define ARENA_BYTES_MAX (64 << 20)

static int open_below(const struct trees *trees, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", trees->top, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void trees_init(struct trees *trees)
{
	char path[] = TREES_MEMORY "/cupel-trees-XXXXXX";
	int fd = mkstemp(path);
	bool memory = fd >= 0 && fsetxattr(fd, "user.cupel", "", 0, 0) == 0;

	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	trees_init_below(trees, memory ? TREES_MEMORY : "/tmp");
}

void trees_init_below(struct trees *trees, const char *base)
{
	struct stat status;

	*trees = (struct trees){ 0 };
	arena_init(&trees->arena, ARENA_BYTES_MAX);
	snprintf(trees->top, sizeof(trees->top), "%s/cupel-trees-XXXXXX", base);
	assert_non_null(mkdtemp(trees->top));
	trees_script(trees, ".", "chmod 755 .; mkdir -p ws up/upper up/work state");
	trees->upper = open_below(trees, "up");
	trees->state = open_below(trees, "state");
	trees->workspace.directory = open_below(trees, "ws");
	trees->workspace.mount = -1;
	assert_int_equal(fstat(trees->workspace.directory, &status), 0);
	trees->workspace.device = status.st_dev;
	trees->workspace.inode = status.st_ino;
}

int trees_own_mounts(void **state)
{
	(void)state;
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return 0;
}

void trees_release(struct trees *trees)
{
	trees_script(trees, ".", "chmod -R u+rwX . && rm -rf ws up state merged out");
	assert_int_equal(rmdir(trees->top), 0);
	tree_close(&trees->workspace);
	close(trees->upper);
	close(trees->state);
	arena_release(&trees->arena);
}

void trees_script(const struct trees *trees, const char *directory,
		  const char *script)
{
	char *command;

	if (!script)
		return;
	assert_true(asprintf(&command, "cd %s/%s && export WS=%s/ws UP=%s/up/upper LC_ALL=C && "
			     "umask 022 && { %s\n}", trees->top, directory, trees->top,
			     trees->top, script) > 0);
	if (system(command) != 0)
		fail_msg("script failed: %s", command);
	free(command);
}

void trees_make_opaque(const struct trees *trees, const char *path)
{
	char *whole;

	if (!path)
		return;
	assert_true(asprintf(&whole, "%s/up/upper/%s", trees->top, path) > 0);
	assert_int_equal(setxattr(whole, "user.overlay.opaque", "y", 1, 0), 0);
	free(whole);
}

static int64_t coarse_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One tick is at most 10 ms. */
static void pass_a_tick(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

void trees_start(struct trees *trees)
{
	pass_a_tick();
	trees->started_ns = coarse_now_ns();
	pass_a_tick();
}

int trees_read(struct trees *trees)
{
	return changes_read(trees->upper, &trees->workspace, &trees->arena,
			    &trees->changes, &trees->why);
}

static struct commit_request request_of(const struct trees *trees)
{
	return (struct commit_request){
		.upper = trees->upper, .state = trees->state,
		.workspace = &trees->workspace, .path = trees->top,
		.started_ns = trees->started_ns,
	};
}

int trees_commit(struct trees *trees)
{
	struct commit_request request = request_of(trees);

	return commit_apply(&request, &trees->changes, &trees->result, &trees->why);
}

int trees_recover(struct trees *trees, const char *name)
{
	struct commit_request request = request_of(trees);

	return commit_recover(&request, name, &trees->arena, &trees->changes,
			      &trees->result, &trees->why);
}

static char *read_all(FILE *in)
{
	char *text = NULL;
	size_t size = 0;

	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		return strdup("");
	}
	return text;
}

char *trees_snapshot(const struct trees *trees, const char *directory)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s/%s && export LC_ALL=C && "
		 "{ find . -mindepth 1 -printf '%%y %%m %%P %%l\\n' | sort; "
		 "find . -type f -exec cksum {} + | sort -k 3; }",
		 trees->top, directory);
	FILE *in = popen(command, "re");

	assert_non_null(in);
	char *text = read_all(in);

	assert_int_equal(pclose(in), 0);
	return text;
}

void trees_empty_state(const struct trees *trees)
{
	char command[64];

	snprintf(command, sizeof(command), "cd /proc/%d/fd/%d && rm -rf ./*", getpid(),
		 trees->state);
	assert_int_equal(system(command), 0);
}

bool trees_state_is_empty(const struct trees *trees)
{
	DIR *stream = fdopendir(openat(trees->state, ".", O_RDONLY | O_DIRECTORY));
	int count = 0;

	assert_non_null(stream);
	while (readdir(stream))
		count++;
	closedir(stream);
	return count == 2;	/* . and .. */
}

char *trees_listing(const struct trees *trees)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	changes_print(&trees->changes, SIZE_MAX, out);
	fclose(out);
	return text;
}
