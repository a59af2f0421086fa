/*
 * repository.h - the workspace a verb works on, and its private copies.
 *
 *	REPOSITORY/cupel.conf		what may be tested, measured, tuned
 *	REPOSITORY/.git/cupel/{a..h}	copies that builds and runs happen in; without
 *					git, REPOSITORY/.cupel/cupel/{a..h}
 *
 * Code under test has written into the copies, and a build of the workspace
 * itself may write anywhere below it: what is handed to the supervisor is
 * opened without following any symbolic link (openat2(2)).
 */
#ifndef CUPEL_SUPERVISOR_CLI_REPOSITORY_H
#define CUPEL_SUPERVISOR_CLI_REPOSITORY_H

#include <limits.h>

#include "supervisor/cli/connect.h"

#define REPOSITORY_COPIES 8
#define REPOSITORY_CONFIG "cupel.conf"

struct repository {
	char path[PATH_MAX];	/* canonical; the store's key of it */
	const char *folder;	/* ".git", or ".cupel" where there is none */
	uint32_t number;	/* of the workspace; 0: not registered */
	uint32_t copies[REPOSITORY_COPIES];
	int fds[1 + REPOSITORY_COPIES];	/* that keep the numbers */
	size_t fd_count;
};

/*
 * The directory that a path is in or below and that holds an entry of that
 * name: ".git" or "cupel.conf". -ENOENT says what to do about it.
 */
int repository_find(const char *start, const char *entry, char ret[PATH_MAX],
		    struct error *why);

/* The top of the git repository, or the folder with a cupel.conf. */
int repository_top(const char *start, char ret[PATH_MAX], struct error *why);

/*
 * Finds the workspace of start: where its cupel.conf is, which for one with
 * copies has to be the top of a git repository if there is one.
 */
int repository_open(struct repository *ret, const char *start, bool copies,
		    struct error *why);

/* That very directory, whatever is in it; without copies. */
void repository_at(struct repository *ret, const char *path);

/* Its cupel.conf as it lies there; on the heap. */
int repository_config(const struct repository *repository, char **ret,
		      struct error *why);

/* Hands it, and if wanted its copies, to the supervisor. */
int repository_register(struct repository *repository,
			struct connection *connection, bool copies,
			struct error *why);

void repository_release(struct repository *repository);
#define AUTO_REPOSITORY __attribute__((cleanup(repository_release)))

#endif
