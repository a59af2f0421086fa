/*
 * cupel init: a first cupel.conf for the project that is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/path.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/recipe.h"
#include "supervisor/cli/repository.h"

#define TEXT_BYTES_MAX (256U << 10)

/* At most TEXT_BYTES_MAX of it, on the heap; NULL if it is no file of ours. */
static char *read_text(int directory, const char *name)
{
	AUTO_CLOSE int fd = path_open(directory, name, O_RDONLY | O_NONBLOCK, 0,
				      PATH_BENEATH, NULL);
	char *text = fd < 0 ? NULL : malloc(TEXT_BYTES_MAX + 1);
	ssize_t length = text ? read(fd, text, TEXT_BYTES_MAX) : -1;

	if (length < 0) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

static char *recognise(int directory, struct project *project)
{
	for (size_t i = 0; i < recipe_count; i++)
		for (size_t j = 0; j < RECIPE_MARKERS_MAX && recipes[i].markers[j]; j++) {
			char *text = read_text(directory, recipes[i].markers[j]);

			if (!text)
				continue;
			project->recipe = &recipes[i];
			project->file = recipes[i].markers[j];
			project->text = text;
			return text;
		}
	return NULL;
}

static void look_for_folders(int directory, struct project *project)
{
	struct stat about;

	for (size_t i = 0; recipe_folders[i]; i++)
		if (fstatat(directory, recipe_folders[i], &about, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(about.st_mode) && project->folder_count < RECIPE_FOLDERS_MAX)
			project->folders[project->folder_count++] = recipe_folders[i];
}

/* Never over one that is there. */
static int write_file(int directory, const struct project *project, bool *ret_tested,
		      struct error *why)
{
	int fd = openat(directory, REPOSITORY_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		return error_set(why, -errno, REPOSITORY_CONFIG ": %s%s", strerror(errno),
				 errno == EEXIST ? "; it is left as it is" : "");
	*ret_tested = recipe_write(project, out);
	bool failed = ferror(out) != 0;

	if (fclose(out) != 0 || failed)
		return error_set(why, -EIO, REPOSITORY_CONFIG ": %s", strerror(errno));
	return 0;
}

static int make_file(const char *where, struct project *project, bool *ret_tested,
		     struct error *why)
{
	AUTO_CLOSE int directory = path_open(PATH_ABSOLUTE, where, O_RDONLY | O_DIRECTORY, 0,
					     PATH_HOST, why);
	AUTO_FREE char *text = directory < 0 ? NULL : recognise(directory, project);

	if (directory < 0)
		return directory;
	if (!text)
		return error_set(why, -ENOENT,
				 "%s: no CMakeLists.txt, configure.ac, package.json or Makefile; write cupel.conf by hand, see cupel-workspace(5)",
				 where);
	look_for_folders(directory, project);
	return write_file(directory, project, ret_tested, why);
}

int cli_init(const struct verb *verb, int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : ".";
	struct project project = { 0 };
	bool tested = false;
	struct error why;

	if (argc > 2 || *where == '-')
		return cli_refuse_usage(verb);
	if (make_file(where, &project, &tested, &why) < 0)
		return cli_fail(&why);
	printf("%s/" REPOSITORY_CONFIG ": for %s, by its %s\n", where,
	       project.recipe->name, project.file);
	if (!tested)
		printf("it declares no test that could be found: add one, nothing is applied without\n");
	printf("next: look at it, 'cupel test', 'cupel bench', commit it, 'cupel improve'\n");
	return EXIT_OK;
}

void cli_init_explain(FILE *out)
{
	fputs("\nRecognises CMake, autotools, npm and Make by their files, and writes what they\n"
	      "build and test with into a new cupel.conf, with comments on the rest. One that\n"
	      "is there is never overwritten.\n", out);
}
