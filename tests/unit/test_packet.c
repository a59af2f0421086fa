#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/wire/packet.h"

struct record {
	uint64_t words[4];
};

static const struct record said = { { 1, 2, 3, 4 } };
static int ends[2];

static int connect_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int close_ends(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* The number the next descriptor would have: the same again if none was left. */
static int next_fd(void)
{
	int fd = dup(ends[0]);

	close(fd);
	return fd;
}

static void record_and_descriptors_arrive(void **state)
{
	struct record got;
	int fds[2], most = next_fd();

	(void)state;
	assert_int_equal(packet_receive(ends[0], &got, sizeof(got), fds, 2), 0);
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), (int[]){ ends[0], 0 }, 2), 0);
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), (int[]){ 0 }, 1), 0);
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), NULL, 0), 0);
	for (int count = 2; count >= 0; count--) {
		memset(&got, 0, sizeof(got));
		assert_int_equal(packet_receive(ends[0], &got, sizeof(got), fds, 2), 1);
		assert_memory_equal(&got, &said, sizeof(got));
		for (int i = 0; i < 2; i++) {
			assert_int_equal(fds[i] >= 0, i < count);
			if (fds[i] >= 0)
				assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	assert_int_equal(packet_receive(ends[0], &got, sizeof(got), fds, 2), 0);
	assert_int_equal(next_fd(), most);
}

static void what_was_not_agreed_on_is_refused_whole(void **state)
{
	static const struct {
		const char *name;
		size_t bytes, fds, wanted;
	} cases[] = {
		{ "too short", sizeof(said) - 1, 0, 0 },
		{ "too short, with a descriptor", 1, 1, 1 },
		{ "too long", sizeof(said) + 1, 0, 2 },
		{ "too long, with descriptors", sizeof(said) + 1, 2, 2 },
		{ "a descriptor nobody wants", sizeof(said), 1, 0 },
		{ "one more than is wanted", sizeof(said), 2, 1 },
		{ "a descriptor without a record", 0, 1, 1 },
	};
	char bytes[sizeof(said) + 1] = "";
	struct record got;
	int fds[2] = { 7, 7 }, most = next_fd();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(packet_send(ends[1], bytes, cases[i].bytes,
					     (int[]){ 0, ends[1] }, cases[i].fds), 0);
		test_row(packet_receive(ends[0], &got, sizeof(got), fds, cases[i].wanted) ==
			 -EBADMSG, "%s is taken", cases[i].name);
		test_row(next_fd() == most, "%s: a descriptor stays open", cases[i].name);
		for (size_t n = 0; n < cases[i].wanted; n++)
			assert_int_equal(fds[n], -1);
	}
}

/* More than there is room for never becomes a descriptor of ours. */
static void a_heap_of_descriptors_is_refused(void **state)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} ancillary = { { 0 } };
	struct iovec part = { (void *)(uintptr_t)&said, sizeof(said) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = ancillary.bytes,
				  .msg_controllen = sizeof(ancillary.bytes) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	struct record got;
	int fds[2], most = next_fd();

	(void)state;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(8 * sizeof(int));	/* 8 times descriptor 0 */
	assert_int_equal(sendmsg(ends[1], &message, 0), sizeof(said));
	assert_int_equal(packet_receive(ends[0], &got, sizeof(got), fds, 2), -EBADMSG);
	assert_int_equal(next_fd(), most);
}

/* The kernel tells of what the peer did not read before what the peer said. */
static void last_words_of_one_that_did_not_listen_are_heard(void **state)
{
	struct record got = { { 0 } };
	int fd;

	(void)state;
	assert_int_equal(packet_send(ends[0], &said, sizeof(said), NULL, 0), 0);
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), (int[]){ 0 }, 1), 0);
	close(ends[1]);
	assert_int_equal(packet_receive(ends[0], &got, sizeof(got), &fd, 1), 1);
	assert_memory_equal(&got, &said, sizeof(got));
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(packet_receive(ends[0], &got, sizeof(got), &fd, 1), -EPIPE);
	ends[1] = dup(ends[0]);	/* for the end of the test */
}

static void failures_are_told(void **state)
{
	struct record got;

	(void)state;
	assert_int_equal(packet_receive(-1, &got, sizeof(got), NULL, 0), -EBADF);
	assert_int_equal(packet_send(-1, &said, sizeof(said), NULL, 0), -EBADF);
	while (packet_send(ends[1], &said, sizeof(said), NULL, 0) == 0)
		;
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), NULL, 0), -EAGAIN);
	close(ends[0]);
	assert_int_equal(packet_send(ends[1], &said, sizeof(said), NULL, 0), -ECONNRESET);
	ends[0] = dup(ends[1]);
}

#define ON_ENDS(test) cmocka_unit_test_setup_teardown(test, connect_ends, close_ends)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ON_ENDS(record_and_descriptors_arrive),
		ON_ENDS(what_was_not_agreed_on_is_refused_whole),
		ON_ENDS(a_heap_of_descriptors_is_refused),
		ON_ENDS(last_words_of_one_that_did_not_listen_are_heard),
		ON_ENDS(failures_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
