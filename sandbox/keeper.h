/*
 * keeper.h - a child that cleans up if its parent is killed.
 *
 * A killed launcher takes its namespaces along, and with them processes,
 * mounts and temporary files; a cgroup is the one thing that stays. The keeper
 * waits for the parent's end of a pipe to close without a word and then
 * removes what the parent left (cgroup_sweep()). It has its own group and no
 * other descriptor, so neither Ctrl-C nor a waiting reader ever meets it.
 *
 * It shares its parent's memory, as a copy would cost a tenth of a launch: it
 * writes to nothing but its stack and, after the parent's death, errno. What
 * it does then allocates nothing: the parent may have died inside malloc(3).
 */
#ifndef CUPEL_SANDBOX_KEEPER_H
#define CUPEL_SANDBOX_KEEPER_H

#include <sys/types.h>

struct error;

struct keeper {
	pid_t pid;		/* 0: none */
	int pipe;
	void *stack;
};

int keeper_start(struct keeper *ret, struct error *why);

/* Nothing is left to clean up: ends and reaps it. */
void keeper_dismiss(struct keeper *keeper);

#endif
