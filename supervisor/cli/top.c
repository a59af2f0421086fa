/*
 * cupel top: the snapshot of cupel status, drawn anew each second.
 *
 * A picture is put together in memory and goes out by one write, line over
 * line, each cleared to its end: nothing is blanked first, so nothing flickers.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/snapshot.h"

#define PERIOD_NS NS_PER_S
#define SCREEN_ON "\033[?1049h\033[?25l"
#define SCREEN_OFF "\033[?25h\033[?1049l"

struct screen {
	struct termios before;
	int signal_fd;
	int rows, columns;
	bool colours;
	struct connection *connection;
	json_t *status;			/* the newest; or NULL */
	double ended, ended_per_s;
	int64_t taken_ns;
	struct error why;		/* while there is none */
};

/* ---- the terminal ---- */

static void measure(struct screen *screen)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen->rows = size.ws_row > 2 ? size.ws_row : 24;
	screen->columns = size.ws_col > 10 ? size.ws_col : 80;
}

static int open_screen(struct screen *screen)
{
	struct termios raw;
	struct table look;
	sigset_t set;

	table_init(&look, stdout, 0, 0);
	screen->colours = look.colours;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	screen->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signal_fd < 0 || tcgetattr(STDIN_FILENO, &screen->before) < 0)
		return -errno;
	raw = screen->before;
	raw.c_lflag &= (tcflag_t)~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(SCREEN_ON, stdout);
	measure(screen);
	return 0;
}

static void close_screen(struct screen *screen)
{
	fputs(SCREEN_OFF, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	close(screen->signal_fd);
}

/* As much of a line as fits; its colours take no room. */
static void put_line(FILE *out, const char *line, size_t length, int columns)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c == '\033') {
			size_t end = i + strcspn(line + i, "m");

			for (; i < end && i < length; i++)
				fputc(line[i], out);
			fputc('m', out);
			continue;
		}
		if ((c & 0xc0) != 0x80 && columns-- <= 0)
			break;
		fputc(c, out);
	}
	fputs("\033[0m\033[K", out);
}

static void show(const struct screen *screen, const char *picture)
{
	AUTO_FREE char *bytes = NULL;
	size_t length;
	FILE *out = open_memstream(&bytes, &length);

	if (!out)
		return;
	fputs("\033[H", out);
	for (int row = 0; *picture && row < screen->rows; row++) {
		size_t line = strcspn(picture, "\n");

		if (row > 0)
			fputs("\r\n", out);
		put_line(out, picture, line, screen->columns);
		picture += line + (picture[line] == '\n');
	}
	fputs("\033[J", out);
	fclose(out);
	fwrite(bytes, 1, length, stdout);
	fflush(stdout);
}

/* ---- the picture ---- */

static void print_title(const struct screen *screen, FILE *out)
{
	time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
	char text[16] = "";
	struct tm local;

	if (localtime_r(&now, &local))
		strftime(text, sizeof(text), "%H:%M:%S", &local);
	fprintf(out, "cupel top  %s  %.0f calls/s  (q quits)\n", text, screen->ended_per_s);
}

static void draw(const struct screen *screen)
{
	AUTO_FREE char *picture = NULL;
	size_t length;
	FILE *out = open_memstream(&picture, &length);

	if (!out)
		return;
	const struct table look = {
		.out = out, .terminal = true, .colours = screen->colours,
		.width = screen->columns,
	};

	print_title(screen, out);
	if (screen->status) {
		snapshot_print_supervisor(out, screen->status);
		snapshot_print_pools(&look, screen->status);
		snapshot_print_tools(&look, screen->status);
		snapshot_print_workers(&look, screen->status);
	} else {
		fputc('\n', out);
		table_wrap(&look, 0, screen->why.text);
	}
	fclose(out);
	show(screen, picture);
}

/* ---- what it is drawn from ---- */

static void forget(struct screen *screen)
{
	json_decref(screen->status);
	screen->status = NULL;
}

static void take(struct screen *screen, json_t *status, int64_t now_ns)
{
	const json_t *calls = json_object_get(status, "calls");
	double ended = member_number(calls, "ok") + member_number(calls, "failed");
	double seconds = (double)(now_ns - screen->taken_ns) / (double)NS_PER_S;

	screen->ended_per_s = screen->status && seconds > 0 && ended >= screen->ended ?
			      (ended - screen->ended) / seconds : 0;
	screen->ended = ended;
	screen->taken_ns = now_ns;
	forget(screen);
	screen->status = status;
}

/* A supervisor that is gone is looked for again each time. */
static void refresh(struct screen *screen)
{
	json_t *status;
	int r = 0;

	if (!screen->connection)
		r = connect_open(false, &screen->connection, &screen->why);
	if (r == 0)
		r = ask_router_json(screen->connection, "router.status", NULL, &status,
				    &screen->why);
	if (r == 0) {
		take(screen, status, clock_now_ns());
		return;
	}
	connect_cleanup(&screen->connection);
	screen->connection = NULL;
	forget(screen);
}

/* ---- the verb ---- */

/* False: it is to end. */
static bool on_input(struct screen *screen, const struct pollfd fds[2])
{
	struct signalfd_siginfo signal;
	char key;

	if (fds[0].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
		return false;
	if (!fds[1].revents || read(screen->signal_fd, &signal, sizeof(signal)) < 0)
		return true;
	if (signal.ssi_signo != SIGWINCH)
		return false;
	measure(screen);
	return true;
}

static void watch(struct screen *screen)
{
	struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { screen->signal_fd, POLLIN, 0 } };
	int64_t next_ns = 0;
	bool going = true;

	while (going) {
		int64_t now_ns = clock_now_ns();

		if (deadline_passed(next_ns, now_ns)) {
			refresh(screen);
			next_ns = deadline_after(now_ns, PERIOD_NS);
		}
		draw(screen);
		if (poll(fds, COUNT(fds), (int)(deadline_remaining(next_ns, now_ns) /
						NS_PER_MS) + 1) > 0)
			going = on_input(screen, fds);
	}
}

int cli_top(const struct verb *verb, int argc, char **argv)
{
	struct screen screen = { 0 };

	(void)argv;
	if (argc != 1)
		return cli_refuse_usage(verb);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fputs("cupel: top needs a terminal; 'cupel status' needs none\n", stderr);
		return EXIT_USAGE;
	}
	if (open_screen(&screen) < 0) {
		fprintf(stderr, "cupel: the terminal: %s\n", strerror(errno));
		return EXIT_IO;
	}
	watch(&screen);
	close_screen(&screen);
	forget(&screen);
	connect_cleanup(&screen.connection);
	return EXIT_OK;
}

void cli_top_explain(FILE *out)
{
	fputs("\nDrawn anew each second; q quits. Tools that were never called are left out.\n",
	      out);
}
