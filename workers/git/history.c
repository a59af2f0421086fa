#include "workers/git/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define HEX_BYTES (GIT_OID_HEXSZ + 1)

static int include(json_t *set, const char *hex, struct error *why)
{
	return json_object_set_new(set, hex, json_true()) < 0 ?
		       error_set(why, -ENOMEM, "out of memory") : 0;
}

static int read_ends(json_t *ends, FILE *file, struct error *why)
{
	char line[HEX_BYTES + 1];
	int r = 0;

	while (r == 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		r = include(ends, line, why);
	}
	return r == 0 && ferror(file) ? error_set(why, -EIO, "%s/shallow: cannot be read",
						  git_folder) : r;
}

static int find_ends(json_t *ends, struct error *why)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/shallow", git_folder);
	AUTO_CLOSE int fd = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT, why);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	FILE *file = fdopen(fd, "r");

	if (!file)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	fd_take(&fd);	/* the stream's now */
	int r = read_ends(ends, file, why);

	fclose(file);
	return r;
}

int history_init(struct history *history, git_repository *repository, struct error *why)
{
	*history = (struct history){ .repository = repository, .ends = json_object(),
				     .seen = json_object() };
	return find_ends(history->ends, why);
}

void history_release(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		git_commit_free(history->tips[i].commit);
	free(history->tips);
	json_decref(history->ends);
	json_decref(history->seen);
}

static struct tip *find_tip(const struct history *history, const git_oid *id)
{
	for (size_t i = 0; i < history->count; i++)
		if (git_oid_equal(git_commit_id(history->tips[i].commit), id))
			return &history->tips[i];
	return NULL;
}

int history_add(struct history *history, const git_oid *id, bool known, struct error *why)
{
	struct tip *tip = find_tip(history, id), *tips;
	char hex[HEX_BYTES];

	if (tip)
		tip->known |= known;
	if (json_object_get(history->seen, git_oid_tostr(hex, sizeof(hex), id)))
		return 0;
	tips = reallocarray(history->tips, history->count + 1, sizeof(*tips));
	if (!tips)
		return error_set(why, -ENOMEM, "out of memory");
	history->tips = tips;
	tip = &tips[history->count];
	if (git_commit_lookup(&tip->commit, history->repository, id) < 0)
		return git_failure("the history cannot be read (see git fsck)", why);
	tip->known = known;
	history->count++;
	return include(history->seen, hex, why);
}

static bool is_asked_for(const struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		if (!history->tips[i].known)
			return true;
	return false;
}

static struct tip take_newest(struct history *history)
{
	struct tip *newest = history->tips, ret;

	for (size_t i = 1; i < history->count; i++)
		if (git_commit_time(history->tips[i].commit) > git_commit_time(newest->commit))
			newest = &history->tips[i];
	ret = *newest;
	*newest = history->tips[--history->count];
	return ret;
}

static int add_parents(struct history *history, const struct tip *tip, struct error *why)
{
	unsigned parents = git_commit_parentcount(tip->commit);
	char hex[HEX_BYTES];
	int r = 0;

	git_oid_tostr(hex, sizeof(hex), git_commit_id(tip->commit));
	if (json_object_get(history->ends, hex)) {
		history->cut |= !tip->known;
		return 0;
	}
	for (unsigned i = 0; r == 0 && i < parents; i++)
		r = history_add(history, git_commit_parent_id(tip->commit, i), tip->known, why);
	return r;
}

int history_next(struct history *history, git_commit **ret, struct error *why)
{
	while (is_asked_for(history)) {
		struct tip tip = take_newest(history);
		int r = add_parents(history, &tip, why);

		if (r == 0 && !tip.known) {
			*ret = tip.commit;
			return 1;
		}
		git_commit_free(tip.commit);
		if (r < 0)
			return r;
	}
	return 0;
}
