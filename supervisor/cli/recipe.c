#include "supervisor/cli/recipe.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"

#define TEXT_BYTES_MAX (256U << 10)
#define TEXT_DEPTH_MAX 32

const struct recipe recipes[] = {
	{ "CMake", { "CMakeLists.txt" },
	  "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build -j2",
	  "ctest --test-dir build --output-junit \"$PWD/junit.xml\"", "",
	  "", "-", "\tformat = junit\n\treport = \"junit.xml\"\n" },
	{ "autotools", { "configure.ac", "configure" },
	  "{ [ -x configure ] || autoreconf -i; } && ./configure && make -j2",
	  "make check", "", "", "-", "" },
	{ "npm", { "package.json" },
	  "npm run --if-present build", "npm test", "npm run bench", "test", "bench", "" },
	{ "Make", { "GNUmakefile", "makefile", "Makefile" },
	  "make -j2", "make check", "make -s bench", "check", "bench", "" },
};
const size_t recipe_count = COUNT(recipes);

const char *const recipe_folders[] = { "tests", "test", "t", "spec", "bench",
				       "benchmarks", NULL };

/* ---- what a file declares ---- */

static bool has_script(const char *text, const char *name)
{
	const struct json_limits limits = { TEXT_BYTES_MAX, TEXT_DEPTH_MAX };
	json_t *root;
	bool found;

	if (json_parse(span_of_text(text), limits, &root, NULL) < 0)
		return false;
	found = json_is_string(json_object_get(json_object_get(root, "scripts"), name));
	json_decref(root);
	return found;
}

/* "check:" or "check test:" at the beginning of a line, and no "check :=". */
static bool has_target(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		size_t end = strcspn(line, ":=\n");
		const char *at = line;

		if (*line == '\t' || line[end] != ':' || line[end + 1] == '=')
			continue;
		while (at < line + end) {
			size_t word = strcspn(at, " \t:");

			if (word == length && memcmp(at, name, length) == 0)
				return true;
			at += word + (at + word < line + end);
		}
	}
	return false;
}

bool recipe_declares(const struct project *project, const char *target)
{
	if (!*target)
		return true;
	return strcmp(project->file, "package.json") == 0 ?
		       has_script(project->text, target) : has_target(project->text, target);
}

/* ---- a compiler's level, if it stands in one line of CFLAGS ---- */

static bool find_level(const char *text, char ret[8])
{
	unsigned found = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		size_t length = strcspn(line, "\n");
		const char *level = memmem(line, length, "-O", 2);

		if (strncmp(line, "CFLAGS", 6) != 0 || !level)
			continue;
		size_t letters = 2 + strspn(level + 2, "0123sfgatz");

		if (letters > 2 && letters < 8) {
			memcpy(ret, level, letters);
			ret[letters] = '\0';
			found++;
		}
	}
	return found == 1;
}

static void write_knobs(const struct project *project, FILE *out)
{
	char level[8];

	fputs("\n# Knobs are what may be tuned; without one, nothing can be.\n", out);
	if (find_level(project->text, level)) {
		bool known = strcmp(level, "-O2") == 0 || strcmp(level, "-O3") == 0;

		fprintf(out, "knob level {\n\tkind = file\n\tfile = \"%s\"\n"
			"\tpattern = \"^CFLAGS.*(-O[0123sfgatz]+)\"\n\tvalues = { %s%s%s\"-O2\", \"-O3\" }\n}\n",
			project->file, known ? "" : "\"", known ? "" : level, known ? "" : "\", ");
	}
	fputs("# knob buffer {\n#\tkind = file\n#\tfile = \"src/io.h\"\n"
	      "#\tpattern = \"#define BUFFER_BYTES ([0-9]+)\"\n"
	      "#\tvalues = { 512, 4096, 65536 }\n#\tordered = true\n# }\n", out);
}

/* ---- the file ---- */

/* A command as a quoted text of the file. */
static void write_command(FILE *out, const char *command)
{
	fputs("\tcommand = \"", out);
	for (const char *c = command; *c; c++) {
		if (*c == '"' || *c == '\\' || *c == '$')
			fputc('\\', out);
		fputc(*c, out);
	}
	fputs("\"\n", out);
}

static void write_protect(const struct project *project, FILE *out)
{
	fputs("# What no change may touch: tests and benchmarks belong here.\n", out);
	fputs(project->folder_count ? "protect = { " : "# protect = { \"tests\"", out);
	for (size_t i = 0; i < project->folder_count; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", project->folders[i]);
	fputs(" }\n", out);
}

static bool write_test(const struct project *project, FILE *out)
{
	const struct recipe *recipe = project->recipe;
	const char *command = recipe->test;
	bool declared = recipe_declares(project, recipe->test_target);

	if (!declared && strcmp(recipe->test_target, "check") == 0 &&
	    recipe_declares(project, "test")) {
		command = "make test";
		declared = true;
	}
	fputs("\n# The cases are read from TAP or JUnit; else the exit status is one case.\n", out);
	if (declared) {
		fputs("test all {\n", out);
		write_command(out, command);
		fprintf(out, "%s}\n", recipe->test_options);
	} else {
		fputs("# Nothing is applied without tests.\n"
		      "# test all {\n#\tcommand = \"./run-tests\"\n# }\n", out);
	}
	return declared;
}

static void write_benchmark(const struct project *project, FILE *out)
{
	const struct recipe *recipe = project->recipe;

	fputs("\n# Runs of 30 ms and more on real input say most. time is taken by cupel;\n"
	      "# metric NAME { from = stdout pattern = \"([0-9.]+) MB/s\" better = higher }\n"
	      "# reads a number that the program prints.\n", out);
	if (*recipe->bench && recipe_declares(project, recipe->bench_target)) {
		fputs("benchmark main {\n", out);
		write_command(out, recipe->bench);
		fputs("\tmetric time { }\n\tmetric memory { from = rss  unit = bytes }\n}\n"
		      "improve {\n\tmetric = main.time\n}\n", out);
	} else {
		fputs("# benchmark main {\n#\tcommand = \"./program input\"\n"
		      "#\tmetric time { }\n#\tmetric memory { from = rss  unit = bytes }\n# }\n"
		      "# improve {\n#\tmetric = main.time\n# }\n", out);
	}
}

bool recipe_write(const struct project *project, FILE *out)
{
	bool tested;

	fprintf(out, "# cupel.conf of a %s project; see cupel-workspace(5).\n"
		"# 'cupel test' and 'cupel bench' try it, 'cupel improve' uses what is committed.\n\n",
		project->recipe->name);
	write_protect(project, out);
	fputs("\nbuild {\n", out);
	write_command(out, project->recipe->build);
	fputs("}\n", out);
	tested = write_test(project, out);
	write_benchmark(project, out);
	write_knobs(project, out);
	fputs("\n# Metrics that must not get worse while another gets better.\n"
	      "# guard main.memory { tolerance = 5 }\n", out);
	return tested;
}
