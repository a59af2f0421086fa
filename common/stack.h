/*
 * stack.h - a stack that was deep once, and will not be for long.
 */
#ifndef CUPEL_COMMON_STACK_H
#define CUPEL_COMMON_STACK_H

/*
 * Gives back to the kernel what lies below the caller's frame, up to 128 KiB: no
 * memory of a process that waits, nor a place where something of what was stays.
 */
void stack_forget(void);

/*
 * Gives back what lies above frame, __builtin_frame_address(0) of a function that
 * never returns and has no pointer into its callers' frames any more; the strings
 * that execve(2) laid there stay.
 */
void stack_forget_above(void *frame);

#endif
