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
#define CTRL_D 4

/* ---- from the command to the caller ---- */

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

/* ---- from the caller to the command ---- */

/*
 * The caller is read only when all before has been typed. The end of an input
 * that is no terminal is typed as Ctrl-D, which ends a line that has none and
 * is then needed once more, termios(3).
 */
static void read_caller(struct terminal *terminal)
{
	ssize_t length = read(terminal->input, terminal->typed, sizeof(terminal->typed));

	if (length > 0) {
		terminal->typed_length = (size_t)length;
		terminal->last = terminal->typed[length - 1];
	} else if (length == 0 || (errno != EINTR && errno != EAGAIN)) {
		memset(terminal->typed, CTRL_D, 2);
		terminal->typed_length = terminal->last == '\n' ? 1 : 2;
		terminal->caller_ended = true;
	}
}

/* False if the command has to take some first. */
static bool type(struct terminal *terminal)
{
	ssize_t n = write(terminal->master, terminal->typed, terminal->typed_length);

	if (n <= 0)
		return false;
	terminal->typed_length -= (size_t)n;
	memmove(terminal->typed, terminal->typed + n, terminal->typed_length);
	return terminal->typed_length == 0;
}

/* While something is to be typed the command is waited for, else the caller. */
static void wait_for_one(struct terminal *terminal)
{
	bool file_left = terminal->is_file && !terminal->caller_ended;
	bool types = !terminal->command_gone && (terminal->typed_length || file_left);
	bool listens = !types && !terminal->is_file && !terminal->caller_ended;

	if (types != terminal->types && !terminal->command_gone)
		loop_modify(terminal->loop, &terminal->from_command,
			    EPOLLIN | (types ? EPOLLOUT : 0), NULL);
	if (listens && !terminal->listens)
		loop_add(terminal->loop, &terminal->from_caller, EPOLLIN, NULL);
	else if (!listens && terminal->listens)
		loop_remove(terminal->loop, &terminal->from_caller);
	terminal->types = types;
	terminal->listens = listens;
}

static void hand_on(struct terminal *terminal, bool readable)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (!terminal->typed_length && readable && !terminal->caller_ended)
			read_caller(terminal);
		readable = terminal->is_file;
		if (!terminal->typed_length || !type(terminal))
			break;
	}
	wait_for_one(terminal);
}

static void on_caller(void *owner, uint32_t events, int64_t now_ns)
{
	(void)events;
	(void)now_ns;
	hand_on(owner, true);
}

/* ---- the pair ---- */

static void on_command(void *owner, uint32_t events, int64_t now_ns)
{
	struct terminal *terminal = owner;
	int reads = 0;

	(void)now_ns;
	while (reads < READS_PER_TURN && show_once(terminal))
		reads++;
	if (reads == 0 && (events & (EPOLLHUP | EPOLLERR))) {
		loop_remove(terminal->loop, &terminal->from_command);
		terminal->command_gone = true;
		terminal->typed_length = 0;
		wait_for_one(terminal);
	} else if (events & EPOLLOUT) {
		hand_on(terminal, terminal->is_file);
	}
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
	if (r < 0)
		return r;
	terminal->listens = loop_add(loop, &terminal->from_caller, EPOLLIN, NULL) == 0;
	terminal->is_file = !terminal->listens;	/* nor is /dev/null to be watched */
	wait_for_one(terminal);
	make_raw(terminal);
	return 0;
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
