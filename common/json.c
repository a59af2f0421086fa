#include "common/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>

/* What the author of the text does about each of jansson's complaints. */
static const struct {
	enum json_error_code code;
	int result;
	const char *way_out;
} complaints[] = {
	{ json_error_out_of_memory, -ENOMEM, "free memory and try again" },
	{ json_error_invalid_utf8, -EBADMSG, "write the text as UTF-8" },
	{ json_error_premature_end_of_input, -EBADMSG, "the text is cut off" },
	{ json_error_end_of_input_expected, -EBADMSG,
	  "send one value, nothing after it" },
	{ json_error_null_character, -EBADMSG, "leave out \\u0000" },
	{ json_error_null_byte_in_key, -EBADMSG, "leave out \\u0000" },
	{ json_error_duplicate_key, -EBADMSG, "keep one of the two" },
	{ json_error_numeric_overflow, -EBADMSG,
	  "send large numbers as strings" },
};

static int complain(const json_error_t *error, struct error *why)
{
	int result = -EBADMSG;
	const char *way_out = "correct the text there";

	for (size_t i = 0; i < COUNT(complaints); i++) {
		if (complaints[i].code != json_error_code(error))
			continue;
		result = complaints[i].result;
		way_out = complaints[i].way_out;
	}
	return error_set(why, result, "JSON line %d, column %d: %s: %s",
			 error->line, error->column, error->text, way_out);
}

/*
 * Where in the text an opening bracket is one too deep, or NULL. Brackets in
 * strings do not count; text that is not JSON is left for jansson to refuse.
 */
static const uint8_t *find_too_deep(struct span text, unsigned depth_max)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.length; i++) {
		uint8_t byte = text.data[i];

		if (byte == '"')
			quoted = !quoted;
		else if (quoted && byte == '\\')
			i++;
		else if (!quoted && (byte == '[' || byte == '{')) {
			if (depth++ == depth_max)
				return text.data + i;
		} else if (!quoted && (byte == ']' || byte == '}') && depth > 0)
			depth--;
	}
	return NULL;
}

static int complain_depth(struct span text, const uint8_t *at,
			  unsigned depth_max, struct error *why)
{
	int line = 1, column = 1;

	for (const uint8_t *byte = text.data; byte < at; byte++) {
		if (*byte == '\n') {
			line++;
			column = 1;
		} else if ((*byte & 0xc0) != 0x80) {
			column++;
		}
	}
	return error_set(why, -EMSGSIZE,
			 "JSON line %d, column %d: nested deeper than %u: "
			 "flatten it",
			 line, column, depth_max);
}

int json_parse(struct span text, struct json_limits limits, json_t **ret,
	       struct error *why)
{
	const uint8_t *too_deep;
	json_error_t error;
	json_t *json = NULL;

	if (text.length > limits.bytes_max)
		return error_set(
			why, -EMSGSIZE,
			"JSON of %zu bytes is over the limit of %zu: send less",
			text.length, limits.bytes_max);
	too_deep = find_too_deep(text, limits.depth_max);
	if (too_deep)
		return complain_depth(text, too_deep, limits.depth_max, why);
	/* jansson takes a NULL pointer for a mistake of ours. */
	json = json_loadb(text.length ? (const char *)text.data : "",
			  text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &error);
	if (!json)
		return complain(&error, why);
	*ret = json;
	return 0;
}

int json_write(const json_t *json, size_t layout, char *buffer, size_t size,
	       struct error *why)
{
	size_t length =
		json_dumpb(json, buffer, size, layout | JSON_ENCODE_ANY);

	if (length == 0)
		return error_set(why, -EBADMSG, "a value has no JSON text");
	if (length >= size || length > INT_MAX)
		return error_set(why, -EMSGSIZE,
				 "JSON of %zu bytes does not fit into %zu",
				 length, size);
	buffer[length] = '\0';
	return (int)length;
}

static const char *type_name(const json_t *json)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a number",    [JSON_TRUE] = "a boolean",
		[JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
	};

	assert(json);
	return names[json_typeof(json)];
}

static int wrong_type(const char *path, size_t length, const char *wanted,
		      const json_t *found, struct error *why)
{
	return error_set(why, -EINVAL, "%.*s: expected %s, found %s",
			 length ? (int)length : 3, length ? path : "top",
			 wanted, type_name(found));
}

/*
 * Follows the path's first part, a name or "[place]", and moves *part behind
 * it. Paths are literals of ours: a malformed one is a mistake in the code.
 */
static int follow(const char *path, const char **part, json_t **json,
		  struct error *why)
{
	const char *start = *part;
	bool is_place = *start == '[';
	json_t *next;

	if (is_place ? !json_is_array(*json) : !json_is_object(*json))
		return wrong_type(path, (size_t)(start - path),
				  is_place ? "an array" : "an object", *json,
				  why);
	if (is_place) {
		char *end;
		size_t place = strtoul(start + 1, &end, 10);

		assert(end > start + 1 && *end == ']');
		next = json_array_get(*json, place);
		*part = end + 1;
	} else {
		start += *start == '.';
		size_t length = strcspn(start, ".[");

		assert(length > 0);
		next = json_object_getn(*json, start, length);
		*part = start + length;
	}
	if (!next || json_is_null(next))
		return error_set(why, -ENOENT, "%.*s: missing",
				 (int)(*part - path), path);
	*json = next;
	return 0;
}

/* The value at the path, whatever its type. */
static int find(json_t *root, const char *path, json_t **ret, struct error *why)
{
	json_t *json = root;
	const char *part = path;

	while (*part) {
		int r = follow(path, &part, &json, why);

		if (r < 0)
			return r;
	}
	*ret = json;
	return 0;
}

int json_get(json_t *root, const char *path, json_type type, json_t **ret,
	     struct error *why)
{
	json_t *json = NULL, wanted = { .type = type };
	int r = find(root, path, &json, why);

	if (r < 0)
		return r;
	if (json_typeof(json) != type)
		return wrong_type(path, strlen(path), type_name(&wanted), json,
				  why);
	*ret = json;
	return 0;
}

int json_get_text(json_t *root, const char *path, const char **ret,
		  struct error *why)
{
	json_t *json = NULL;
	int r = json_get(root, path, JSON_STRING, &json, why);

	if (r < 0)
		return r;
	*ret = json_string_value(json);
	return 0;
}

int json_get_int(json_t *root, const char *path, int64_t least, int64_t most,
		 int64_t *ret, struct error *why)
{
	json_t *json = NULL;
	int r = json_get(root, path, JSON_INTEGER, &json, why);

	if (r < 0)
		return r;
	int64_t value = json_integer_value(json);

	if (value < least || value > most)
		return error_set(why, -ERANGE,
				 "%s: %" PRId64 " is not between %" PRId64
				 " and %" PRId64,
				 path, value, least, most);
	*ret = value;
	return 0;
}

int json_get_real(json_t *root, const char *path, double *ret,
		  struct error *why)
{
	json_t *json = NULL;
	int r = find(root, path, &json, why);

	if (r < 0)
		return r;
	if (!json_is_number(json))
		return wrong_type(path, strlen(path), "a number", json, why);
	*ret = json_number_value(json);
	return 0;
}

int json_get_bool(json_t *root, const char *path, bool *ret, struct error *why)
{
	json_t *json = NULL;
	int r = find(root, path, &json, why);

	if (r < 0)
		return r;
	if (!json_is_boolean(json))
		return wrong_type(path, strlen(path), "a boolean", json, why);
	*ret = json_is_true(json);
	return 0;
}
