#include "common/config_print.h"

#include "common/config_value.h"

/* The default of a row as a file would say it. */
static void print_standard(FILE *out, const struct config_row *row)
{
	static const struct config_list none;

	if (row->type == CONFIG_STRING)
		config_value_print(out, row, &row->standard);
	else if (row->type == CONFIG_LIST)
		config_value_print(out, row, &none);
	else
		fputs(row->standard, out);
}

/* "Is between 1 and 9 files; the default is 5." */
static void print_bounds(FILE *out, const struct config_row *row)
{
	char range[CONFIG_RANGE_BYTES];

	config_value_range(row, range);
	fprintf(out, "Is %s; ", range);
	if (row->standard) {
		fputs("the default is ", out);
		print_standard(out, row);
	} else {
		fputs("must be set", out);
	}
	fputs(".\n", out);
}

/* ---- as a file ---- */

struct file_printer {
	FILE *out;
	const struct config_section *section; /* of the block that is open */
	struct config_titles titles;
};

/* A block inside of a block is indented once more. */
static const char *indent_of(const struct config_section *section)
{
	return section->inside ? "\t" : "";
}

static void close_block(const struct file_printer *printer, bool outer, bool inner)
{
	const struct config_section *section = printer->section;

	if (section && section->inside && inner)
		fputs("\t}\n", printer->out);
	if (section && *section->name && outer)
		fputs("}\n", printer->out);
}

static void open_block(struct file_printer *printer,
		       const struct config_entry *entry)
{
	const struct config_section *section = entry->section;
	const char *indent = indent_of(section);

	if (printer->section)
		fputc('\n', printer->out);
	printer->section = section;
	printer->titles = entry->titles;
	fprintf(printer->out, "%s# %s\n", indent, section->help);
	if (*section->name)
		fprintf(printer->out, "%s%s%s%s {\n", indent, section->name,
			entry->titles.own ? " " : "",
			entry->titles.own ? entry->titles.own : "");
}

/* Titles are told apart by their place, as two blocks never share one. */
static bool is_open(const struct file_printer *printer,
		    const struct config_entry *entry)
{
	return entry->section == printer->section &&
	       entry->titles.own == printer->titles.own;
}

static void print_setting(void *context, const struct config_entry *entry)
{
	struct file_printer *printer = context;
	const char *indent = indent_of(entry->section);
	const char *more = *entry->section->name ? "\t" : "";
	FILE *out = printer->out;

	if (!is_open(printer, entry)) {
		close_block(printer, !entry->titles.outer, true);
		open_block(printer, entry);
	} else {
		fputc('\n', out);
	}
	fprintf(out, "%s%s# %s\n%s%s# ", indent, more, entry->row->help, indent,
		more);
	print_bounds(out, entry->row);
	fprintf(out, "%s%s%s = ", indent, more, entry->row->name);
	config_value_print(out, entry->row, entry->member);
	fputc('\n', out);
}

void config_print_file(FILE *out, const struct config *config)
{
	struct file_printer printer = { .out = out };

	config_each(config, print_setting, &printer);
	close_block(&printer, true, true);
}

/* ---- as help and as a manual, from the rows alone ---- */

void config_print_help(FILE *out, const struct config_section *sections,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];
		const struct config_titles titles = {
			section->block_bytes ? "NAME" : NULL,
			section->inside ? "NAME" : NULL
		};

		for (size_t j = 0; j < section->row_count; j++) {
			const struct config_row *row = &section->rows[j];
			char key[CONFIG_KEY_BYTES];

			config_key(section, titles, row, key);
			fprintf(out, "  %s\n\t%s\n\t", key, row->help);
			print_bounds(out, row);
		}
	}
}

void config_print_manual(FILE *out, const struct config_section *sections,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];

		fprintf(out, ".Ss %s%s\n%s\n.Bl -tag -width Ds\n",
			*section->name ? section->name : "Outside of sections",
			section->block_bytes ? " NAME" : "", section->help);
		for (size_t j = 0; j < section->row_count; j++) {
			const struct config_row *row = &section->rows[j];

			fprintf(out, ".It Ic %s\n%s\n", row->name, row->help);
			print_bounds(out, row);
		}
		fputs(".El\n", out);
	}
}
