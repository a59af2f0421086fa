#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/core/failure.h"

/* Cuts at a whole UTF-8 character and marks the cut. */
static void mark_cut(char *text)
{
	size_t end = ERROR_TEXT_BYTES - sizeof("...");

	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	memcpy(text + end, "...", sizeof("..."));
}

static void set(struct error *why, enum error_code code, const char *format,
		va_list arguments)
{
	int length;

	why->code = code;
	why->origin = ORIGIN_ROUTER;
	length = vsnprintf(why->text, sizeof(why->text), format, arguments);
	if (length >= (int)sizeof(why->text))
		mark_cut(why->text);
}

int (error_set)(struct error *why, int negative_errno, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return negative_errno;
	va_start(arguments, format);
	set(why, failure_of_errno(negative_errno), format, arguments);
	va_end(arguments);
	return negative_errno;
}

int (error_set_code)(struct error *why, int negative_errno, enum error_code code,
		   const char *format, ...)
{
	va_list arguments;

	if (!why)
		return negative_errno;
	va_start(arguments, format);
	set(why, code, format, arguments);
	va_end(arguments);
	return negative_errno;
}

int (error_prefix)(struct error *why, int negative_errno, const char *format, ...)
{
	struct error inner;
	va_list arguments;

	if (!why)
		return negative_errno;
	inner = *why;
	va_start(arguments, format);
	set(why, inner.code, format, arguments);
	va_end(arguments);
	why->origin = inner.origin;

	size_t used = strlen(why->text);
	int length = snprintf(why->text + used, sizeof(why->text) - used,
			      ": %s", inner.text);
	if (length >= (int)(sizeof(why->text) - used))
		mark_cut(why->text);
	return negative_errno;
}
