/* One line of a log in the common format, cut into its fields. */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>

struct request {
	const char *path;	/* in the line, not terminated */
	size_t path_length;
	long status;
	long bytes;		/* 0 where the log has "-" */
};

/* host ident user [time] "METHOD path HTTP/x" status bytes */
bool parse_line(const char *line, size_t length, struct request *ret);

#endif
