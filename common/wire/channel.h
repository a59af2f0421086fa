/*
 * channel.h - messages to and from one peer over a stream socket.
 *
 *	channel_send ---> [ out: bounded ] -- channel_flush ---> socket
 *	channel_receive <-- [ in: bounded ] <-- reads when empty -- socket
 *
 * Nothing here blocks, waits or allocates. Sending queues; one flush writes
 * all that is queued in one system call. Only a long body behind which nothing
 * is queued goes at once, as far as the socket takes it, and is not copied.
 * Receiving hands out what is buffered and reads only when no whole frame is
 * left: a turn of a loop costs a read and a write, however many messages it moves.
 *
 * The channel keeps the state of the link and checks every message, both
 * ways, against kind.c before anyone sees it. Body bytes are metered: the
 * link's credit here, on both ends, the call's by whoever owns the call.
 *
 * What the peer does wrong ends the channel: the error is kept in why and
 * returned for ever, and the peer finds its stream shut. A peer that is gone
 * ends sending at once, receiving only after the last whole frame it sent:
 * whether a call was accepted must be known after a crash.
 *
 * Uses send(2) and recv(2), which ask for no SIGPIPE and no blocking by
 * themselves: O_NONBLOCK belongs to whoever else holds the descriptor, too.
 */
#ifndef CUPEL_COMMON_WIRE_CHANNEL_H
#define CUPEL_COMMON_WIRE_CHANNEL_H

#include "common/buffer.h"
#include "common/core/credit.h"
#include "common/wire/message.h"

/* Each buffer holds at least the largest frame. */
#define CHANNEL_BUFFER_BYTES_MIN FRAME_BYTES_MAX

struct channel {
	int fd;
	enum link_direction sends;	/* and receives the reverse */
	enum link_state state;
	int receive_error, send_error;	/* 0, or returned for ever */
	bool drained;			/* the last read emptied the socket */
	size_t taken;			/* bytes of the frame handed out last */
	struct buffer in, out;
	uint64_t sent;			/* bytes that the socket has taken */
	struct credit send_credit, receive_credit;
	size_t consumed;		/* received, used up, not granted again */
	struct error why;		/* of receive_error */
};

/*
 * Takes over the descriptor of a connected stream socket, and two empty
 * buffers whose storage outlives the channel.
 */
void channel_init(struct channel *channel, int fd, enum link_direction sends,
		  struct buffer in, struct buffer out);

/* Closes the descriptor; what is queued is lost. */
void channel_release(struct channel *channel);

/*
 * Queues one message. The body of a data kind takes from the link's credit
 * and from call, which only they need. -EAGAIN if buffer or credit is short:
 * try again after a flush or a CREDIT. -EPERM and -EBADMSG blame the caller and
 * leave the channel as it was. -EPIPE: the peer is gone, or told to go.
 */
int channel_send(struct channel *channel, const struct message *message,
		 struct credit *call, struct error *why);

/*
 * Writes what is queued. 0 when nothing is left, -EAGAIN when the socket takes
 * no more for now (wait for EPOLLOUT), -EPIPE when the peer is gone, or
 * another negative errno; the queue is then dropped.
 */
int channel_flush(struct channel *channel);

/*
 * Takes the next message, which borrows from the channel until the next call
 * of this function. -EAGAIN: wait for EPOLLIN; it may come without a read when
 * the last one emptied the socket, so receive until it comes. -EPIPE: the peer
 * is gone or said GOAWAY, and all it sent has been received. Anything else is
 * explained in channel->why, as a rule the peer's fault. Extensions are
 * skipped, and CREDIT for the link is kept.
 */
int channel_receive(struct channel *channel, struct message *ret);

/* Whether the next receive finds a frame without reading: do not wait first. */
bool channel_pending(const struct channel *channel);

/* That many body bytes received are used up; a flush grants them again. */
void channel_consume(struct channel *channel, size_t body_bytes);

/* Whether a flush would grant credit, which the peer may wait for. */
bool channel_grants(const struct channel *channel);

/* What to wait for: EPOLLIN, EPOLLOUT, both or neither. */
uint32_t channel_events(const struct channel *channel);

#endif
