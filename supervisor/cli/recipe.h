/*
 * recipe.h - what kind of project a folder holds, and a first cupel.conf.
 *
 *	CMakeLists.txt	configure.ac	package.json	Makefile
 *	     |               |               |             |
 *	     +----- build, test, bench as that kind has them -----+
 *
 * The first kind of that order whose file is there. Targets and scripts count
 * only if the file declares them; a compiler level that stands there once
 * becomes a knob. Pure: the caller looks at the disk.
 */
#ifndef CUPEL_SUPERVISOR_CLI_RECIPE_H
#define CUPEL_SUPERVISOR_CLI_RECIPE_H

#include <stdbool.h>
#include <stdio.h>

#define RECIPE_MARKERS_MAX 4
#define RECIPE_FOLDERS_MAX 8

struct recipe {
	const char *name;			/* "CMake" */
	const char *markers[RECIPE_MARKERS_MAX];	/* files, any of which tells */
	const char *build, *test, *bench;	/* commands */
	const char *test_target, *bench_target;	/* "" or what has to be declared for it */
	const char *test_options;		/* further lines of the test block */
};

/* What is in the folder. */
struct project {
	const struct recipe *recipe;
	const char *file;		/* the marker that was found */
	const char *text;		/* what is in it */
	const char *folders[RECIPE_FOLDERS_MAX];	/* of recipe_folders that exist */
	size_t folder_count;
};

extern const struct recipe recipes[];
extern const size_t recipe_count;

/* Folders that hold tests or benchmarks by their names; NULL at the end. */
extern const char *const recipe_folders[];

/* Whether the file declares a target of make, or a script of npm. */
bool recipe_declares(const struct project *project, const char *target);

/* The file, with comments; whether it has a test. */
bool recipe_write(const struct project *project, FILE *out);

#endif
