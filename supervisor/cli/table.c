#include "supervisor/cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define WIDTH_LEAST 60
#define WIDTH_MOST 100
#define NOTE_INDENT 2

static bool wants_colours(int fd)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int width_of(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH_DEFAULT;
	return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST :
	       size.ws_col > WIDTH_MOST	 ? WIDTH_MOST : size.ws_col;
}

void table_init(struct table *table, FILE *out, int name_width, int state_width)
{
	*table = (struct table){
		.out = out,
		.terminal = isatty(fileno(out)),
		.colours = wants_colours(fileno(out)),
		.width = width_of(fileno(out)),
		.name_width = name_width,
		.state_width = state_width,
	};
}

void table_wrap(const struct table *table, int start, const char *text)
{
	int column = start;

	while (*text) {
		int length = (int)strcspn(text, " ");

		if (column > start && column + 1 + length > table->width) {
			fprintf(table->out, "\n%*s", start, "");
			column = start;
		} else if (column > start) {
			fputc(' ', table->out);
			column++;
		}
		fprintf(table->out, "%.*s", length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', table->out);
}

void table_row(const struct table *table, const char *name, const char *state,
	       enum table_tone tone, const char *text)
{
	static const char *const colours[] = { "", "\033[32m", "\033[33m", "\033[31m" };
	bool coloured = table->colours && tone != TABLE_PLAIN;

	fprintf(table->out, "%-*s  %s%-*s%s  ", table->name_width, name,
		coloured ? colours[tone] : "", table->state_width, state,
		coloured ? "\033[0m" : "");
	table_wrap(table, table->name_width + table->state_width + 4, text);
}

void table_note(const struct table *table, const char *label, const char *text)
{
	table_wrap(table, fprintf(table->out, "%*s%s: ", NOTE_INDENT, "", label), text);
}
