#include "common/wire/channel.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"

#define AT_ONCE_BYTES_MIN 32768	/* of a body for which a system call is worth it */

/* ---- life ---- */

void channel_init(struct channel *channel, int fd, enum link_direction sends,
		  struct buffer in, struct buffer out)
{
	const struct credit link = { CREDIT_LINK_BYTES, CREDIT_LINK_BYTES };

	assert(in.capacity >= CHANNEL_BUFFER_BYTES_MIN);
	assert(out.capacity >= CHANNEL_BUFFER_BYTES_MIN);
	*channel = (struct channel){
		.fd = fd,
		.sends = sends,
		.in = in,
		.out = out,
		.send_credit = link,
		.receive_credit = link,
	};
}

void channel_release(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->receive_error = channel->send_error = -EPIPE;
}

/* Sending is over; what was received before is still handed out. */
static int end_sending(struct channel *channel, int error)
{
	buffer_consume(&channel->out, buffer_peek(&channel->out).length);
	channel->send_error = error;
	return error;
}

/* The peer broke the rules. It sees its stream shut; the number stays ours. */
static int end_for_cause(struct channel *channel, int error)
{
	channel->receive_error = error;
	end_sending(channel, error);
	channel->state = LINK_CLOSED;
	shutdown(channel->fd, SHUT_RDWR);
	return error;
}

/* ---- sending ---- */

/* Nothing went, nothing is lost; where memory is short, the next poll asks again. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

static int fail_to_send(struct channel *channel, int error)
{
	return end_sending(channel, error == ECONNRESET ? -EPIPE : -error);
}

static int queue(struct channel *channel, const struct message *message,
		 struct error *why)
{
	size_t room;
	uint8_t *place = buffer_reserve(&channel->out, FRAME_HEADER_BYTES +
					MESSAGE_OVERHEAD_BYTES_MAX +
					message->body.length, &room);
	int r;

	if (!place)
		return -EAGAIN;
	r = message_encode(message, place, room, why);
	if (r > 0)
		buffer_commit(&channel->out, (size_t)r);
	return r < 0 ? r : 0;
}

/* Past what is queued, which is nothing: a long body is not copied on its way. */
static int send_at_once(struct channel *channel, const struct message *message,
			struct error *why)
{
	uint8_t head[FRAME_HEADER_BYTES + MESSAGE_OVERHEAD_BYTES_MAX];
	struct iovec parts[] = {
		{ head, 0 },
		{ (uint8_t *)(uintptr_t)message->body.data, message->body.length },
	};
	int r = message_encode_head(message, head, sizeof(head), why);
	ssize_t written;
	size_t left;

	if (r < 0)
		return r;
	parts[0].iov_len = (size_t)r;
	written = sendmsg(channel->fd, &(struct msghdr){
		.msg_iov = parts, .msg_iovlen = COUNT(parts) },
		MSG_NOSIGNAL | MSG_DONTWAIT);
	if (written < 0 && !is_passing(errno))
		return fail_to_send(channel, errno);
	left = written < 0 ? 0 : (size_t)written;
	channel->sent += left;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct span part = { parts[i].iov_base, parts[i].iov_len };
		size_t gone = left < part.length ? left : part.length;

		left -= gone;
		part = span_skip(part, gone);
		buffer_append(&channel->out, part.data, part.length);
	}
	return 0;
}

int channel_send(struct channel *channel, const struct message *message,
		 struct credit *call, struct error *why)
{
	size_t body = message->body.length;
	int r;

	if (channel->send_error)
		return error_set(why, channel->send_error, "the peer is gone");
	if (channel->state == LINK_CLOSED)
		return error_set(why, -EPIPE, "the link is closed");
	r = message_permit(message->kind, channel->sends, channel->state, why);
	if (r < 0)
		return r;
	if (body > MESSAGE_BODY_BYTES_MAX)	/* would wait for ever */
		return error_set(why, -EBADMSG, "%s message: a body of %zu bytes",
				 message_kind_name(message->kind), body);
	if (!credit_covers(&channel->send_credit, body) ||
	    (call && !credit_covers(call, body)))
		return -EAGAIN;
	if (body >= AT_ONCE_BYTES_MIN && buffer_length(&channel->out) == 0)
		r = send_at_once(channel, message, why);
	else
		r = queue(channel, message, why);
	if (r < 0)
		return r;
	assert(call || body == 0);
	credit_take(&channel->send_credit, body);
	if (call)
		credit_take(call, body);
	channel->state = message_next_state(message->kind, channel->sends,
					    channel->state);
	return 0;
}

bool channel_grants(const struct channel *channel)
{
	return channel->consumed >= CREDIT_LINK_BYTES / 2 &&
	       channel->state != LINK_CLOSED;
}

/* Half a window at a time: seldom enough, and the peer need not stop. */
static void grant(struct channel *channel)
{
	struct message credit = {
		.kind = MESSAGE_CREDIT,
		.credit.bytes = (uint32_t)channel->consumed,
	};

	if (channel_send(channel, &credit, NULL, NULL) < 0)
		return;		/* still due at the next flush */
	credit_add(&channel->receive_credit, channel->consumed);
	channel->consumed = 0;
}

int channel_flush(struct channel *channel)
{
	struct span out;
	ssize_t written;

	if (channel_grants(channel))
		grant(channel);
	if (channel->send_error)
		return channel->send_error;
	out = buffer_peek(&channel->out);
	if (out.length == 0)
		return 0;

	written = send(channel->fd, out.data, out.length,
		       MSG_NOSIGNAL | MSG_DONTWAIT);
	if (written < 0 && is_passing(errno))
		return -EAGAIN;
	if (written < 0)
		return fail_to_send(channel, errno);
	buffer_consume(&channel->out, (size_t)written);
	channel->sent += (size_t)written;
	return (size_t)written == out.length ? 0 : -EAGAIN;
}

/* ---- receiving ---- */

static int end_of_stream(struct channel *channel, int error)
{
	channel->receive_error = error == -ECONNRESET ? -EPIPE : error;
	return error_set(&channel->why, channel->receive_error, "%s%s",
			 error == -EPIPE || error == -ECONNRESET
				 ? "the peer closed the stream"
				 : strerror(-error),
			 buffer_peek(&channel->in).length ? " inside a frame" : "");
}

/* One read; a short one has emptied the socket, so the next can be saved. */
static int fill(struct channel *channel)
{
	struct buffer *in = &channel->in;
	size_t room = in->capacity - buffer_peek(in).length;
	uint8_t *place = buffer_reserve(in, room, &room);
	ssize_t count;

	assert(room > 0);	/* a full one would hold a whole frame */
	count = recv(channel->fd, place, room, MSG_DONTWAIT);
	if (count < 0 && is_passing(errno))
		return -EAGAIN;
	if (count <= 0)
		return end_of_stream(channel, count < 0 ? -errno : -EPIPE);
	buffer_commit(in, (size_t)count);
	channel->drained = (size_t)count < room;
	return 0;
}

/* What arrived is charged to the link's credit; a grant for the link kept. */
static int account(struct channel *channel, const struct message *message)
{
	if (!credit_take(&channel->receive_credit, message->body.length))
		return error_set(&channel->why, -EBADMSG,
				 "%s message: %zu body bytes, credit for %zu",
				 message_kind_name(message->kind),
				 message->body.length,
				 channel->receive_credit.bytes);
	if (message->kind == MESSAGE_CREDIT && message->call_id == 0 &&
	    !credit_add(&channel->send_credit, message->credit.bytes))
		return error_set(&channel->why, -EBADMSG,
				 "credit message: more than the link's window");
	return 0;
}

/*
 * The next whole frame; its length in bytes, or a negative errno. One read at
 * most, lest a peer that floods us with what is skipped keep us here.
 */
static int next_frame(struct channel *channel, bool *may_read,
		      struct frame *ret)
{
	int r = frame_next(buffer_peek(&channel->in), ret);

	while (r == 0) {
		if (!*may_read) {
			channel->drained = false;
			return -EAGAIN;
		}
		*may_read = false;
		r = fill(channel);
		if (r < 0)
			return r;
		r = frame_next(buffer_peek(&channel->in), ret);
	}
	if (r > 0)
		return r;
	error_set(&channel->why, r, "a frame of impossible %s",
		  r == -EMSGSIZE ? "length" : "form");
	return end_for_cause(channel, r);
}

/* Judges and applies a frame: 1 if it is a message for the caller, else 0. */
static int take_frame(struct channel *channel, const struct frame *frame,
		      struct message *ret)
{
	enum link_direction receives = link_reverse(channel->sends);
	struct message message;
	int r = message_permit(frame->kind, receives, channel->state,
			       &channel->why);

	if (r == 0 && frame->kind >= FRAME_KIND_EXTENSION)
		return 0;
	if (r == 0)
		r = message_decode(frame, &message, &channel->why);
	if (r == 0)
		r = account(channel, &message);
	if (r != 0)
		return end_for_cause(channel, r);
	channel->state = message_next_state(frame->kind, receives,
					    channel->state);
	if (message.kind == MESSAGE_CREDIT && message.call_id == 0)
		return 0;
	*ret = message;
	return 1;
}

int channel_receive(struct channel *channel, struct message *ret)
{
	bool may_read = !channel->drained;
	struct frame frame;
	int length, r;

	buffer_consume(&channel->in, channel->taken);
	channel->taken = 0;
	do {
		if (channel->receive_error)
			return channel->receive_error;
		if (channel->state == LINK_CLOSED)
			return -EPIPE;
		length = next_frame(channel, &may_read, &frame);
		if (length < 0)
			return length;
		r = take_frame(channel, &frame, ret);
		if (r == 0)
			buffer_consume(&channel->in, (size_t)length);
	} while (r == 0);
	if (r < 0)
		return r;
	channel->taken = (size_t)length;
	return 0;
}

bool channel_pending(const struct channel *channel)
{
	struct frame unused;

	return !channel->receive_error && channel->state != LINK_CLOSED &&
	       frame_next(span_skip(buffer_peek(&channel->in), channel->taken),
			  &unused) != 0;
}

void channel_consume(struct channel *channel, size_t body_bytes)
{
	channel->consumed += body_bytes;
	assert(channel->consumed <= CREDIT_LINK_BYTES -
				    channel->receive_credit.bytes);
}

uint32_t channel_events(const struct channel *channel)
{
	bool reading = !channel->receive_error &&
		       channel->state != LINK_CLOSED;
	bool writing = !channel->send_error &&
		       (buffer_peek(&channel->out).length > 0 ||
			channel_grants(channel));

	return (reading ? EPOLLIN : 0U) | (writing ? EPOLLOUT : 0U);
}
