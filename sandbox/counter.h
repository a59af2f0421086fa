/*
 * counter.h - how many instructions a command has executed.
 *
 * A counter of the process that opens it and of all it starts from then on,
 * beginning with the first exec: of user space, all processors, the kernel's
 * count. Opened before the filter, which refuses foreign code the call; who
 * must not touch it does not get the descriptor. read(2) gives a uint64_t.
 * Source: perf_event_open(2).
 */
#ifndef CUPEL_SANDBOX_COUNTER_H
#define CUPEL_SANDBOX_COUNTER_H

/* -errno where processor, kernel or kernel.perf_event_paranoid have none. */
int counter_open(void);

#endif
