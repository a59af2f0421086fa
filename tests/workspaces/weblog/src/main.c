/* weblog FILE: counts requests of an access log by status and path. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static struct table table;
static struct totals totals;

static int take_line(const char *line, size_t length)
{
	struct request request;

	totals.lines++;
	if (!parse_line(line, length, &request)) {
		totals.refused++;
		return 0;
	}
	totals.bytes += request.bytes;
	totals.classes[request.status >= 100 && request.status < 600 ? request.status / 100 : 0]++;
	return table_add(&table, &request) ? 0 : -1;
}

/* What of a line has been read so far; what is beyond LINE_BYTES is dropped. */
static struct {
	char bytes[LINE_BYTES];
	size_t length;
} line;

static int take_bytes(const char *bytes, size_t count)
{
	while (count > 0) {
		const char *end = memchr(bytes, '\n', count);
		size_t part = end ? (size_t)(end - bytes) : count;
		size_t kept = part < LINE_BYTES - line.length ? part : LINE_BYTES - line.length;

		memcpy(line.bytes + line.length, bytes, kept);
		line.length += kept;
		if (!end)
			return 0;
		if (take_line(line.bytes, line.length) < 0)
			return -1;
		line.length = 0;
		bytes += part + 1;
		count -= part + 1;
	}
	return 0;
}

static int read_all(int fd)
{
	static char bytes[READ_BYTES];
	ssize_t count;

	while ((count = read(fd, bytes, sizeof(bytes))) > 0)
		if (take_bytes(bytes, (size_t)count) < 0)
			return -1;
	if (count == 0 && line.length > 0)	/* the last line without an end */
		return take_line(line.bytes, line.length);
	return count < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (argc != 2) {
		fprintf(stderr, "usage: weblog FILE\n");
		return 64;
	}
	if (fd < 0 || read_all(fd) < 0) {
		fprintf(stderr, "weblog: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	report(&totals, &table);
	return 0;
}
