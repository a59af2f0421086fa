#include "sandbox/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define READS_PER_TURN 16

/* Blocks while the caller's terminal is full, as a terminal does. */
static void show(struct terminal *terminal, const uint8_t *data, size_t length)
{
	terminal->shown_bytes += length;
	while (length) {
		ssize_t n = write(terminal->output, data, length);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
}

/* Whether there may be more. EIO: the last process closed the slave. */
static bool show_once(struct terminal *terminal)
{
	uint8_t bytes[4096];
	ssize_t length = read(terminal->master, bytes, sizeof(bytes));

	if (length > 0)
		show(terminal, bytes, (size_t)length);
	return length > 0;
}

static void on_command(void *owner, uint32_t events, int64_t now_ns)
{
	struct terminal *terminal = owner;
	int reads = 0;

	(void)now_ns;
	while (reads < READS_PER_TURN && show_once(terminal))
		reads++;
	if (reads == 0 && (events & (EPOLLHUP | EPOLLERR)))
		loop_remove(terminal->loop, &terminal->from_command);
}

/* What the command does not take at once waits; nothing more is read then. */
static void type(struct terminal *terminal)
{
	ssize_t n = write(terminal->master, terminal->typed, terminal->typed_length);

	if (n <= 0)
		return;
	terminal->typed_length -= (size_t)n;
	memmove(terminal->typed, terminal->typed + n, terminal->typed_length);
}

static void on_caller(void *owner, uint32_t events, int64_t now_ns)
{
	struct terminal *terminal = owner;
	size_t room = sizeof(terminal->typed) - terminal->typed_length;
	ssize_t length;

	(void)events;
	(void)now_ns;
	length = room ? read(terminal->input, terminal->typed + terminal->typed_length,
			     room) : 0;
	if (length > 0) {
		terminal->typed_length += (size_t)length;
	} else if (room) {	/* the end of a piped input is typed as Ctrl-D */
		loop_remove(terminal->loop, &terminal->from_caller);
		terminal->typed[terminal->typed_length++] = 4;
	}
	type(terminal);
}

static int open_pair(struct terminal *terminal, int *ret_slave, struct error *why)
{
	AUTO_CLOSE int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return error_set(why, -errno, "open a pseudo-terminal: %s", strerror(errno));
	/* By the master itself: no path, no race with what is in /dev/pts. */
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (slave < 0)
		return error_set(why, -errno, "open its slave: %s", strerror(errno));
	terminal->master = fd_take(&master);
	*ret_slave = slave;
	return 0;
}

static void make_raw(struct terminal *terminal)
{
	struct termios raw;

	terminal->was_terminal = tcgetattr(terminal->input, &terminal->saved) == 0;
	if (!terminal->was_terminal)
		return;
	raw = terminal->saved;
	cfmakeraw(&raw);
	tcsetattr(terminal->input, TCSADRAIN, &raw);
}

int terminal_open(struct terminal *terminal, struct loop *loop, int input,
		  int output, int *ret_slave, struct error *why)
{
	*terminal = (struct terminal){ .input = input, .output = output };
	int r = open_pair(terminal, ret_slave, why);

	if (r < 0)
		return r;
	terminal->loop = loop;
	terminal_resize(terminal);
	terminal->from_command = (struct loop_source){
		.fd = terminal->master, .ready = on_command, .owner = terminal };
	terminal->from_caller = (struct loop_source){
		.fd = input, .ready = on_caller, .owner = terminal };
	r = loop_add(loop, &terminal->from_command, EPOLLIN, why);
	/* A regular file cannot be watched, but is always ready: typed at once. */
	if (r == 0 && loop_add(loop, &terminal->from_caller, EPOLLIN, NULL) < 0)
		on_caller(terminal, 0, 0);
	if (r == 0)
		make_raw(terminal);
	return r;
}

void terminal_resize(struct terminal *terminal)
{
	struct winsize size;

	if (ioctl(terminal->input, TIOCGWINSZ, &size) == 0)
		ioctl(terminal->master, TIOCSWINSZ, &size);
}

void terminal_close(struct terminal *terminal)
{
	while (show_once(terminal))
		;
	if (terminal->was_terminal)
		tcsetattr(terminal->input, TCSADRAIN, &terminal->saved);
	close(terminal->master);
}
