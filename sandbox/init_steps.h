/*
 * init_steps.h - the steps by which process 1 inside builds the walls, and its
 * command's process gets ready: what they share.
 *
 * A step returns 0, or a negative errno after it has said why in init->why; what
 * fails ends the launch, and the launcher is told which step it was.
 */
#ifndef CUPEL_SANDBOX_INIT_STEPS_H
#define CUPEL_SANDBOX_INIT_STEPS_H

#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"
#include "sandbox/sandbox.h"

#define INIT_EXIT_SETUP_FAILED 125

/* Process 1's, shared with the command's process until its exec. */
struct init {
	const struct sandbox_plan *plan;
	int control;
	int upper;
	const char *overlay;	/* the workspace, where its changes are kept apart */
	int program;		/* as in the plan, where it has been moved to */
	int listener;
	long keyring;		/* serial of the joined one; -1: no keyrings */
	pid_t network_maker;	/* 0: the host's network is kept */
	int network;		/* what it made */
	pid_t command;
	struct sandbox_report report;
	struct error why;
};

struct init_step {
	const char *name;
	enum sandbox_phase phase;
	int (*run)(struct init *init);
};

/* The rows in order, timed by phase, until one fails: its errno, in the report too. */
int init_walk(struct init *init, const struct init_step *steps, size_t count);

/* -errno, with "what: the reason" as why. */
int init_failed(struct init *init, const char *what);

/* A step of both: nothing is open but what the command gets and what init keeps. */
int init_settle_descriptors(struct init *init);

/* All steps of process 1, in the plan's tier. */
int init_build_walls(struct init *init);

/* All steps of the command's process; returns only if one has failed. */
void init_become_command(struct init *init);

#endif
