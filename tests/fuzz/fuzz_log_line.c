/*
 * fuzz_log_line.c - lines of log from strangers: what is taken for a record is
 * one JSON object of one line, and with another beginning still one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *parse(const uint8_t *data, size_t size)
{
	json_t *json = NULL;
	struct error why;

	if (json_parse((struct span){ data, size }, (struct json_limits){ 1 << 20, 4 }, &json,
		       &why) < 0 || !json_is_object(json))
		abort();
	return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[1 << 16];
	struct log_line line;
	json_t *json;
	int length;

	if (size > sizeof(text) / 2 || log_line_parse((struct span){ data, size }, &line) < 0)
		return 0;
	if (memchr(data, '\n', size))
		abort();
	json_decref(parse(data, size));
	length = snprintf(text, sizeof(text), "{\"component\":\"we\",\"pid\":%.*s%.*s}",
			  (int)line.pid.length, (const char *)line.pid.data,
			  (int)line.fields.length, (const char *)line.fields.data);
	json = parse((uint8_t *)text, (size_t)length);
	if (strcmp(json_string_value(json_object_get(json, "component")), "we") != 0 ||
	    !json_is_string(json_object_get(json, "msg")))
		abort();
	json_decref(json);
	return 0;
}
