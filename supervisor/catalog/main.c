/*
 * cupel-catalog: manifests in, a catalogue out.
 *
 *	cupel-catalog [--allow-wider] [--previous] [--policy NAME]... [DIRECTORY...]
 *
 * The monitor starts it, gives it memory on descriptor 3 and, with --previous,
 * the catalogue in force on 4. It reads the built-in manifests and then every
 * *.tool of the directories, in the order of strcmp(3); a later one of the same
 * name replaces an earlier one. A manifest that is refused is named on stderr
 * with the reason, one a line, and what it would have replaced stays. Status 0:
 * a whole catalogue was written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/service.h"
#include "supervisor/catalog/assembly.h"
#include "supervisor/catalog/builtin.h"

#define OUTPUT_FD 3
#define PREVIOUS_FD 4
#define DESCRIPTORS_END 5
#define DIRECTORIES_MAX 16
#define MANIFESTS_MAX 256
#define POLICIES_MAX 64
#define EXIT_BROKEN 70

/* A manifest as it lies there: built in, or a file of a directory. */
struct source {
	char name[NAME_MAX + 1];	/* "echo.tool" */
	char path[PATH_MAX];		/* for people */
	char *text;
	size_t length;
};

struct loader {
	struct source *sources;
	size_t count;
	struct place directories[DIRECTORIES_MAX + 1];
	const char *policies[POLICIES_MAX + 1];	/* that the monitor has, besides presets */
	char beside[PATH_MAX], libexec[PATH_MAX];
	struct place places[3];			/* those two */
	bool may_widen, has_previous;
	unsigned descriptors_end;
};

static void complain(const struct error *why)
{
	fprintf(stderr, "%s\n", why->text);
}

/* ---- the texts ---- */

static struct source *source_named(struct loader *loader, const char *name)
{
	for (size_t i = 0; i < loader->count; i++)
		if (strcmp(loader->sources[i].name, name) == 0)
			return &loader->sources[i];
	return loader->count < MANIFESTS_MAX ? &loader->sources[loader->count++] : NULL;
}

static int take(struct loader *loader, const char *name, const char *path, char *text,
		size_t length, struct error *why)
{
	struct source *source = source_named(loader, name);

	if (!source || !text) {
		free(text);
		return error_set(why, -E2BIG, "%s: more than %d manifests", path,
				 MANIFESTS_MAX);
	}
	free(source->text);
	snprintf(source->name, sizeof(source->name), "%s", name);
	snprintf(source->path, sizeof(source->path), "%s", path);
	source->text = text;
	source->length = length;
	return 0;
}

static int take_builtins(struct loader *loader, struct error *why)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < builtin_count; i++) {
		snprintf(path, sizeof(path), "(built-in)/%s", builtins[i].name);
		r = take(loader, builtins[i].name, path, strdup(builtins[i].text),
			 strlen(builtins[i].text), why);
	}
	return r;
}

static int read_file(int directory, const char *name, const char *path, char **ret,
		     size_t *ret_length, struct error *why)
{
	AUTO_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size > CONFIG_BYTES_MAX)
		return error_set(why, -EINVAL, "%s: no regular file of at most %d bytes", path,
				 CONFIG_BYTES_MAX);
	AUTO_FREE char *text = malloc((size_t)status.st_size + 1);
	ssize_t length = text ? read(fd, text, (size_t)status.st_size) : -1;

	if (length < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	*ret_length = (size_t)length;
	*ret = text;
	text = NULL;
	return 0;
}

static bool is_manifest(const char *name)
{
	size_t length = strlen(name), suffix = strlen(MANIFEST_SUFFIX);

	return name[0] != '.' && length > suffix &&
	       strcmp(name + length - suffix, MANIFEST_SUFFIX) == 0;
}

/* A directory that is not there holds nothing. */
static int take_directory(struct loader *loader, const struct place *directory,
			  struct error *why)
{
	DIR *stream = directory->fd < 0 ? NULL : fdopendir(directory->fd);
	struct dirent *entry;

	if (!stream) {
		int r = directory->fd < 0 ? directory->fd : -errno;

		return r == -ENOENT ? 0 : error_set(why, r, "%s: %s", directory->path,
						    strerror(-r));
	}
	while ((entry = readdir(stream))) {
		char path[PATH_MAX];
		char *text = NULL;
		size_t length = 0;

		if (!is_manifest(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%.3800s/%s", directory->path, entry->d_name);
		if (read_file(dirfd(stream), entry->d_name, path, &text, &length, why) < 0 ||
		    take(loader, entry->d_name, path, text, length, why) < 0)
			complain(why);
	}
	closedir(stream);
	return 0;
}

/* ---- the catalogue ---- */

/* By the worker's name, so that "job" comes before "job.build". */
static int by_worker(const void *a, const void *b)
{
	const struct source *one = a, *other = b;
	size_t length = strlen(one->name) - strlen(MANIFEST_SUFFIX);
	size_t other_length = strlen(other->name) - strlen(MANIFEST_SUFFIX);
	int r = memcmp(one->name, other->name,
		       length < other_length ? length : other_length);

	return r ? r : (length > other_length) - (length < other_length);
}

static void add(struct assembly *assembly, const struct source *source)
{
	struct manifest manifest;
	char worker[CATALOG_NAME_BYTES];
	struct error why;
	int r = manifest_parse(&manifest, source->path,
			       (struct span){ (const uint8_t *)source->text, source->length },
			       &why);

	if (r == 0)
		r = assembly_add(assembly, &manifest, &why);
	manifest_release(&manifest);
	if (r == 0)
		return;
	complain(&why);
	snprintf(worker, sizeof(worker), "%.*s",
		 (int)(strlen(source->name) - strlen(MANIFEST_SUFFIX)), source->name);
	assembly_keep(assembly, worker);
}

static const struct catalog *map_previous(struct error *why)
{
	struct stat status;
	const struct catalog *ret;

	if (fstat(PREVIOUS_FD, &status) < 0 || status.st_size < (off_t)sizeof(*ret))
		return NULL;
	ret = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, PREVIOUS_FD, 0);
	if (ret == MAP_FAILED || catalog_check(ret, (size_t)status.st_size, why) < 0)
		return NULL;
	return ret;
}

static int write_all(const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t n = write(OUTPUT_FD, at, length);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static int assemble(struct loader *loader, struct error *why)
{
	struct assembly assembly = { .places = loader->places, .policies = loader->policies,
				     .may_widen = loader->may_widen };
	int r;

	if (loader->has_previous) {
		assembly.previous = map_previous(why);
		if (!assembly.previous)
			return error_set(why, -EBADMSG, "the catalogue in force cannot be read");
	}
	r = assembly_init(&assembly, why);
	if (r < 0)
		return r;
	qsort(loader->sources, loader->count, sizeof(*loader->sources), by_worker);
	for (size_t i = 0; i < loader->count; i++)
		add(&assembly, &loader->sources[i]);
	while (assembly_drop_fallback(&assembly, why))
		complain(why);
	r = write_all(assembly.catalog, assembly_finish(&assembly));
	assembly_release(&assembly);
	return r < 0 ? error_set(why, r, "write the catalogue: %s", strerror(-r)) : 0;
}

/* ---- starting ---- */

static int find_places(struct loader *loader, struct error *why)
{
	ssize_t length = readlink("/proc/self/exe", loader->beside, sizeof(loader->beside) - 1);
	char *slash;

	if (length < 0)
		return error_set(why, -errno, "/proc/self/exe: %s", strerror(errno));
	loader->beside[length] = '\0';
	slash = strrchr(loader->beside, '/');
	*slash = '\0';
	slash = strrchr(loader->beside, '/');
	snprintf(loader->libexec, sizeof(loader->libexec), "%.*s/libexec/cupel",
		 (int)(slash ? slash - loader->beside : 0), loader->beside);
	return 0;
}

static int confine(const struct loader *loader, struct error *why)
{
	const char *readable[DIRECTORIES_MAX + 8];
	size_t count = 0;

	for (size_t i = 0; loader->directories[i].path; i++)
		readable[count++] = loader->directories[i].path;
	readable[count++] = "/usr";	/* programs named by their path, and what runs them */
	readable[count++] = loader->beside;
	readable[count++] = loader->libexec;
	readable[count] = NULL;
	return service_confine(&(struct service){ .descriptors_end = loader->descriptors_end,
						  .readable = readable }, why);
}

/* Nobody, who reads them later, may not get there: /root, say, is root's alone. */
static void open_places(struct loader *loader)
{
	struct place *const lists[] = { loader->places, loader->directories };

	loader->places[0].path = loader->beside;
	loader->places[1].path = loader->libexec;
	loader->descriptors_end = DESCRIPTORS_END;
	for (size_t i = 0; i < COUNT(lists); i++)
		for (struct place *place = lists[i]; place->path; place++) {
			place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (place->fd < 0)
				place->fd = -errno;
			else if ((unsigned)place->fd >= loader->descriptors_end)
				loader->descriptors_end = (unsigned)place->fd + 1;
		}
}

static int take_arguments(struct loader *loader, int argc, char **argv, struct error *why)
{
	size_t count = 0, policies = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--policy") == 0 && i + 1 < argc && policies < POLICIES_MAX)
			loader->policies[policies++] = argv[++i];
		else if (strcmp(argv[i], "--allow-wider") == 0)
			loader->may_widen = true;
		else if (strcmp(argv[i], "--previous") == 0)
			loader->has_previous = true;
		else if (argv[i][0] == '-' || count == DIRECTORIES_MAX)
			return error_set(why, -EINVAL,
					 "usage: cupel-catalog [--allow-wider] [--previous] [--policy NAME]... [DIRECTORY...]");
		else
			loader->directories[count++].path = argv[i];
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct loader loader = { .sources = calloc(MANIFESTS_MAX, sizeof(struct source)) };
	struct error why;
	int r = loader.sources ? take_arguments(&loader, argc, argv, &why) :
				 error_set(&why, -ENOMEM, "out of memory");

	json_object_seed(0);	/* while /dev/urandom can be opened */
	if (r == 0)
		r = find_places(&loader, &why);
	if (r == 0)
		open_places(&loader);
	if (r == 0)
		r = confine(&loader, &why);
	if (r == 0)
		r = take_builtins(&loader, &why);
	for (size_t i = 0; r == 0 && loader.directories[i].path; i++)
		r = take_directory(&loader, &loader.directories[i], &why);
	if (r == 0)
		r = assemble(&loader, &why);
	if (r < 0)
		complain(&why);
	return r < 0 ? EXIT_BROKEN : 0;
}
