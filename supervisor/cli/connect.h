/*
 * connect.h - find the supervisor, or start one.
 *
 *	CUPEL_RUN	that one, and no other
 *	else		one's own, else the system's if its socket may be used,
 *			else, where the verb wants one, a new one of one's own
 *
 * A socket counts only if the process behind it is root's or one's own
 * (SO_PEERCRED, unix(7)): anybody can make a directory in /tmp. A supervisor
 * started here is cupeld as found beside this very program; it is nobody's
 * child, holds no terminal, and leaves when it is idle. Several starters at
 * once are safe: all but one cupeld find its lock taken, leave with
 * EXIT_BUSY, and every starter waits for the socket of the one.
 */
#ifndef CUPEL_SUPERVISOR_CLI_CONNECT_H
#define CUPEL_SUPERVISOR_CLI_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/places.h"
#include "common/wire/client.h"

#define CONNECT_TIMEOUT_NS (5 * NS_PER_S)
/* Of one that lives, but does not serve yet; what has died is told at once. */
#define START_TIMEOUT_NS (20 * NS_PER_S)

struct connection {
	struct places places;	/* of the supervisor at the other end */
	struct client client;	/* welcomed */
	bool start;		/* if it is gone before it is asked anything, another */
	int workspace_fd;	/* the last that was registered; -1: none */
	bool left;		/* it went before it was asked, with what was registered */
};

/*
 * Connects and greets. -ENOENT: no supervisor runs, and none was wanted or
 * could be started; -EACCES: it is not for this user. The connection is on the
 * heap: connect_close().
 */
int connect_open(bool start, struct connection **ret, struct error *why);
void connect_close(struct connection *connection);

/* For cleanup: takes the address of the pointer, which may be NULL. */
void connect_cleanup(struct connection **connection);
#define AUTO_DISCONNECT __attribute__((cleanup(connect_cleanup)))

/*
 * Hands a directory to the supervisor. Returns a descriptor to keep open for
 * as long as the number is used. No other supervisor knows that number: if this
 * one leaves before it is asked anything, connection->left says so, and all is to
 * be done once more.
 */
int connect_workspace(struct connection *connection,
		      const char *directory, uint32_t *ret_number,
		      struct error *why);

/* The same of an open directory; the name is for the error. */
int connect_workspace_at(struct connection *connection, int directory,
			 const char *name, uint32_t *ret_number, struct error *why);

#endif
