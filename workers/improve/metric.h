/*
 * metric.h - one run of a benchmark, and its numbers.
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

/*
 * Makes the sandbox of a run, which command_end() lets go on and reads. environment
 * is borrowed, or NULL.
 */
int benchmark_begin(struct session *session, const struct workspace_benchmark *benchmark,
		    uint32_t workspace, json_t *environment, struct ask *ret,
		    struct error *why);

#endif
