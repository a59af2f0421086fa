/*
 * tree.h - the end of a command and of everything it has left behind.
 *
 * The worker is made the reaper of its descendants: whatever loses its parent
 * becomes a child of ours, is waited for, and its use of processor and memory
 * counted. Below a sandbox's init nothing else lives but that init, so one
 * kill(2) of all is meant and enough. Elsewhere (a tier without namespaces, a
 * test) only what can be shown to be a descendant is killed, level by level.
 * Sources: kill(2), PR_SET_CHILD_SUBREAPER in prctl(2), pid_namespaces(7),
 * /proc/pid/task/tid/children in proc(5).
 */
#ifndef CUPEL_WORKERS_JOB_TREE_H
#define CUPEL_WORKERS_JOB_TREE_H

#include <sys/resource.h>
#include <sys/types.h>

struct error;

/* Once, before the first command. */
int tree_init(struct error *why);

/* Kills what is left, of the process group of that number and beyond. */
void tree_kill(pid_t group);

/*
 * The same, and waits until none is left; usage is what was used already, and
 * what the others have used is added to it.
 */
void tree_end(pid_t group, struct rusage *usage);

#endif
