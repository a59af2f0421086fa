#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

static const struct {
	int value;
	enum error_code code;
} codes[] = {
	{ ECANCELED, ERROR_CANCELLED },
	{ EINVAL, ERROR_INVALID_ARGUMENT },
	{ ENOENT, ERROR_NOT_FOUND },
	{ ESRCH, ERROR_NOT_FOUND },
	{ EEXIST, ERROR_ALREADY_EXISTS },
	{ EPERM, ERROR_PERMISSION_DENIED },
	{ EACCES, ERROR_PERMISSION_DENIED },
	{ ENOMEM, ERROR_RESOURCE_EXHAUSTED },
	{ ENOSPC, ERROR_RESOURCE_EXHAUSTED },
	{ EMFILE, ERROR_RESOURCE_EXHAUSTED },
	{ ENFILE, ERROR_RESOURCE_EXHAUSTED },
	{ EDQUOT, ERROR_RESOURCE_EXHAUSTED },
	{ ENOBUFS, ERROR_RESOURCE_EXHAUSTED },
	{ ERANGE, ERROR_OUT_OF_RANGE },
	{ ENOSYS, ERROR_UNIMPLEMENTED },
	{ EOPNOTSUPP, ERROR_UNIMPLEMENTED },
	{ ETIMEDOUT, ERROR_DEADLINE_EXCEEDED },
	{ EAGAIN, ERROR_UNAVAILABLE },
	{ ECONNREFUSED, ERROR_UNAVAILABLE },
	{ ECONNRESET, ERROR_UNAVAILABLE },
	{ EPIPE, ERROR_UNAVAILABLE },
	{ EBADMSG, ERROR_PROTOCOL },
	{ EMSGSIZE, ERROR_PROTOCOL },
	{ EPROTO, ERROR_PROTOCOL },
};

enum error_code error_code_of_errno(int negative_errno)
{
	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].value == -negative_errno)
			return codes[i].code;
	return ERROR_INTERNAL;
}

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

int error_set(struct error *why, int negative_errno, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return negative_errno;
	va_start(arguments, format);
	set(why, error_code_of_errno(negative_errno), format, arguments);
	va_end(arguments);
	return negative_errno;
}

int error_set_code(struct error *why, int negative_errno, enum error_code code,
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

int error_prefix(struct error *why, int negative_errno, const char *format, ...)
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
