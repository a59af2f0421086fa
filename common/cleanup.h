/*
 * cleanup.h - marks for locals that own something.
 *
 *	AUTO_CLOSE int fd = open(...);		closed when the scope ends
 *	AUTO_FREE char *text = strdup(...);	freed when the scope ends
 *	return fd_take(&fd);			given away: no longer closed
 *
 * COUNT is the number of rows of an array.
 */
#ifndef CUPEL_COMMON_CLEANUP_H
#define CUPEL_COMMON_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Closing keeps errno: the reason of the failure that ends the scope. */
static inline void cleanup_close(const int *fd)
{
	int kept = errno;

	if (*fd >= 0)
		close(*fd);
	errno = kept;
}

/* Takes the address of any object pointer, hence void *. */
static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
