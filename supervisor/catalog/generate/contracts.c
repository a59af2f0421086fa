/*
 * contracts - the built-in manifests as C, while building.
 *
 *	contracts builtin FILE...	the texts, for the loader of catalogues
 *	contracts worker FILE		what a program of ours promises
 *	contracts manual		the lists of keys in cupel-tool(5)
 *
 * A manifest that is refused ends the build with its reason.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/catalog/manifest.h"

static char text[CONFIG_BYTES_MAX];

static struct span read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(text, 1, sizeof(text), file) : 0;

	if (!file || ferror(file)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	fclose(file);
	return (struct span){ (const uint8_t *)text, length };
}

static void read_manifest(struct manifest *ret, const char *path)
{
	struct error why;

	if (manifest_parse(ret, path, read_file(path), &why) == 0)
		return;
	fprintf(stderr, "%s\n", why.text);
	exit(1);
}

/* A string literal, however long: the compiler joins the lines. */
static void print_literal(struct span bytes)
{
	printf("\"");
	for (size_t i = 0; i < bytes.length; i++) {
		if (bytes.data[i] == '\n')
			printf("\\n\"\n\t\"");
		else if (bytes.data[i] == '"' || bytes.data[i] == '\\')
			printf("\\%c", bytes.data[i]);
		else
			putchar(bytes.data[i]);
	}
	printf("\"");
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_builtin(int count, char **paths)
{
	struct manifest manifest;

	printf("#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n");
	printf("#include \"supervisor/catalog/builtin.h\"\n\n"
	       "const struct builtin builtins[] = {\n");
	for (int i = 0; i < count; i++) {
		read_manifest(&manifest, paths[i]);
		manifest_release(&manifest);
		printf("{ \"%s\",\n\t", base_of(paths[i]));
		print_literal(read_file(paths[i]));
		printf(" },\n");
	}
	printf("};\n\nconst size_t builtin_count = %d;\n", count);
}

/* FNV-1a (Fowler, Noll, Vo), over all the program promises. */
static uint64_t hash(uint64_t sum, const char *words)
{
	for (; *words; words++)
		sum = (sum ^ (uint8_t)*words) * UINT64_C(0x100000001b3);
	return sum;
}

/* The identifier of a worker's contract: a dot or a dash is no letter of C. */
static void print_identifier(const char *name)
{
	for (; *name; name++)
		putchar(strchr(".-", *name) ? '_' : *name);
}

static void print_worker(const char *path)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	struct manifest manifest;
	struct error why;

	read_manifest(&manifest, path);
	printf("#include \"workers/worker.h\"\n\n"
	       "static const struct worker_promise promises[] = {\n");
	for (size_t i = 0; i < manifest.tools.count; i++) {
		const struct manifest_tool *tool = manifest_tool(&manifest, i);
		const char *schema;

		if (manifest_schema(&manifest, tool, &schema, &why) < 0)
			exit(1);	/* read_manifest() has tried it */
		sum = hash(hash(sum, tool->title), schema);
		printf("{ \"%s\",\n\t", tool->title);
		print_literal(span_of_text(schema));
		printf(",\n\t(enum tool_class)%u },\n", tool->class);
	}
	printf("};\n\nextern const struct worker_contract contract_");
	print_identifier(manifest_worker(&manifest)->title);
	printf(";\nconst struct worker_contract contract_");
	print_identifier(manifest_worker(&manifest)->title);
	printf(" = {\n\tpromises, %zu, UINT64_C(%llu),\n};\n",
	       manifest.tools.count, (unsigned long long)sum);
	manifest_release(&manifest);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "builtin") == 0) {
		print_builtin(argc - 2, argv + 2);
	} else if (argc == 3 && strcmp(argv[1], "worker") == 0) {
		print_worker(argv[2]);
	} else if (argc == 2 && strcmp(argv[1], "manual") == 0) {
		manifest_print_manual(stdout);
	} else {
		fprintf(stderr, "usage: contracts builtin FILE... | worker FILE | manual\n");
		return 64;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
