/*
 * metric.h - the numbers of one run of a benchmark.
 */
#ifndef CUPEL_WORKERS_IMPROVE_METRIC_H
#define CUPEL_WORKERS_IMPROVE_METRIC_H

#include "workers/improve/command.h"

/*
 * Reads one metric of a run that succeeded: what we measured, or what the run
 * wrote, by pattern or JSON path. -ENODATA with the reason and the way out if
 * there is no such number, or it is negative.
 */
int metric_read(const struct workspace_metric *metric,
		const struct command_outcome *outcome, double *ret,
		struct error *why);

/* A new list of the files that the benchmark's metrics read, each once. */
json_t *benchmark_files(const struct workspace_benchmark *benchmark);

#endif
