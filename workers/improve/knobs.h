/*
 * knobs.h - the declared settings as a space to search, and a point of it as a
 * change of the workspace.
 *
 *	knob { } --> struct space --> tuner --> config --> environment, files
 *
 * A knob in a file is the one group of its pattern, which must match exactly
 * once. A knob in the environment is applied by its `current` in cupel.conf,
 * see settle.h.
 * A change is text: the new content of each file, from the content the base
 * commit has, so the same config always gives the same bytes, and the inverse
 * is that content.
 */
#ifndef CUPEL_WORKERS_IMPROVE_KNOBS_H
#define CUPEL_WORKERS_IMPROVE_KNOBS_H

#include "common/json.h"
#include "workers/improve/space_core.h"
#include "workers/improve/workspace_file.h"

struct arena;
struct error;

#define KNOB_TEXT_BYTES 1025

/* A file of the base commit that a knob is in. */
struct knob_file {
	const char *path;
	const char *content;
	const char *sha256;		/* of content, in hex */
};

struct knobs {
	const struct workspace_file *file;
	struct space_parameter parameters[SPACE_PARAMETERS_MAX];
	enum space_class classes[SPACE_PARAMETERS_MAX][WORKSPACE_VALUES_MAX];
	struct space space;
	struct knob_file files[WORKSPACE_KNOBS_MAX + 1];
	size_t file_count;
};

/*
 * The files whose content the caller has to fetch before knobs_init(): their
 * paths are set, WORKSPACE_FILE_NAME last.
 */
void knobs_want(struct knobs *knobs, const struct workspace_file *file);

/*
 * Reads the present values and makes the space, which is empty without knobs:
 * enough to measure, and to take something back. -EINVAL for a pattern that
 * does not match once or a present value that is none of the values; the
 * error names knob, file, and the way out.
 */
int knobs_init(struct knobs *knobs, struct error *why);

/* -ENOENT with the way out where there is none to tune. */
int knobs_check_any(const struct knobs *knobs, struct error *why);

/*
 * Takes a value of a list, other than the present one, out of the space.
 * False where there is none such.
 */
bool knobs_avoid(struct knobs *knobs, const char *knob, const char *value);

/* The value of a level as text. */
void knobs_value(const struct knobs *knobs, size_t index, unsigned level,
		 char ret[KNOB_TEXT_BYTES]);

/* The environment that a config asks for: an object of texts, or NULL. */
json_t *knobs_environment(const struct knobs *knobs, const struct space_config *config);

/* The same without what only the build may see. */
json_t *knobs_run_environment(const struct knobs *knobs, const json_t *environment);

/*
 * The paths of the files that only build_only knobs are in. False if some
 * knob in the environment, or other, may be read while running: what was built
 * does then not say all.
 */
bool knobs_build_decides(const struct knobs *knobs, const struct space_config *config,
			 json_t *paths);

/*
 * The files a config changes: [{"path", "content", "before_sha256"}], the
 * caller's. With settled, WORKSPACE_FILE_NAME names the changed environment
 * knobs' values as present ones. -EBUSY with the way out where it cannot be made
 * to, or -ENOMEM.
 */
int knobs_files(const struct knobs *knobs, const struct space_config *config, bool settled,
		struct arena *arena, json_t **ret, struct error *why);

/* [{"knob", "kind", "file" or "variable", "from", "to"}] of what differs. */
json_t *knobs_changes(const struct knobs *knobs, const struct space_config *config);

/*
 * The setting that makes those changes to the present one. -EBUSY with the
 * reason where a knob has changed since, or is no longer declared.
 */
int knobs_config(const struct knobs *knobs, const json_t *changes,
		 struct space_config *ret, struct error *why);

/* "OPT: -O2 to -O3, BLOCK: 512 to 4096", or "nothing"; as by text_escape(). */
void knobs_describe(const struct knobs *knobs, const struct space_config *config,
		    char *ret, size_t size);

#endif
