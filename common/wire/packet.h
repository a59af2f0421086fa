/*
 * packet.h - a record of a fixed size as one packet, and descriptors with it.
 *
 * The sockets are SOCK_SEQPACKET, unix(7). Neither function waits; both leave
 * SIGPIPE out. A packet of another size, or with more descriptors than are
 * wanted, is refused whole: nothing of it stays open.
 *
 * A peer that closes its end without having read all we sent leaves behind
 * ECONNRESET, once, in front of what it had said before: that is passed over,
 * for a dying peer's last words count.
 */
#ifndef CUPEL_COMMON_WIRE_PACKET_H
#define CUPEL_COMMON_WIRE_PACKET_H

#include <stddef.h>

#define PACKET_FDS_MAX 2

/* 0 or a negative errno (-EAGAIN: no room); the descriptors stay the caller's. */
int packet_send(int socket, const void *record, size_t size, const int *fds,
		size_t fd_count);

/*
 * 1 with the record in ret; 0 when there is none now, or a signal came; -EPIPE
 * at the end, after all that was said; -EBADMSG for a packet that was refused;
 * or another negative errno. Each of ret_fds is a descriptor, close-on-exec, or
 * -1, which they are whenever the answer is not 1.
 */
int packet_receive(int socket, void *ret, size_t size, int *ret_fds,
		   size_t fds_most);

#endif
