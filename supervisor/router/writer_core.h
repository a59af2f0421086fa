/*
 * writer_core.h - text, numbers and JSON into a bounded buffer, without the C
 * library's formatting, which reads the locale.
 *
 * What does not fit is cut, unless the owner named somewhere to empty the
 * buffer to; then any length may be written, piece by piece. Commas between
 * JSON members are put by the writer. Pure.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_WRITER_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_WRITER_CORE_H

#include "common/span.h"

struct writer {
	char *data;
	size_t capacity, length;
	bool cut;		/* something did not fit */
	bool comma;		/* before the next JSON member */
	void (*full)(void *owner, struct writer *writer);	/* or NULL */
	void *owner;
};

void write_bytes(struct writer *writer, const char *data, size_t length);
void write_text(struct writer *writer, const char *text);
void write_number(struct writer *writer, uint64_t number);

/* Nanoseconds as seconds, exactly, without needless zeros: 0.0025 */
void write_seconds(struct writer *writer, int64_t ns);

/* Begin and end of an object or array: "{", "}", "[", "]". */
void json_open(struct writer *writer, const char *key, const char *bracket);
void json_close(struct writer *writer, const char *bracket);

/* A member; a key of NULL makes it an element. Text is escaped. */
void json_text(struct writer *writer, const char *key, const char *text);
void json_number(struct writer *writer, const char *key, uint64_t number);
void json_bool(struct writer *writer, const char *key, bool value);

/* JSON text as it is; empty stands for null. */
void json_raw(struct writer *writer, const char *key, const char *text);

/* Text as a quoted JSON string, or the value of a Prometheus label. */
void write_quoted(struct writer *writer, const char *text);

#endif
