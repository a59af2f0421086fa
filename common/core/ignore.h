/*
 * ignore.h - which paths the .gitignore files of a tree exclude.
 *
 *	# comment	a line of its own; \# and \! begin a name instead
 *	name		at any depth below the file's directory
 *	a/name, /name	only there: a slash not at the end anchors
 *	name/		directories only
 *	!name		includes again what an earlier line excluded
 *	name\ 		a trailing space counts only when escaped
 *	**  *  ?  [a]	as in common/core/glob.h
 *
 * The last line that matches decides, a deeper file over a shallower one.
 * What lies in an excluded directory stays excluded, whatever later lines say.
 * A malformed line matches nothing, as in git.
 *
 * Files form a stack: push them from the root downwards; a walk pushes on
 * entering a directory and pops on leaving it. Paths are relative to the
 * root of the tree, without leading, trailing or doubled slashes.
 *
 * Pure. Everything is compiled into the three arrays of the caller, who keeps
 * them as long as the struct is used.
 *
 * Source: gitignore(5). Where git 2.39 goes beyond it, it is not followed:
 * git lets the stars of "name**" cross directories, its manual does not.
 */
#ifndef CUPEL_COMMON_CORE_IGNORE_H
#define CUPEL_COMMON_CORE_IGNORE_H

#include "common/core/glob.h"

struct ignore_rule {
	struct glob glob;	/* over paths below the file's directory */
	bool includes;
	bool directories_only;
};

struct ignore_file {
	struct span directory;	/* empty for the root; in memory */
	size_t rule_first;
	size_t memory_first;
};

struct ignore {
	struct ignore_file *files;	/* the caller's, as all three */
	size_t file_count;
	size_t file_capacity;
	struct ignore_rule *rules;
	size_t rule_count;
	size_t rule_capacity;
	uint8_t *memory;
	size_t memory_used;
	size_t memory_bytes;
};

/* The arrays and their capacities are set by the caller, the counts to 0. */
void ignore_init(struct ignore *ignore);

/*
 * Adds the file whose lines are content, found in directory (empty for the
 * root). Returns the number of rules in it, or -ENOSPC if one of the arrays
 * is full; nothing is added then. Borrows neither span.
 */
int ignore_push_file(struct ignore *ignore, struct span directory,
		     struct span content);

/* Forgets the file pushed last; there must be one. */
void ignore_pop_file(struct ignore *ignore);

/*
 * Whether path is excluded, given that its directory is not: what a walk
 * asks, which never enters an excluded directory.
 */
bool ignore_excludes_entry(const struct ignore *ignore, struct span path,
			   bool is_directory);

/* Whether path or a directory on the way to it is excluded. */
bool ignore_excludes_path(const struct ignore *ignore, struct span path,
			  bool is_directory);

#endif
