/*
 * log.h - what happened, one JSON object a line.
 *
 *	{"ts":"2026-01-02T03:04:05.123456789Z","level":"warning",
 *	 "component":"monitor","pid":812,"worker":"fs/3","call":71,
 *	 "conversation":"01J9Z","attempt":2,"msg":"worker died","signal":9}
 *
 * on one line, in this order: time of the wall clock in UTC, level, who
 * speaks, its process; then as much of the context as is known; the message,
 * which is a constant sentence; then the keys and values of this record. A
 * record too long for a line loses its tail and ends in "cut":true.
 *
 * Whatever bytes come in, a line is valid JSON in valid UTF-8 and holds no
 * newline but its last byte. Control characters and those that reorder or
 * break lines become \uXXXX; a byte that belongs to no character, and NUL,
 * which many readers refuse, becomes the four characters \xHH. A whole number
 * beyond INT64_MAX, which many readers refuse as well, is written in quotes.
 *
 * The context is a stack kept by value: log_push() adds what an inner level
 * knows and returns the outer level for log_pop(). A child between fork(2) and
 * exec copies the log with its context and gives the copy a descriptor of its
 * own; nothing here allocates, locks, or changes errno:
 *
 *	struct log mine = *log;
 *
 *	mine.sink = (struct log_sink){ .fd = report_fd };
 *
 * A line never exceeds PIPE_BUF, so that lines of several processes on one
 * pipe never mix (pipe(7)). Sources: RFC 8259; RFC 3629; jsonlines.org.
 */
#ifndef CUPEL_COMMON_LOG_H
#define CUPEL_COMMON_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

#define LOG_LINE_BYTES 4096	/* with its newline, without a terminator */

enum log_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_CRITICAL,
	LEVEL_COUNT
};

/* On whose behalf; text borrows and must outlive the level that pushed it. */
struct log_context {
	const char *worker;		/* NULL: unknown, as below */
	uint64_t call;			/* 0: unknown, as below */
	const char *conversation;
	unsigned attempt;		/* from 1 */
};

enum log_kind {
	LOG_BYTES,
	LOG_INT,
	LOG_UINT,
};

/* A key and its value, both borrowed until the record is written. */
struct log_field {
	const char *key;
	enum log_kind kind;
	union {
		struct span bytes;	/* no data: the field is left out */
		int64_t integer;
		uint64_t natural;
	};
};

static inline struct log_field log_bytes(const char *key, struct span bytes)
{
	return (struct log_field){ key, LOG_BYTES, { .bytes = bytes } };
}

/* A text of NULL leaves the field out. */
static inline struct log_field log_text(const char *key, const char *text)
{
	return log_bytes(key, text ? span_of_text(text) : (struct span){ 0 });
}

static inline struct log_field log_int(const char *key, int64_t value)
{
	return (struct log_field){ key, LOG_INT, { .integer = value } };
}

static inline struct log_field log_uint(const char *key, uint64_t value)
{
	return (struct log_field){ key, LOG_UINT, { .natural = value } };
}

/*
 * The fields of one record as log_write() takes them; NULL stands for none.
 * A macro, for only that can give an array as long as the list.
 */
#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__, { 0 } })

struct log_record {
	int64_t wall_ns;
	int64_t now_ns;			/* monotonic, for the sink */
	enum log_level level;
	const char *component;
	struct log_context context;
	const char *message;
	const struct log_field *fields;	/* ends with a NULL key; or NULL */
};

/* Where lines go: to write, or if that is NULL by one write(2) to fd. */
struct log_sink {
	int (*write)(void *owner, const struct log_record *record,
		     struct span line);	/* 0 or a negative errno */
	void *owner;
	int fd;
};

struct log {
	const char *component;		/* borrowed */
	enum log_level least;		/* what is below is not written */
	struct log_sink sink;
	struct log_context context;
	uint64_t lost;			/* records the sink failed to take */
};

void log_init(struct log *log, const char *component, enum log_level least,
	      struct log_sink sink);

/*
 * Lays over the context what inner knows and returns the context as it was,
 * for log_pop().
 */
struct log_context log_push(struct log *log, struct log_context inner);
void log_pop(struct log *log, struct log_context outer);

/* Writes a record at the present time; a failure only counts in log->lost. */
void log_write(struct log *log, enum log_level level, const char *message,
	       const struct log_field *fields);

/* The same of a line that is there already, with its newline. */
void log_put(struct log *log, const struct log_record *record,
	     struct span line);

/*
 * Writes a record as a line with its newline and returns its length. The pid
 * is that of the calling process.
 */
size_t log_format(const struct log_record *record, char ret[LOG_LINE_BYTES]);

const char *log_level_name(enum log_level level);

#endif
