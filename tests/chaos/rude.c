/*
 * rude - a client that breaks one rule of the link, and tells what came of it.
 *
 *	rude SOCKET RULE [SECONDS]
 *	rude SOCKET enter WORKSPACE TOOL WORD...
 *	rude SOCKET hoard DIRECTORY SECONDS
 *	rude SOCKET flood SECONDS
 *
 * Prints "closed" if the router ended the link within SECONDS (default 5),
 * "open" if it did not; exits with 1 if it never came so far. What each rule is
 * stands in the table below.
 *
 * The second calls TOOL with {"argv": [WORD...]} in a workspace by its number,
 * whoever has registered that, and prints how the call ended: "ok", or another
 * code.
 *
 * The third registers DIRECTORY as often as it may, makes as many links as it may,
 * and prints how often and how many; then asks for SECONDS, as quickly as it is
 * answered, to forget what is not there, and prints how often that was.
 *
 * The fourth calls tools that there are not, on a hundred links, as quickly as they
 * are read, and prints how often that was.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/core/deadline.h"
#include "common/core/error_code.h"
#include "common/wire/client.h"
#include "common/wire/control.h"
#include "common/wire/packet.h"

static uint8_t bytes[FRAME_BYTES_MAX];

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(int fd, const uint8_t *data, size_t length)
{
	must(send(fd, data, length, MSG_NOSIGNAL) == (ssize_t)length, "send");
}

static size_t encode(const struct message *message)
{
	struct error why;
	int length = message_encode(message, bytes, sizeof(bytes), &why);

	if (length < 0) {
		printf("encode: %s\n", why.text);
		exit(1);
	}
	return (size_t)length;
}

static void tell(int fd, struct message message)
{
	say(fd, bytes, encode(&message));
}

static struct message hello(void)
{
	return (struct message){ .kind = MESSAGE_HELLO, .hello = {
		.major = MESSAGE_MAJOR,
		.name = message_text_of("rude"), .build = message_text_of("test"),
	} };
}

/* Of a tool that takes {"bytes": 67108864}, more than any credit here, or any other. */
static struct message call(uint64_t id)
{
	static const uint8_t input[] = "\x81\xa5" "bytes\xce\x04\x00\x00\x00";

	return (struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = clock_now_ns() + 60 * NS_PER_S,
		.call = { .tool = message_text_of("echo.flood"), .attempt = 1 },
		.body = { input, sizeof(input) - 1 },
	};
}

static void greet(int fd)
{
	tell(fd, hello());
	must(recv(fd, bytes, sizeof(bytes), 0) > 0, "no welcome");
}

/* ---- the rules ---- */

static void be_garbage(int fd)
{
	memset(bytes, 0xff, 64);
	say(fd, bytes, 64);
}

static void be_garbage_later(int fd)
{
	greet(fd);
	be_garbage(fd);
}

static void be_oversized(int fd)
{
	greet(fd);
	say(fd, (const uint8_t *)"\x00\x05\x00\x00\x9b\x40", 6);
}

static void be_truncated(int fd)
{
	struct message message = call(1);

	greet(fd);
	say(fd, bytes, encode(&message) - 7);
	shutdown(fd, SHUT_WR);
}

static void be_early(int fd)
{
	tell(fd, call(1));
}

static void greet_twice(int fd)
{
	greet(fd);
	tell(fd, hello());
}

static void be_the_router(int fd)
{
	greet(fd);
	tell(fd, (struct message){ .kind = MESSAGE_RESULT, .call_id = 1,
				   .result = { .attempts = 1 } });
}

static void call_twice(int fd)
{
	greet(fd);
	tell(fd, call(1));
	tell(fd, call(1));
}

static void be_unknown(int fd)
{
	greet(fd);
	say(fd, (const uint8_t *)"\x00\x00\x00\x05\x94\x32\x00\x00\x00", 9);
}

static void speak_another_version(int fd)
{
	struct message message = hello();

	message.hello.major = MESSAGE_MAJOR + 1;
	tell(fd, message);
}

static void say_nothing(int fd)
{
	(void)fd;
}

/* Calls and takes back, far more often than anybody may. */
static void take_back(int fd)
{
	greet(fd);
	for (uint64_t id = 1; id <= 1000; id++) {
		struct message message = call(id);

		send(fd, bytes, encode(&message), MSG_NOSIGNAL);
		message = (struct message){ .kind = MESSAGE_CANCEL, .call_id = id };
		if (send(fd, bytes, encode(&message), MSG_NOSIGNAL) < 0)
			return;		/* it need not be told all of it */
	}
}

/* Calls for bytes, and credit without end, but never takes any. */
static void read_nothing(int fd)
{
	struct pollfd full = { .fd = fd, .events = POLLOUT };

	greet(fd);
	for (uint64_t id = 1; id <= 16; id++)
		tell(fd, call(id));
	for (int i = 0; i < 16 && poll(&full, 1, 100) == 1; i++)
		for (uint64_t id = 1; id <= 16; id++)
			tell(fd, (struct message){ .kind = MESSAGE_CREDIT,
						   .call_id = id, .credit = { 65536 } });
}

static const struct rule {
	const char *name;
	void (*breaks)(int fd);
	bool deaf;		/* what comes is left where it is */
} rules[] = {
	{ "garbage", be_garbage, false },
	{ "garbage-later", be_garbage_later, false },
	{ "oversized", be_oversized, false },
	{ "truncated", be_truncated, false },
	{ "early", be_early, false },
	{ "greets-twice", greet_twice, false },
	{ "router", be_the_router, false },
	{ "calls-twice", call_twice, false },
	{ "unknown", be_unknown, false },
	{ "version", speak_another_version, false },
	{ "silent", say_nothing, false },
	{ "takes-back", take_back, false },
	{ "deaf", read_nothing, true },
};

/* A deaf one learns of the end by the hang-up alone. */
static bool is_closed(int fd, bool deaf, int64_t until_ns)
{
	struct pollfd wait = { .fd = fd, .events = deaf ? 0 : POLLIN };
	ssize_t n;

	while (clock_now_ns() < until_ns) {
		if (poll(&wait, 1, 50) <= 0)
			continue;
		if (deaf)
			return wait.revents & (POLLHUP | POLLERR);
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			return true;
	}
	return false;
}

/* ---- in whatever workspace ---- */

/* {"argv": WORDS} as MessagePack: at most 15, each shorter than 256 bytes. */
static struct span pack(char **words, int count)
{
	size_t length = 7;

	memcpy(bytes, "\x81\xa4" "argv", 6);
	bytes[6] = (uint8_t)(0x90 | count);
	for (int i = 0; i < count; i++) {
		bytes[length++] = 0xd9;
		bytes[length++] = (uint8_t)strlen(words[i]);
		memcpy(bytes + length, words[i], strlen(words[i]));
		length += strlen(words[i]);
	}
	return (struct span){ bytes, length };
}

static int enter(int fd, char **words, int count)
{
	static struct client client;
	struct client_event event = { 0 };
	struct client_ask ask = {
		.tool = words[1], .input = pack(words + 2, count - 2),
		.workspace = (uint32_t)strtoul(words[0], NULL, 10),
		.deadline_ns = clock_now_ns() + 60 * NS_PER_S,
	};
	struct error why;
	uint64_t call;
	int r = client_init(&client, fd, "rude", &why);

	if (r == 0)
		r = client_call(&client, &ask, &call, &why);
	while (r == 0 && event.kind != CLIENT_RESULT)
		r = client_wait(&client, -1, DEADLINE_NEVER, &event);
	puts(r < 0 ? "lost" : error_row((int)event.result.code)->name);
	return r < 0;
}

static void reach(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, path);
}

/* ---- all that there is of workspaces ---- */

static bool is_answered(int fd, uint32_t release, int directory,
			struct workspace_answer *ret)
{
	const struct workspace_ask ask = { WORKSPACE_MAGIC, release };

	return packet_send(fd, &ask, sizeof(ask), &directory, directory >= 0) == 0 &&
	       recv(fd, ret, sizeof(*ret), 0) == sizeof(*ret);
}

static int hoard(const char *path, const char *name, int seconds)
{
	int directory = open(name, O_PATH | O_DIRECTORY);
	int first = socket(AF_UNIX, SOCK_SEQPACKET, 0), fd;
	unsigned places = 0, links = 0, times = 0;
	struct workspace_answer answer;
	int64_t until_ns;

	must(directory >= 0, name);
	reach(first, path);
	while (is_answered(first, 0, directory, &answer) && answer.error == 0)
		places++;
	do {
		fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		reach(fd, path);
		links++;
	} while (is_answered(fd, UINT32_MAX, -1, &answer));
	printf("%u %u\n", places, links);
	fflush(stdout);
	until_ns = clock_now_ns() + seconds * NS_PER_S;
	while (clock_now_ns() < until_ns && is_answered(first, UINT32_MAX, -1, &answer))
		times++;
	printf("%u\n", times);
	return 0;
}

/* ---- as many calls as are read ---- */

#define LINKS 100
#define BURST 1500	/* calls in a row, which may come again: none of them lasts */

static size_t encode_burst(uint8_t *ret, size_t room)
{
	char tool[] = "no.such.tool.and.none.whose.name.is.anything.like.it";
	size_t length = 0;
	struct error why;

	for (uint64_t id = 1; id <= BURST; id++) {
		const struct message call = {
			.kind = MESSAGE_CALL, .call_id = id,
			.deadline_ns = clock_now_ns() + 60 * NS_PER_S,
			.call = { .tool = message_text_of(tool), .attempt = 1 } };
		int r = message_encode(&call, ret + length, room - length, &why);

		must(r > 0, "encode");
		length += (size_t)r;
	}
	return length;
}

static void drain(int fd)
{
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static int flood(const char *path, int seconds)
{
	static uint8_t burst[BURST * 256];
	const size_t length = encode_burst(burst, sizeof(burst));
	struct pollfd links[LINKS];
	size_t at[LINKS] = { 0 }, sent = 0;
	int64_t until_ns;

	for (size_t i = 0; i < LINKS; i++) {
		links[i] = (struct pollfd){ socket(AF_UNIX, SOCK_STREAM, 0), POLLIN | POLLOUT, 0 };
		reach(links[i].fd, path);
		greet(links[i].fd);
	}
	until_ns = clock_now_ns() + seconds * NS_PER_S;
	while (clock_now_ns() < until_ns && poll(links, LINKS, 100) >= 0)
		for (size_t i = 0; i < LINKS; i++) {
			ssize_t n;

			if (links[i].revents & POLLIN)
				drain(links[i].fd);
			if (!(links[i].revents & POLLOUT))
				continue;
			n = send(links[i].fd, burst + at[i], length - at[i],
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			at[i] = n > 0 ? (at[i] + (size_t)n) % length : at[i];
			sent += n > 0 ? (size_t)n : 0;
		}
	printf("%zu\n", sent / (length / BURST));
	return 0;
}

int main(int argc, char **argv)
{
	int seconds = argc > 3 ? atoi(argv[3]) : 5;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc > 5 && strcmp(argv[2], "enter") == 0) {
		reach(fd, argv[1]);
		return enter(fd, argv + 3, argc - 3);
	}
	if (argc > 4 && strcmp(argv[2], "hoard") == 0)
		return hoard(argv[1], argv[3], atoi(argv[4]));
	if (argc > 3 && strcmp(argv[2], "flood") == 0)
		return flood(argv[1], seconds);
	for (size_t i = 0; argc > 2 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(rules[i].name, argv[2]) != 0)
			continue;
		reach(fd, argv[1]);
		rules[i].breaks(fd);
		puts(is_closed(fd, rules[i].deaf,
			       clock_now_ns() + seconds * NS_PER_S) ? "closed" : "open");
		return 0;
	}
	fprintf(stderr, "usage: rude SOCKET RULE [SECONDS], enter WORKSPACE TOOL WORD..., "
			"hoard DIRECTORY SECONDS, or flood SECONDS\n");
	return 1;
}
