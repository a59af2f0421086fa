/*
 * cupel-git: what the loop needs of a repository, by libgit2.
 *
 * It is started in the repository's work tree and can reach nothing else. The
 * repository's configuration names no program that would run, and those of
 * user and system are not read. Where there is no repository, one of our own
 * takes its place; see snapshot.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "workers/git/artefacts.h"
#include "workers/git/change.h"
#include "workers/git/changed.h"
#include "workers/git/copy.h"
#include "workers/git/edits.h"
#include "workers/git/snapshot.h"
#include "workers/worker.h"

#define DIRTY_MAX 100
#define READ_BYTES_MAX (1U << 20)

extern const struct worker_contract contract_git;

const char *git_folder = ".git";

static git_repository *repository;

static const char *text_of(const struct worker_call *call, const char *name)
{
	return json_string_value(json_object_get(call->arguments, name));
}

static bool has_git(void)
{
	struct stat status;

	return lstat(".git", &status) == 0;
}

static int open_repository(struct error *why)
{
	struct stat status;

	/* A person may have begun one since, or taken it away. */
	if (repository && has_git() == git_is_users())
		return 0;
	git_repository_free(repository);
	repository = NULL;
	if (lstat(".git", &status) < 0)
		return snapshot_open(&repository, why);
	git_folder = ".git";
	if (!S_ISDIR(status.st_mode))
		return error_set_code(why, -ENOTSUP, ERROR_FAILED_PRECONDITION,
				      "this is a linked work tree or a submodule; name the repository itself");
	if (git_repository_open_ext(&repository, ".", GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0)
		return git_failure("open the repository", why);
	return 0;
}

static int lookup(const struct worker_call *call, git_commit **ret, struct error *why)
{
	const char *hex = text_of(call, "commit");
	git_oid id;
	int r = open_repository(why);

	if (r < 0)
		return r;
	if (git_oid_fromstr(&id, hex) < 0 || git_commit_lookup(ret, repository, &id) < 0)
		return error_set(why, -ENOENT, "there is no commit %.40s", hex);
	return 0;
}

/* ---- git.status ---- */

/* For people, and of any bytes. */
static json_t *name_of(const char *path)
{
	char text[1024];

	text_escape(span_of_text(path), text, sizeof(text));
	return json_string(text);
}

static int count_status(json_t *dirty, json_int_t *untracked, struct error *why)
{
	git_status_options options;
	git_status_list *list;

	git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
	options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
	if (git_status_list_new(&list, repository, &options) < 0)
		return git_failure("status", why);
	for (size_t i = 0; i < git_status_list_entrycount(list); i++) {
		const git_status_entry *entry = git_status_byindex(list, i);
		const git_diff_delta *delta = entry->head_to_index ? entry->head_to_index :
								     entry->index_to_workdir;

		if (entry->status == GIT_STATUS_WT_NEW)
			(*untracked)++;
		else if (json_array_size(dirty) < DIRTY_MAX)
			json_array_append_new(dirty, name_of(delta->new_file.path));
	}
	git_status_list_free(list);
	return 0;
}

static int status(struct worker_call *call, json_t **ret, struct error *why)
{
	json_t *dirty = json_array(), *row;
	json_int_t untracked = 0;
	char hex[GIT_OID_HEXSZ + 1] = "";
	git_reference *head;
	bool detached = false;
	int r = open_repository(why);

	(void)call;
	if (r == 0 && has_git())
		r = count_status(dirty, &untracked, why);
	if (r < 0) {
		json_decref(dirty);
		return r;
	}
	row = json_pack("{s:b, s:b, s:o, s:I}", "repository", has_git(), "clean",
			json_array_size(dirty) == 0, "dirty", dirty, "untracked", untracked);
	detached = git_repository_head_detached(repository) == 1;
	json_object_set_new(row, "head", json_null());
	json_object_set_new(row, "branch", json_null());
	if (git_repository_head(&head, repository) == 0) {
		git_oid_tostr(hex, sizeof(hex), git_reference_target(head));
		json_object_set_new(row, "head", json_string(hex));
		if (!detached)
			json_object_set_new(row, "branch",
					    json_string(git_reference_shorthand(head)));
		git_reference_free(head);
	}
	*ret = row;
	return 0;
}

/* ---- git.where ---- */

static int where(struct worker_call *call, json_t **ret, struct error *why)
{
	char path[PATH_MAX];

	(void)call;
	if (!getcwd(path, sizeof(path)))
		return error_set(why, -errno, "getcwd: %s", strerror(errno));
	*ret = json_pack("{s:s}", "directory", path);
	return 0;
}

/* ---- git.changed ---- */

static int changed(struct worker_call *call, json_t **ret, struct error *why)
{
	struct stat status;
	int r;

	if (lstat(".git", &status) < 0 || !S_ISDIR(status.st_mode)) {
		*ret = json_pack("{s:s}", "unknown", "the top of a git repository is not here");
		return 0;
	}
	r = open_repository(why);
	return r < 0 ? r : changed_list(repository, text_of(call, "since"), ret, why);
}

/* ---- git.snapshot ---- */

static int snapshot(struct worker_call *call, json_t **ret, struct error *why)
{
	int r = open_repository(why);

	(void)call;
	if (r == 0 && has_git())
		r = error_set(why, -EEXIST, "this is a git repository, which needs no snapshot");
	return r < 0 ? r : snapshot_take(repository, ret, why);
}

/* ---- git.read ---- */

static int read_blob(git_blob *blob, const char *path, json_t **ret, struct error *why)
{
	size_t size = (size_t)git_blob_rawsize(blob);
	struct span text = { git_blob_rawcontent(blob), size };
	char sum[SHA256_TEXT_BYTES];

	if (size > READ_BYTES_MAX || memchr(text.data ? (const char *)text.data : "", '\0', size) ||
	    !text_is_utf8(text))
		return error_set_code(why, -ENOTSUP, ERROR_FAILED_PRECONDITION,
				      "%s is no text of at most %u bytes", path, READ_BYTES_MAX);
	blob_sum(blob, sum);
	*ret = json_pack("{s:o, s:s}", "content",
			 json_stringn((const char *)text.data, size), "sha256", sum);
	return 0;
}

static int read_file(struct worker_call *call, json_t **ret, struct error *why)
{
	const char *path = text_of(call, "path");
	git_commit *commit;
	git_tree *tree = NULL;
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;
	int r = lookup(call, &commit, why);

	if (r < 0)
		return r;
	if (git_commit_tree(&tree, commit) < 0 ||
	    git_tree_entry_bypath(&entry, tree, path) < 0 ||
	    git_tree_entry_type(entry) != GIT_OBJECT_BLOB ||
	    git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK ||
	    git_blob_lookup(&blob, repository, git_tree_entry_id(entry)) < 0)
		r = error_set(why, -ENOENT, "%s is no file of that commit", path);
	else
		r = read_blob(blob, path, ret, why);
	git_blob_free(blob);
	git_tree_entry_free(entry);
	git_tree_free(tree);
	git_commit_free(commit);
	return r;
}

/* ---- copies ---- */

static int checkout(struct worker_call *call, json_t **ret, struct error *why)
{
	json_t *skipped = json_array();
	json_int_t count = 0;
	git_commit *commit;
	int r = lookup(call, &commit, why);

	if (r == 0) {
		r = copy_fill(repository, commit, text_of(call, "copy"),
			      json_object_get(call->arguments, "files"), skipped, &count, why);
		git_commit_free(commit);
	}
	if (r == 0)
		*ret = json_pack("{s:I, s:O}", "files", count, "skipped", skipped);
	json_decref(skipped);
	return r;
}

static int protect(struct worker_call *call, json_t **ret, struct error *why)
{
	json_t *changed = json_array(), *missing = json_array();
	git_commit *commit;
	int r = lookup(call, &commit, why);

	if (r == 0) {
		r = copy_protect(repository, commit, text_of(call, "copy"),
				 json_object_get(call->arguments, "paths"), changed, missing,
				 why);
		git_commit_free(commit);
	}
	if (r == 0)
		*ret = json_pack("{s:O, s:O}", "changed", changed, "missing", missing);
	json_decref(changed);
	json_decref(missing);
	return r;
}

static int artefacts(struct worker_call *call, json_t **ret, struct error *why)
{
	json_int_t hash, files;
	git_commit *commit;
	int r = lookup(call, &commit, why);

	if (r < 0)
		return r;
	r = artefacts_hash(commit, text_of(call, "copy"),
			   json_object_get(call->arguments, "except"), &hash, &files, why);
	git_commit_free(commit);
	if (r == 0)
		*ret = json_pack("{s:I, s:I}", "hash", hash, "files", files);
	return r;
}

static int clean(struct worker_call *call, json_t **ret, struct error *why)
{
	const json_t *copies = json_object_get(call->arguments, "copies");
	int r = json_is_array(copies) ? 0 : copy_remove(NULL, why);

	for (size_t i = 0; r == 0 && i < json_array_size(copies); i++)
		r = copy_remove(json_string_value(json_array_get(copies, i)), why);
	*ret = r == 0 ? json_object() : NULL;
	return r;
}

/* ---- git.hold ---- */

struct hold {
	int fd;		/* of copy_hold() */
};

/* A word on stream 1 once it holds; then it waits to be cancelled. */
static int hold(struct worker_call *call, json_t **ret, struct error *why)
{
	struct hold *self = arena_alloc(&call->memory, sizeof(*self));
	int r = self ? open_repository(why) : error_set(why, -ENOMEM, "out of memory");

	(void)ret;
	if (r < 0)
		return r;
	self->fd = copy_hold(why);
	if (self->fd < 0)
		return self->fd;
	call->state = self;
	r = worker_chunk(call, 1, span_of_text("held\n"));
	if (r < 0) {
		close(self->fd);
		return error_set(why, r, "nobody waits for it");
	}
	return WORKER_PENDING;
}

static void let_go(struct worker_call *call)
{
	const struct hold *self = call->state;
	struct error why;

	close(self->fd);
	error_set(&why, -ECANCELED, "the copies are free again");
	worker_fail(call, &why);
}

/* ---- changes ---- */

static struct improvement improvement_of(const struct worker_call *call)
{
	return (struct improvement){
		json_integer_value(json_object_get(call->arguments, "improvement")),
		text_of(call, "change"), text_of(call, "since"),
	};
}

static int commit(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct change change = {
		.base = text_of(call, "base"), .branch = text_of(call, "branch"),
		.message = text_of(call, "message"),
		.files = json_object_get(call->arguments, "files"),
		.improvement = improvement_of(call),
	};
	int r = open_repository(why);

	return r < 0 ? r : change_commit(repository, &change, ret, why);
}

static int revert(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct undo undo = {
		.commit = text_of(call, "commit"),
		.files = json_object_get(call->arguments, "files"),
		.improvement = improvement_of(call),
	};
	int r = open_repository(why);

	return r < 0 ? r : change_revert(repository, &undo, ret, why);
}

static int find(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct improvement improvement = improvement_of(call);
	int r = open_repository(why);

	return r < 0 ? r : change_find(repository, &improvement, ret, why);
}

static int start(struct worker *worker, struct error *why)
{
	static const git_config_level_t levels[] = {
		GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
		GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
	};

	(void)worker;
	if (git_libgit2_init() < 0)
		return error_set(why, -EIO, "libgit2 does not start");
	for (size_t i = 0; i < COUNT(levels); i++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	/* Who owns the work tree is the supervisor's business, not git's. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	return 0;
}

static const struct worker_tool tools[] = {
	{ .name = "git.status", .serve = status },
	{ .name = "git.where", .serve = where },
	{ .name = "git.changed", .serve = changed },
	{ .name = "git.snapshot", .serve = snapshot },
	{ .name = "git.read", .serve = read_file },
	{ .name = "git.checkout", .serve = checkout },
	{ .name = "git.protect", .serve = protect },
	{ .name = "git.artefacts", .serve = artefacts },
	{ .name = "git.clean", .serve = clean },
	{ .name = "git.hold", .serve = hold, .stopped = let_go },
	{ .name = "git.commit", .serve = commit },
	{ .name = "git.revert", .serve = revert },
	{ .name = "git.find", .serve = find },
};

int main(void)
{
	return worker_main(&(struct worker_program){
		.name = "cupel-git", .contract = &contract_git, .tools = tools,
		.tool_count = COUNT(tools), .calls_max = 8,
		.argument_bytes_max = 16U << 20, .start = start });
}
