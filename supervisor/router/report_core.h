/*
 * report_core.h - what the router tells of itself: JSON for people's tools,
 * and the text format of Prometheus.
 *
 * cupel.status/1, cupel.health/1 and cupel.tools/1 are read by the CLI. Sources
 * of the text format: prometheus.io, exposition formats, version 0.0.4.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_REPORT_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_REPORT_CORE_H

#include "supervisor/router/state_core.h"
#include "supervisor/router/writer_core.h"

void report_status(struct router *router, struct writer *writer,
		   int64_t now_ns);
void report_health(struct router *router, struct writer *writer,
		   int64_t now_ns);
void report_tools(struct router *router, struct writer *writer,
		  int64_t now_ns);
void report_metrics(struct router *router, struct writer *writer,
		    int64_t now_ns);

/* Everything together, as health_core.h orders it. */
enum health_status report_health_status(const struct router *router,
					int64_t now_ns);

#endif
