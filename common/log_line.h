/*
 * log_line.h - a line as log.h writes it, read back.
 *
 * For a supervisor that passes on what processes below it write: a line that
 * is a record keeps its level, message and fields, and anything else is text.
 * The reader is stricter than JSON: keys in log.h's order, values that are
 * strings, integers or true, no character that log.h would have escaped. Who
 * speaks is not the writer's to say, so a second component, a worker or a
 * generation among the fields make it no record.
 *
 * Pure: no heap, no system call.
 */
#ifndef CUPEL_COMMON_LOG_LINE_H
#define CUPEL_COMMON_LOG_LINE_H

#include "common/log.h"

/* Spans borrow from the line; texts are as escaped there. */
struct log_line {
	struct span time;	/* of as many characters as clock_text() makes */
	enum log_level level;
	struct span pid;
	struct span fields;	/* ',"call":71,"msg":"...",...' to the brace */
	struct span message;
};

/* The line without its newline. 0 or -EBADMSG. */
int log_line_parse(struct span line, struct log_line *ret);

#endif
