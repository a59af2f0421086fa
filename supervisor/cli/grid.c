#include "supervisor/cli/grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"

#define GAP 2
#define CELL_BYTES 1024
#define ELASTIC_LEAST 8
#define WRAPPED_LEAST 12

static const char *const colours_of_tone[] = {
	[TABLE_PLAIN] = "", [TABLE_GOOD] = "\033[32m",
	[TABLE_WARN] = "\033[33m", [TABLE_BAD] = "\033[31m",
};

void grid_init(struct grid *grid, const struct grid_column *columns,
	       size_t column_count)
{
	*grid = (struct grid){ .columns = columns, .column_count = column_count };
}

static bool make_room(struct grid *grid)
{
	size_t room = grid->room ? 2 * grid->room : 64;
	struct grid_cell *cells;

	if (grid->cell_count < grid->room)
		return true;
	cells = reallocarray(grid->cells, room, sizeof(*cells));
	if (!cells)
		return false;
	grid->cells = cells;
	grid->room = room;
	return true;
}

void grid_cell(struct grid *grid, enum table_tone tone, const char *format, ...)
{
	char raw[CELL_BYTES], text[CELL_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	text_escape(span_of_text(raw), text, sizeof(text));
	if (!make_room(grid)) {
		grid->short_of_memory = true;
		return;
	}
	grid->cells[grid->cell_count++] = (struct grid_cell){ strdup(text), tone };
}

/* Characters; what follows the first byte of one does not count. */
static int columns_of(const char *text)
{
	int columns = 0;

	for (; text && *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

static void measure(const struct grid *grid, int widths[GRID_COLUMNS_MAX])
{
	assert(grid->column_count > 0);
	for (size_t c = 0; c < grid->column_count; c++)
		widths[c] = columns_of(grid->columns[c].title);
	for (size_t i = 0; i < grid->cell_count; i++) {
		int *width = &widths[i % grid->column_count];
		int columns = columns_of(grid->cells[i].text);

		*width = columns > *width ? columns : *width;
	}
}

/* The column that wraps is the last one, if it is elastic; or SIZE_MAX. */
static size_t wrapping(const struct grid *grid)
{
	size_t last = grid->column_count - 1;

	return grid->columns[last].elastic ? last : SIZE_MAX;
}

/* The widest elastic column gives way, one character at a time. */
static void fit(const struct grid *grid, int widths[GRID_COLUMNS_MAX], int width)
{
	size_t wraps = wrapping(grid);

	for (;;) {
		int total = -GAP, *widest = NULL;

		for (size_t c = 0; c < grid->column_count; c++) {
			bool takes_what_is_left = c == wraps && widths[c] > WRAPPED_LEAST;

			total += (takes_what_is_left ? WRAPPED_LEAST : widths[c]) + GAP;
			if (grid->columns[c].elastic && c != wraps &&
			    widths[c] > ELASTIC_LEAST && (!widest || widths[c] > *widest))
				widest = &widths[c];
		}
		if (total <= width || !widest)
			return;
		--*widest;
	}
}

/* Whole characters; a text that is too long ends in "...". */
static void print_cut(FILE *out, const char *text, int width)
{
	bool cut = columns_of(text) > width;
	int left = cut ? width - 3 : width;

	for (; *text; text++) {
		bool starts = ((unsigned char)*text & 0xc0) != 0x80;

		if (starts && left-- == 0)
			break;
		fputc(*text, out);
	}
	if (cut)
		fputs("...", out);
}

/* Pads only what something follows, so that no line ends in blanks. */
static void print_cell(const struct grid *grid, size_t column, const char *text,
		       const char *colour, int width, FILE *out, int *pending)
{
	int columns = columns_of(text), blanks = columns < width ? width - columns : 0;
	bool right = grid->columns[column].right;

	if (*text) {
		fprintf(out, "%*s%s", *pending + (right ? blanks : 0), "", colour);
		print_cut(out, text, width);
		fputs(*colour ? "\033[0m" : "", out);
		*pending = 0;
	}
	*pending += GAP + (*text && right ? 0 : blanks);
}

/* As many cells as there are columns; NULL: the titles. */
static void print_row(const struct grid *grid, const struct grid_cell *cells,
		      const int widths[GRID_COLUMNS_MAX], const struct table *look)
{
	size_t wraps = look->terminal ? wrapping(grid) : SIZE_MAX;
	int pending = 0, start = 0;

	for (size_t c = 0; c < grid->column_count; c++) {
		const char *text = cells ? cells[c].text : grid->columns[c].title;
		bool coloured = cells && look->colours;

		text = text ? text : "?";
		if (c == wraps && *text) {
			fprintf(look->out, "%*s", pending, "");
			table_wrap(look, start, text);
			return;
		}
		print_cell(grid, c, text, coloured ? colours_of_tone[cells[c].tone] : "",
			   widths[c], look->out, &pending);
		start += widths[c] + GAP;
	}
	fputc('\n', look->out);
}

void grid_print(struct grid *grid, const struct table *look)
{
	int widths[GRID_COLUMNS_MAX];

	measure(grid, widths);
	if (look->terminal)
		fit(grid, widths, look->width);
	if (grid->cell_count)
		print_row(grid, NULL, widths, look);
	for (size_t i = 0; i < grid->cell_count; i += grid->column_count)
		print_row(grid, &grid->cells[i], widths, look);
	if (grid->short_of_memory)
		fputs("(cut: out of memory)\n", look->out);
	for (size_t i = 0; i < grid->cell_count; i++)
		free(grid->cells[i].text);
	free(grid->cells);
	grid->cells = NULL;
	grid->cell_count = grid->room = 0;
}

/* ---- quantities ---- */

struct quantity quantity_bytes(double bytes)
{
	static const char units[] = "BKMGT";
	struct quantity ret;
	size_t unit = 0;

	for (; bytes >= 1000 && unit + 2 < sizeof(units); unit++)
		bytes /= 1024;
	snprintf(ret.text, sizeof(ret.text), unit && bytes < 10 ? "%.1f%c" : "%.0f%c",
		 bytes, units[unit]);
	return ret;
}

struct quantity quantity_us(double us)
{
	struct quantity ret;

	if (us < 1000)
		snprintf(ret.text, sizeof(ret.text), "%.0f us", us);
	else if (us < 1e6)
		snprintf(ret.text, sizeof(ret.text), us < 1e4 ? "%.1f ms" : "%.0f ms", us / 1e3);
	else
		snprintf(ret.text, sizeof(ret.text), "%.1f s", us / 1e6);
	return ret;
}

struct quantity quantity_age(double seconds)
{
	struct quantity ret;
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s < 60)
		snprintf(ret.text, sizeof(ret.text), "%lus", s);
	else if (s < 3600)
		snprintf(ret.text, sizeof(ret.text), "%lum%02lus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret.text, sizeof(ret.text), "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(ret.text, sizeof(ret.text), "%lud%02luh", s / 86400, s / 3600 % 24);
	return ret;
}

/* ---- members ---- */

const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : "-";
}

double member_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}
