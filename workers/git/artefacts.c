#include "workers/git/artefacts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/sha256.h"
#include "workers/git/copy.h"
#include "workers/git/walk.h"

struct sum {
	const git_tree *tree;
	const json_t *except;
	uint64_t value;
	json_int_t files;
};

static bool is_excepted(void *owner, const char *path, const char *name, bool folder)
{
	const json_t *except = ((struct sum *)owner)->except;

	(void)name;
	for (size_t i = 0; !folder && i < json_array_size(except); i++)
		if (strcmp(json_string_value(json_array_get(except, i)), path) == 0)
			return true;
	return false;
}

/* Whether the commit has just that there. */
static bool is_of_commit(const struct sum *sum, const char *path, struct span content)
{
	git_tree_entry *entry = NULL;
	git_oid id;
	bool same = git_tree_entry_bypath(&entry, sum->tree, path) == 0 &&
		    git_odb_hash(&id, content.data, content.length, GIT_OBJECT_BLOB) == 0 &&
		    git_oid_equal(&id, git_tree_entry_id(entry));

	git_tree_entry_free(entry);
	return same;
}

static int add(void *owner, const char *path, mode_t mode, struct span content)
{
	struct sum *sum = owner;
	const uint8_t kind = S_ISLNK(mode) ? 'l' : mode & 0100 ? 'x' : 'f';
	const struct span parts[] = {
		{ (const uint8_t *)path, strlen(path) + 1 }, { &kind, 1 }, content,
	};
	char text[SHA256_TEXT_BYTES];

	if (is_of_commit(sum, path, content))
		return 0;
	sha256_text(parts, COUNT(parts), text);
	text[16] = '\0';
	sum->value += strtoull(text, NULL, 16);	/* a sum: in any order */
	sum->files++;
	return 0;
}

int artefacts_hash(const git_commit *commit, const char *copy, const json_t *except,
		   json_int_t *ret, json_int_t *ret_files, struct error *why)
{
	struct sum sum = { .except = except };
	const struct walk walk = { .owner = &sum, .skips = is_excepted, .take = add, .why = why };
	git_tree *tree;
	AUTO_CLOSE int folder = copy_open(copy, why);

	if (folder < 0)
		return folder;
	if (git_commit_tree(&tree, commit) < 0)
		return git_failure("commit", why);
	sum.tree = tree;
	int r = walk_files(&walk, folder);

	git_tree_free(tree);
	if (r < 0)
		return r;
	*ret = (json_int_t)(sum.value & INT64_MAX);
	*ret += *ret == 0;
	*ret_files = sum.files;
	return 0;
}
