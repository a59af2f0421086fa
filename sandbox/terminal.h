/*
 * terminal.h - a pseudo-terminal between the caller's and the command.
 *
 *	caller's terminal (raw) <--> master | slave = 0, 1, 2 of the command
 *
 * The command leads its own session on its own terminal, so nothing it does
 * reaches the caller's but bytes. While it runs the caller's terminal is raw
 * and hands its size on; it is put back whatever the command does.
 *
 * Sources: pty(7), termios(3), ioctl_tty(2).
 */
#ifndef CUPEL_SANDBOX_TERMINAL_H
#define CUPEL_SANDBOX_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "common/loop.h"

struct error;

struct terminal {
	struct loop *loop;
	int master;
	int input, output;	/* the caller's */
	bool was_terminal;	/* input is one: saved holds how it was */
	bool is_file;		/* input cannot be watched: it is always ready */
	bool caller_ended, command_gone;
	struct termios saved;
	struct loop_source from_caller, from_command;
	bool listens, types;	/* which of the two is waited for */
	uint8_t typed[4096];	/* read from the caller, not yet taken */
	size_t typed_length;
	uint8_t last;		/* of what was read */
	uint64_t shown_bytes;
};

/*
 * Opens the pair and connects it; ret_slave is the caller's to close once the
 * command has it. 0 or -errno, the caller's terminal then untouched.
 */
int terminal_open(struct terminal *terminal, struct loop *loop, int input,
		  int output, int *ret_slave, struct error *why);

/* Hands on the caller's window size; on SIGWINCH. */
void terminal_resize(struct terminal *terminal);

/* Shows what the command still wrote and puts the caller's terminal back. */
void terminal_close(struct terminal *terminal);

#endif
