#include "common/wire/packet.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
	char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int packet_send(int socket, const void *record, size_t size, const int *fds,
		size_t fd_count)
{
	union ancillary ancillary = { { 0 } };
	struct iovec part = { (void *)(uintptr_t)record, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header;

	assert(fd_count <= PACKET_FDS_MAX);
	if (fd_count) {
		message.msg_control = ancillary.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* How many came; room for fewer than that was kept from us by the kernel. */
static size_t descriptors_of(struct msghdr *message, int ret[PACKET_FDS_MAX])
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t bytes;

	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return 0;
	bytes = header->cmsg_len - CMSG_LEN(0);
	assert(bytes <= PACKET_FDS_MAX * sizeof(int));
	memcpy(ret, CMSG_DATA(header), bytes);
	return bytes / sizeof(int);
}

static ssize_t receive(int socket, struct msghdr *message)
{
	size_t room = message->msg_controllen;
	ssize_t length = recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length >= 0 || errno != ECONNRESET)
		return length;
	message->msg_controllen = room;
	return recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

int packet_receive(int socket, void *ret, size_t size, int *ret_fds,
		   size_t fds_most)
{
	union ancillary ancillary;
	struct iovec part = { ret, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = ancillary.bytes,
				  .msg_controllen = sizeof(ancillary) };
	int fds[PACKET_FDS_MAX];
	ssize_t length = receive(socket, &message);

	for (size_t i = 0; i < fds_most; i++)
		ret_fds[i] = -1;
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	size_t count = descriptors_of(&message, fds);
	bool good = (size_t)length == size && count <= fds_most &&
		    !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));

	for (size_t i = 0; i < count; i++)
		if (good)
			ret_fds[i] = fds[i];
		else
			close(fds[i]);
	return good ? 1 : length == 0 && count == 0 ? -EPIPE : -EBADMSG;
}
