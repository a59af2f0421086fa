/*
 * init.h - process 1 inside: builds the walls, starts the command, reaps.
 *
 * It runs the launcher's own code after clone3(2), so it executes nothing and
 * parses nothing; what it is told is the plan and, later, signals to pass on.
 */
#ifndef CUPEL_SANDBOX_INIT_H
#define CUPEL_SANDBOX_INIT_H

struct sandbox_plan;

/*
 * The life of process 1; control is its end of the control socket. Never
 * returns: when the command has ended, so does everything else inside.
 */
_Noreturn void init_main(const struct sandbox_plan *plan, int control);

#endif
