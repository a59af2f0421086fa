/*
 * workspace_file.h - cupel.conf of a workspace: what to test, measure, tune.
 *
 *	protect = { "tests" }		what no change may touch
 *	build { command = "make -j2" }
 *	test unit { command = "make check"  format = tap }
 *	benchmark parse {
 *		command = "./parse big.json"
 *		warmup = 1
 *		metric time { from = time  better = lower }
 *		metric rate { from = stdout  pattern = "([0-9.]+) MB/s"
 *			better = higher  unit = MB/s  target = 200 }
 *	}
 *	knob level { values = { "-O1", "-O2", "-O3" }  variable = CFLAGS
 *		current = "-O2" }
 *	knob block { kind = file  least = 512  most = 65536  scale = log
 *		file = "src/io.h"  pattern = "#define BLOCK ([0-9]+)" }
 *	guard parse.rss { tolerance = 5 }
 *	improve { metric = parse.time }
 *
 * The file belongs to the workspace, that is, to whoever wrote the code in
 * it. It can ask for commands to be run confined and for nothing else: no row
 * names a policy, a mount, a limit beyond time, or a network. It is read by
 * the worker that has neither files nor network. A command of one item that
 * holds a blank is a line for sh(1); several items are the arguments as they
 * are.
 *
 * Source of the regular expressions: regex(7), extended.
 */
#ifndef CUPEL_WORKERS_IMPROVE_WORKSPACE_FILE_H
#define CUPEL_WORKERS_IMPROVE_WORKSPACE_FILE_H

#include "common/config.h"

#define WORKSPACE_FILE_NAME "cupel.conf"
#define WORKSPACE_TESTS_MAX 64
#define WORKSPACE_BENCHMARKS_MAX 16
#define WORKSPACE_METRICS_MAX 8		/* of one benchmark */
#define WORKSPACE_KNOBS_MAX 32
#define WORKSPACE_VALUES_MAX 32		/* of one knob */
#define WORKSPACE_GUARDS_MAX 16

enum test_format { TEST_AUTO, TEST_TAP, TEST_JUNIT, TEST_EXIT, TEST_FORMAT_COUNT };

struct workspace_test {
	const char *title;
	struct config_list command;
	int64_t timeout_ns;
	unsigned format;		/* enum test_format */
	const char *report;		/* file the command writes; "": stdout */
	struct config_list tags;
	struct config_list files;	/* globs of what it depends on; none: anything */
	bool holdout;			/* run only to validate, never to search */
};

/* Where a benchmark's number comes from. */
enum metric_from {
	FROM_STDOUT, FROM_FILE,	/* by pattern or JSON path */
	FROM_TIME,			/* wall time, measured by us */
	FROM_CPU,			/* user and system time */
	FROM_RSS,			/* peak resident bytes */
	FROM_INSTRUCTIONS,		/* of user space, where the machine counts them */
	FROM_COUNT
};

struct workspace_metric {
	const char *title;
	unsigned from;			/* enum metric_from */
	const char *file;
	const char *pattern;		/* one group: the number */
	const char *json;		/* path as json_get() takes it */
	const char *unit;
	unsigned better;		/* 0 lower, 1 higher */
	double target;			/* NAN: none */
	double min_effect;		/* percent that is worth having */
};

struct workspace_benchmark {
	const char *title;
	struct config_list command;
	int64_t warmup;			/* runs before the first that counts */
	int64_t timeout_ns;
	struct config_blocks metrics;	/* struct workspace_metric */
};

enum knob_kind { KNOB_ENV, KNOB_FILE };
enum knob_scale { SCALE_LINEAR, SCALE_LOG };
enum knob_semantics { SEMANTICS_SAFE, SEMANTICS_RELAXED, SEMANTICS_UNSAFE };

struct workspace_knob {
	const char *title;
	unsigned kind;			/* enum knob_kind */
	const char *variable;		/* environment variable; "": the title */
	const char *file, *pattern;	/* one group: the value */
	const char *current;		/* of an environment variable */
	struct config_list values;	/* or a range: */
	double least, most, step;	/* NAN: none */
	unsigned scale;			/* enum knob_scale */
	bool integer;
	bool ordered;			/* neighbours in the list are alike */
	unsigned semantics;		/* enum knob_semantics, of all values but: */
	struct config_list relaxed, unsafe;
	bool build_only;		/* tests and benchmarks do not see it */
	const char *when;		/* "KNOB=VALUE": means something only then */
};

struct workspace_guard {
	const char *title;		/* "BENCHMARK.METRIC" */
	double tolerance;		/* percent it may get worse */
	bool hard;
};

struct workspace_file {
	struct config_list protect;
	struct {
		struct config_list command;
		int64_t timeout_ns;
	} build;
	struct {
		const char *metric;	/* "BENCHMARK.METRIC"; "": the only one */
		unsigned semantics;	/* the weakest that may be tried */
		double confidence;	/* must be exceeded to apply unasked */
		double gain;		/* percent, likewise */
		int64_t daily;		/* fewer applied in 24 hours, likewise */
		int64_t rounds;		/* candidates measured while searching */
		int64_t pairs;		/* at most, in one decision */
	} improve;
	struct config_blocks tests;		/* struct workspace_test */
	struct config_blocks benchmarks;	/* struct workspace_benchmark */
	struct config_blocks knobs;		/* struct workspace_knob */
	struct config_blocks guards;		/* struct workspace_guard */
};

extern const struct config_section workspace_sections[];
extern const size_t workspace_section_count;

/*
 * Reads the text of a file of that name (for errors). -EINVAL with file, line
 * and the permitted form. What ret points at lives as long as config, which
 * the caller releases, also after an error.
 */
int workspace_file_parse(struct config *config, struct workspace_file *ret,
			 const char *name, struct span text, struct error *why);

#define METRIC_NAME_BYTES (2 * CONFIG_TITLE_BYTES_MAX + 2)

/* BENCHMARK.METRIC, as everywhere outside. */
void workspace_metric_name(const struct workspace_benchmark *benchmark,
			   const struct workspace_metric *metric,
			   char ret[METRIC_NAME_BYTES]);

/*
 * "BENCHMARK.METRIC" to its two rows; "" is the only metric there is. -ENOENT,
 * or -EINVAL where "" is not clear.
 */
int workspace_file_metric(const struct workspace_file *file, const char *name,
			  const struct workspace_benchmark **ret_benchmark,
			  const struct workspace_metric **ret_metric,
			  struct error *why);

#endif
