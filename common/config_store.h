/*
 * config_store.h - settings in memory, between the parser and the caller.
 *
 * Owns the strings, lists and blocks that settings point at, and remembers
 * which file had the last word on a member, and where. No file and no syntax
 * in here.
 */
#ifndef CUPEL_COMMON_CONFIG_STORE_H
#define CUPEL_COMMON_CONFIG_STORE_H

#include "common/config.h"

/* A file's word on a member. */
struct config_set {
	struct config_set *next;
	const void *member;
	const char *file;	/* the same pointer in all sets of one parse */
	unsigned line;
};

/*
 * Where a section's rows lie: in the settings, or in the block of that title,
 * which is made, at its defaults, when it is first spoken of. -EINVAL if the
 * title is not allowed or one too many, or -ENOMEM.
 */
int config_find_base(struct config *config,
		     const struct config_section *section,
		     struct config_titles titles, void **ret,
		     struct error *why);

/* Who set a member; NULL: nobody, it has its default. */
struct config_set *config_find_set(const struct config *config,
				   const void *member);

/* Remembers that file and line set a member. -ENOMEM. */
int config_note_set(struct config *config, const void *member, const char *file,
		    unsigned line, struct error *why);

/*
 * Gives a member the value that a file's text stands for; a list takes one
 * more item. -EINVAL and a sentence without a subject, or -ENOMEM. Only the
 * most of a list is checked: it may yet grow.
 */
int config_set_member(struct config *config, const struct config_row *row,
		      void *member, const char *text, struct error *why);

#endif
