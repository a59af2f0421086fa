#include "sandbox/commit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/commit_owner.h"
#include "sandbox/commit_place.h"
#include "sandbox/path.h"
#include "sandbox/tree.h"

#define LOCK_WAIT_NS 20000000
#define LOCK_TRIES 500		/* ten seconds in all */
#define NAME_SHOWN 200

struct commit {
	struct place place;
	struct changes *changes;
	struct commit_result *result;
	struct error *why;
};

/* The whole sentence: what is wrong with the first of so many rows. */
static int refuse(struct error *why, int error, const struct change *row,
		  size_t count, const char *what)
{
	char path[NAME_SHOWN];

	text_escape(span_of_text(row->path), path, sizeof(path));
	if (count > 1)
		return error_set(why, error, "%s and %zu more: %s", path, count - 1, what);
	return error_set(why, error, "%s: %s", path, what);
}

static int refuse_specials(const struct changes *changes, struct error *why)
{
	const struct change *row = changes->first;

	if (changes->omitted)
		return error_set(why, -E2BIG,
				 "%llu changes could not be listed, so none is committed",
				 (unsigned long long)changes->omitted);
	if (!changes->specials)
		return 0;
	while (row->kind != KIND_SPECIAL)
		row = row->next;
	return refuse(why, -EPERM, row, changes->specials,
		      "a fifo, socket or device is not committed");
}

/* Not for ever: whoever can read a directory can lock it. */
static int lock(int fd, int tries, const char *path, struct error *why)
{
	const struct timespec pause = { .tv_nsec = LOCK_WAIT_NS };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_set(why, -errno, "lock %s: %s", path, strerror(errno));
		if (--tries <= 0)
			return error_set(why, -EBUSY, "%s: another commit is under way", path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int conflict(struct commit *commit, struct change *row)
{
	row->conflict = true;
	commit->result->conflicts++;
	return refuse(commit->why, -ESTALE, row, 1,
		      "changed in the workspace since the run was started");
}

static int judge_all(struct commit *commit)
{
	struct change *first = NULL;

	for (struct change *row = commit->changes->first; row; row = row->next) {
		int r = place_judge(&commit->place, row);

		if (r < 0)
			return r;
		if (r != PLACE_CONFLICT)
			continue;
		conflict(commit, row);
		first = first ? first : row;
	}
	if (!first)
		return 0;
	return refuse(commit->why, -ESTALE, first, commit->result->conflicts,
		      "changed in the workspace since the run was started");
}

/* 1 if the row is to be applied now, 0 if it has been. */
static int check_again(struct commit *commit, struct change *row)
{
	int r = place_judge(&commit->place, row);

	if (r == PLACE_CONFLICT)
		return conflict(commit, row);
	return r < 0 ? r : r == PLACE_READY;
}

/* Its directory must be emptied before something else can take the name. */
static bool waits(const struct change *row)
{
	return row->was == KIND_DIRECTORY && row->kind != KIND_DIRECTORY;
}

static int apply_forward(struct commit *commit, struct change *row)
{
	int r = row->was == KIND_DIRECTORY ? place_widen(&commit->place, row) : 0;

	if (r < 0 || row->verb == CHANGE_DELETED || waits(row))
		return r;
	r = check_again(commit, row);
	return r == 1 ? place_put(&commit->place, row) : r;
}

static int remove_row(struct commit *commit, struct change *row)
{
	int r = place_remove(&commit->place, row);

	return r == -ENOTEMPTY || r == -EEXIST ? conflict(commit, row) : r;
}

static int apply_backward(struct commit *commit, struct change *row)
{
	if (row->kind == KIND_DIRECTORY)
		return place_settle(&commit->place, row);
	if (row->verb != CHANGE_DELETED && !waits(row))
		return 0;
	int r = check_again(commit, row);

	if (r != 1)
		return r;
	r = remove_row(commit, row);
	return r == 0 && row->verb != CHANGE_DELETED ? place_put(&commit->place, row) : r;
}

static int apply_all(struct commit *commit)
{
	const struct changes *changes = commit->changes;
	int r = 0;

	for (struct change *row = changes->first; r == 0 && row; row = row->next)
		r = apply_forward(commit, row);
	for (struct change *row = changes->last; r == 0 && row; row = row->prev)
		r = apply_backward(commit, row);
	return r;
}

/* From here on the workspace changes; the mark outlives us and a power cut. */
static int mark_begun(struct commit *commit)
{
	struct place *place = &commit->place;
	AUTO_CLOSE int mark = path_open(place->kept, KEEP_BEGUN, O_WRONLY | O_CREAT,
					0600, PATH_STRICT, commit->why);

	if (mark < 0)
		return mark;
	if (fsync(mark) < 0 || fsync(place->kept) < 0)
		return error_set(commit->why, -errno, "sync: %s", strerror(errno));
	commit->result->begun = place->begun = true;
	return 0;
}

static void clean_drafts(struct commit *commit)
{
	unlinkat(commit->place.kept, commit->place.draft, 0);
	for (const struct change *row = commit->changes->first; row; row = row->next)
		place_clean(&commit->place, row);
}

/* As the owner, under the lock, from kept changes. */
static int run_commit(struct commit *commit, const char *path)
{
	struct place *place = &commit->place;
	AUTO_CLOSE int top = path_open(place->workspace, ".", O_RDONLY | O_DIRECTORY,
				       0, PATH_STRICT, commit->why);
	AUTO_CLOSE int tree = path_open(place->kept, "tree", O_PATH | O_DIRECTORY, 0,
					PATH_STRICT, commit->why);

	if (top < 0 || tree < 0)
		return top < 0 ? top : tree;
	int r = lock(top, LOCK_TRIES, path, commit->why);

	place->tree = tree;
	place->workspace = top;
	place->begun = faccessat(place->kept, KEEP_BEGUN, F_OK, AT_EACCESS) == 0;
	if (r == 0 && place->begun)
		clean_drafts(commit);
	if (r == 0)
		r = judge_all(commit);
	if (r == 0)
		r = mark_begun(commit);
	if (r == 0)
		r = apply_all(commit);
	if (r == 0 && syncfs(top) < 0)
		r = error_set(commit->why, -errno, "sync %s: %s", path, strerror(errno));
	return r;
}

/* Kept changes called name, open as kept, into the workspace, and away. */
static int commit_kept(const struct commit_request *request, int kept,
		       const char *name, int64_t started_ns, struct changes *changes,
		       const struct owner *owner, struct commit_result *result,
		       struct error *why)
{
	char draft[KEEP_NAME_BYTES + 8];
	struct commit commit = {
		.place = { .workspace = request->workspace->directory, .kept = kept,
			   .started_ns = started_ns, .draft = draft, .why = why },
		.changes = changes, .result = result, .why = why,
	};

	snprintf(draft, sizeof(draft), ".cupel-%s", name);
	owner_become(owner);
	int r = run_commit(&commit, request->path);

	owner_return(owner);
	if (r < 0) {
		snprintf(result->kept, sizeof(result->kept), "%s", name);
		return r;
	}
	keep_forget(request->state, name, changes, owner);
	return 0;
}

static int apply_as(const struct commit_request *request, struct changes *changes,
		    const struct owner *owner, struct commit_result *result,
		    struct error *why)
{
	char name[KEEP_NAME_BYTES];
	const struct changes_origin origin = {
		.device = request->workspace->device,
		.inode = request->workspace->inode,
		.started_ns = request->started_ns, .workspace = request->path,
	};
	AUTO_CLOSE int kept = keep_create(request->state, owner, name, why);
	int r = kept < 0 ? kept : lock(kept, 1, name, why);

	if (r < 0)
		return r;
	r = keep_write(kept, request->upper, changes, &origin, owner, why);
	if (r < 0) {
		keep_forget(request->state, name, changes, owner);
		return r;
	}
	r = refuse_specials(changes, why);
	if (r < 0) {
		snprintf(result->kept, sizeof(result->kept), "%s", name);
		return r;
	}
	return commit_kept(request, kept, name, request->started_ns, changes, owner,
			   result, why);
}

int commit_apply(const struct commit_request *request, struct changes *changes,
		 struct commit_result *ret, struct error *why)
{
	struct owner owner;

	*ret = (struct commit_result){ 0 };
	if (changes->count + changes->omitted == 0)
		return 0;
	int r = owner_init(&owner, request->workspace->directory, why);

	if (r < 0)
		return r;
	r = apply_as(request, changes, &owner, ret, why);
	owner_release(&owner);
	return r;
}

/* ---- afterwards ---- */

/*
 * A device number may be another after a reboot, a path after a move. Nobody
 * else's changes count: in root's state directory each user has his own.
 */
static bool is_origin(const struct commit_request *request, int kept,
		      const struct changes_origin *origin)
{
	struct stat status;

	return fstat(kept, &status) == 0 &&
	       status.st_uid == owner_uid_of(request->workspace->directory) &&
	       origin->inode == request->workspace->inode &&
	       (origin->device == request->workspace->device ||
		strcmp(origin->workspace, request->path) == 0);
}

static int recover_as(const struct commit_request *request, int kept,
		      const char *name, struct arena *arena,
		      struct changes *ret_changes, const struct owner *owner,
		      struct commit_result *ret, struct error *why)
{
	struct changes_origin origin;

	owner_become(owner);
	int r = list_read(kept, arena, ret_changes, &origin, why);

	owner_return(owner);
	if (r < 0)
		return r;
	if (!is_origin(request, kept, &origin))
		return error_set(why, -EXDEV, "%s holds changes of %s, not of %s", name,
				 origin.workspace, request->path);
	r = refuse_specials(ret_changes, why);
	return r < 0 ? r : commit_kept(request, kept, name, origin.started_ns,
				       ret_changes, owner, ret, why);
}

int commit_recover(const struct commit_request *request, const char *name,
		   struct arena *arena, struct changes *ret_changes,
		   struct commit_result *ret, struct error *why)
{
	AUTO_CLOSE int kept = path_open(request->state, name, O_RDONLY | O_DIRECTORY, 0,
					PATH_STRICT, why);
	struct owner owner;
	int r = kept < 0 ? kept : lock(kept, 1, name, why);

	*ret = (struct commit_result){ 0 };
	if (r == 0)
		r = owner_init(&owner, request->workspace->directory, why);
	if (r < 0)
		return r;
	snprintf(ret->kept, sizeof(ret->kept), "%s", name);
	r = recover_as(request, kept, name, arena, ret_changes, &owner, ret, why);
	if (r == 0)
		ret->kept[0] = '\0';
	owner_release(&owner);
	return r;
}

static void finish_forgetting(int state, const char *name, int kept, struct arena *arena)
{
	struct changes changes = { 0 };
	struct changes_origin origin;
	struct owner owner;

	if (owner_init(&owner, kept, NULL) < 0)
		return;
	owner_become(&owner);
	list_read(kept, arena, &changes, &origin, NULL);
	owner_return(&owner);
	keep_forget(state, name, &changes, &owner);
	owner_release(&owner);
}

/* Whether name is an interrupted commit to that workspace, with nobody on it. */
static bool is_interrupted(const struct commit_request *request, const char *name,
			   struct arena *arena)
{
	struct changes changes;
	struct changes_origin origin;
	bool done = strncmp(name, KEEP_DONE, strlen(KEEP_DONE)) == 0;
	AUTO_CLOSE int kept = path_open(request->state, name, O_RDONLY | O_DIRECTORY, 0,
					PATH_STRICT, NULL);

	if (kept < 0 || lock(kept, 1, name, NULL) < 0)
		return false;
	if (done)
		finish_forgetting(request->state, name, kept, arena);
	return !done && faccessat(kept, KEEP_BEGUN, F_OK, AT_EACCESS) == 0 &&
	       list_read(kept, arena, &changes, &origin, NULL) == 0 &&
	       is_origin(request, kept, &origin);
}

int commit_find_interrupted(const struct commit_request *request,
			    struct arena *arena, char ret_name[KEEP_NAME_BYTES],
			    struct error *why)
{
	int copy = path_open(request->state, ".", O_RDONLY | O_DIRECTORY, 0, PATH_STRICT,
			     why);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int found = 0;

	if (copy < 0)
		return copy;
	if (!stream) {
		close(copy);
		return error_set(why, -ENOMEM, "look for interrupted commits: no memory");
	}
	while (!found && (entry = readdir(stream))) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || length >= KEEP_NAME_BYTES ||
		    !is_interrupted(request, entry->d_name, arena))
			continue;
		memcpy(ret_name, entry->d_name, length + 1);
		found = 1;
	}
	closedir(stream);
	return found;
}
