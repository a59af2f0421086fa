/*
 * config.h - settings in files: sections of rows, read strictly.
 *
 *	# A comment runs to the end of its line.
 *	log {
 *		level = info		a word, or "text", or 'text as it is'
 *		file_size = 10M		a size in bytes, K, M, G, T: 1024 apiece
 *		keep = 90s		a duration, in ns, us, ms, s, m, h or d
 *		share = 0.5		a number
 *	}
 *	tool make {			a titled section: any number of blocks
 *		command = { "make", "-s" }	a list
 *		target all {		a titled section inside of its blocks
 *			jobs = 2
 *		}
 *	}
 *
 * A table says what may be written: a section is a row that names its rows. A
 * setting's row names a member of the caller's struct, its type, range,
 * default, unit and help; parsing, checking and everything config_print.h
 * prints come from it. Text is UTF-8, a string ends on its line, "..." knows
 * the escapes \n \t \" \\ \$, and ${...} is an error outside of '...'. Within one
 * file a setting is set once and a title used once; a later file may set again
 * what an earlier one set.
 *
 * The parser is libconfuse, which keeps its state in globals: one parse at a
 * time in a process. Only config.c knows it, and guards what it lets pass
 * without a word: blocks and comments that never end, settings set twice,
 * characters it drops, the environment in values, "log|level" as a name.
 *
 * Sources: libconfuse 3.3 manual; run-parts(8) for conf.d.
 */
#ifndef CUPEL_COMMON_CONFIG_H
#define CUPEL_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/span.h"

#define CONFIG_BYTES_MAX (1024 * 1024)	/* of one file */
#define CONFIG_MEMORY_BYTES_MAX (16 * CONFIG_BYTES_MAX)
#define CONFIG_KEY_BYTES 256
#define CONFIG_TITLE_BYTES_MAX 64
#define CONFIG_TITLE_CHARACTERS                                                \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum config_type {
	CONFIG_INT,
	CONFIG_SIZE,		/* bytes */
	CONFIG_DURATION,	/* nanoseconds */
	CONFIG_REAL,
	CONFIG_BOOL,
	CONFIG_ENUM,
	CONFIG_STRING,
	CONFIG_LIST,
	CONFIG_TYPE_COUNT
};

struct config_list {
	const char *const *items;
	size_t count;
};

/* The member a row of each type names; strings and items borrow from config. */
union config_value {
	int64_t INT, SIZE, DURATION;
	double REAL;		/* NAN for "none", where that is the default */
	bool BOOL;
	unsigned ENUM;		/* the place among the row's choices */
	const char *STRING;
	struct config_list LIST;
};

struct config_row {
	const char *name;
	enum config_type type;	/* with offset: SETTING */
	size_t offset;
	int64_t least, most;	/* of a number, a string's bytes, a list's items */
	const char *standard;	/* the default as a file has it; "" of a list */
	const char *unit;	/* of an INT or a REAL, in the plural */
	const char *help;	/* a sentence */
	const char *const *choices; /* of an ENUM, ends with NULL */
};

/* Type and place of a member; refuses one of another C type. */
#define SETTING(structure, member, kind)                                      \
	CONFIG_##kind,                                                        \
	offsetof(structure, member) +                                         \
		0 * sizeof(&((structure *)0)->member ==                       \
			   &((union config_value *)0)->kind)

/* The blocks of a titled section: an array of structs. */
struct config_blocks {
	void *items;
	size_t count;
};

/*
 * A single section's rows lie in the caller's struct and all have a default;
 * the name "", of the first section only, is for settings outside of any. A
 * titled section names a struct config_blocks there, and its rows lie in a
 * block: a struct of block_bytes whose first member is const char *title. A
 * block's row with standard NULL has no default: it must be set in every block.
 * A titled section inside of another stands behind it in the table, has a
 * name of its own, and its struct config_blocks lies in the outer's block.
 */
struct config_section {
	const char *name;
	const struct config_section *inside;	/* titled, top-level; or NULL */
	const char *help;
	const struct config_row *rows;
	size_t row_count;
	size_t block_bytes;	/* 0: single */
	size_t blocks_offset;
	size_t blocks_max;
};

struct config {
	const struct config_section *sections;
	size_t section_count;
	void *settings; /* the caller's, filled in place */
	struct arena memory;	/* of the strings, lists and blocks in settings */
	struct config_set *sets;
};

/*
 * Fills settings with every default. The tables and settings must outlive the
 * config, and what settings point at is gone after config_release(). After an
 * error of any function below, settings are half-filled: release and give up.
 */
void config_init(struct config *config, const struct config_section *sections,
		 size_t section_count, void *settings);
void config_release(struct config *config);

/*
 * Reads settings from memory; name stands for the file in errors. -EINVAL if
 * the text is refused; the reason is "name:line: ...", the first one found.
 */
int config_parse(struct config *config, const char *name, struct span text,
		 struct error *why);

/*
 * Reads a regular file of at most CONFIG_BYTES_MAX. Other errors are those of
 * open(2) and read(2), with the path.
 */
int config_read(struct config *config, const char *path, struct error *why);

/*
 * Reads a file, then every *.conf in the directory conf.d beside it, in the
 * order of strcmp(3). There need be no such directory.
 */
int config_load(struct config *config, const char *path, struct error *why);

/* Of the block a setting stands in and of the block around that. */
struct config_titles {
	const char *own;	/* NULL in a single section */
	const char *outer;	/* NULL at top level */
};

/* A setting in force and where it comes from. */
struct config_entry {
	const struct config_section *section;
	struct config_titles titles;
	const struct config_row *row;
	const void *member;
	const char *file; /* NULL: the default; line 0: the same */
	unsigned line;
};

/* "log.level", "tool.make.command", or "tool.make.target.all.jobs". */
void config_key(const struct config_section *section,
		struct config_titles titles, const struct config_row *row,
		char ret[CONFIG_KEY_BYTES]);

/* Calls visit for every setting, in the order of the tables. */
void config_each(const struct config *config,
		 void (*visit)(void *context, const struct config_entry *entry),
		 void *context);

#endif
