/*
 * Path tests against the 50 lines of an ordinary project's .gitignore: a whole
 * path, each directory on the way included, is one operation.
 */
#include <stdio.h>

#include "common/cleanup.h"
#include "common/core/glob_set.h"
#include "common/core/ignore.h"
#include "tests/support/bench.h"

static const char ignore_text[] =
	"*.o\n*.a\n*.so\n*.lo\n*.la\n*.d\n*.gcda\n*.gcno\n*.pyc\n*.pyo\n"
	"*.class\n*.jar\n*.log\n*.tmp\n*.swp\n*~\n.#*\n\\#*#\n.DS_Store\nThumbs.db\n"
	"node_modules/\n__pycache__/\n.venv/\n.cache/\n.idea/\n.vscode/\ntarget/\n/build/\n/dist/\n/out/\n"
	".env\n.env.*\n!.env.example\ncore\ncore.[0-9]*\nvgcore.*\ncompile_commands.json\n/config.h\n/config.status\n/Makefile.in\n"
	"doc/**/*.html\ndoc/_build/\n**/testdata/*.out\ntests/**/results/\nsrc/*/generated_*.c\n"
	"*.[Pp][Dd][Bb]\npackage-lock.json\n*.egg-info/\ncoverage*/\n.coverage\n";

static const char *const paths[] = {
	"README.md",
	"src/main.c",
	"src/core/glob.c",
	"src/core/glob.o",
	"include/project/core/glob.h",
	"tests/unit/test_glob.c",
	"doc/manual/index.md",
	"node_modules/left-pad/index.js",
	"tools/generate/templates/module.c.in",
	".github/workflows/build.yml",
};

static void run_ignore(void *context, uint64_t count)
{
	const struct ignore *ignore = context;
	unsigned excluded = 0;

	for (uint64_t i = 0; i < count; i++)
		excluded += ignore_excludes_path(
			ignore, span_of_text(paths[i % COUNT(paths)]), false);
	bench_keep(&excluded);
}

static void run_entry(void *context, uint64_t count)
{
	const struct ignore *ignore = context;
	unsigned excluded = 0;

	for (uint64_t i = 0; i < count; i++)
		excluded += ignore_excludes_entry(
			ignore, span_of_text(paths[i % COUNT(paths)]), false);
	bench_keep(&excluded);
}

static void run_program(void *context, uint64_t count)
{
	const struct glob *glob = context;
	unsigned matched = 0;

	for (uint64_t i = 0; i < count; i++)
		matched += glob_match(glob, span_of_text(paths[5]));
	bench_keep(&matched);
}

int main(void)
{
	static struct ignore_file files[1];
	static struct ignore_rule rules[50];
	static uint8_t memory[4096], program[256];
	struct ignore ignore = {
		.files = files, .file_capacity = COUNT(files),
		.rules = rules, .rule_capacity = COUNT(rules),
		.memory = memory, .memory_bytes = sizeof(memory),
	};
	struct glob glob;
	bool met = true;

	ignore_init(&ignore);
	if (ignore_push_file(&ignore, span_of_text(""),
			     span_of_text(ignore_text)) != COUNT(rules) ||
	    glob_compile(&glob, span_of_text("**/unit/t[a-f]st_?*.c"), program,
			 sizeof(program)) < 0) {
		fprintf(stderr, "bench_glob: a pattern does not compile\n");
		return 1;
	}
	met &= bench_alone("50 ignore lines, a path and its parents",
			   (struct bench_side){ "ignore", run_ignore, &ignore }, 1000);
	met &= bench_alone("50 ignore lines, one entry of a walk",
			   (struct bench_side){ "entry", run_entry, &ignore }, 1000);
	met &= bench_alone("one pattern that has to be run",
			   (struct bench_side){ "program", run_program, &glob }, 200);
	return !met;
}
