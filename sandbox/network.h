/*
 * network.h - empty networks: a namespace with nothing but loopback, up.
 *
 * One costs a third of a millisecond and some 200 KiB, and going away takes
 * the kernel as long again (network_namespaces(7)). A launcher that may enter
 * namespaces therefore makes a few beforehand and lends each to one sandbox at
 * a time: it goes in around its clone3(2), so that the sandbox is born inside
 * of a network it has no right over. It is lent again only when every process
 * of the last borrower is gone, and every socket with them.
 */
#ifndef CUPEL_SANDBOX_NETWORK_H
#define CUPEL_SANDBOX_NETWORK_H

struct error;

/* The network namespace the caller is in, as a descriptor; or -errno. */
int network_own(void);

/*
 * Moves the caller into a new one and returns it likewise. Never touches errno:
 * it may run beside a process whose memory it shares.
 */
int network_make(void);

/* Moves the caller. 0 or -errno. */
int network_enter(int network);

#endif
