#include "common/schema.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "common/text.h"

#define PATH_BYTES 160
#define SHOWN_BYTES 120

/* Where a value stands: its name or place below its parent's. */
struct place {
	const struct place *parent;
	const char *key;	/* NULL: an element */
	size_t index;
};

/* Writes the path, outermost first; returns its length. */
static size_t path_of(const struct place *place, char *ret, size_t size)
{
	size_t length = 0;
	int n;

	if (!place)
		return 0;
	length = path_of(place->parent, ret, size);
	if (length >= size)
		return length;
	n = place->key ? snprintf(ret + length, size - length, "%s%s",
				  length ? "." : "", place->key)
		       : snprintf(ret + length, size - length, "[%zu]",
				  place->index);
	return length + (size_t)n;
}

__attribute__((format(printf, 3, 4)))
static int refuse(struct error *why, const struct place *place,
		  const char *format, ...)
{
	char path[PATH_BYTES] = "", text[ERROR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	path_of(place, path, sizeof(path));
	return error_set_code(why, -EINVAL, ERROR_INVALID_ARGUMENT, "%s: %s",
			      path[0] ? path : "the arguments", text);
}

/* A value as a sentence shows it. */
static const char *shown(const json_t *value, char ret[SHOWN_BYTES])
{
	size_t length = json_dumpb(value, ret, SHOWN_BYTES - 1,
				   JSON_COMPACT | JSON_ENCODE_ANY);

	if (length >= SHOWN_BYTES)	/* it may be cut within a character */
		snprintf(ret, SHOWN_BYTES, "one of %zu bytes", length);
	else
		ret[length] = '\0';
	return ret;
}

/* ---- types ---- */

static const char *const type_names[] = {
	"null", "boolean", "integer", "number", "string", "array", "object",
	NULL,
};

static bool is_integer(const json_t *value)
{
	return json_is_integer(value) ||
	       (json_is_real(value) &&
		trunc(json_real_value(value)) == json_real_value(value));
}

static bool has_type(const json_t *value, const char *type)
{
	switch (type[0] == 'n' && type[2] == 'm' ? 'm' : type[0]) {
	case 'n': return json_is_null(value);
	case 'b': return json_is_boolean(value);
	case 'i': return is_integer(value);
	case 'm': return json_is_number(value);
	case 's': return json_is_string(value);
	case 'a': return json_is_array(value);
	default:  return json_is_object(value);
	}
}

static bool has_one_type(const json_t *value, const json_t *types)
{
	json_t *type;
	size_t i;

	if (json_is_string(types))
		return has_type(value, json_string_value(types));
	json_array_foreach(types, i, type)
		if (has_type(value, json_string_value(type)))
			return true;
	return false;
}

/* ---- what each word asks of a value ---- */

struct judged {
	json_t *schema, *value;
	const struct place *place;
	struct error *why;
};

static int check(json_t *schema, json_t *value, const struct place *place,
		 struct error *why);

static int check_type(const struct judged *judged, json_t *types)
{
	char text[SHOWN_BYTES], got[SHOWN_BYTES];

	if (has_one_type(judged->value, types))
		return 0;
	return refuse(judged->why, judged->place, "it must be of type %s, not %s",
		      shown(types, text), shown(judged->value, got));
}

/* 1 and 1.0 are the same value. */
static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_is_integer(a) && json_is_integer(b)
			       ? json_integer_value(a) == json_integer_value(b)
			       : !islessgreater(json_number_value(a),
						json_number_value(b));
	return json_equal(a, b);
}

static int check_enum(const struct judged *judged, json_t *values)
{
	char text[SHOWN_BYTES], got[SHOWN_BYTES];
	json_t *value;
	size_t i;

	json_array_foreach(values, i, value)
		if (same(value, judged->value))
			return 0;
	return refuse(judged->why, judged->place, "it must be one of %s, not %s",
		      shown(values, text), shown(judged->value, got));
}

static int check_const(const struct judged *judged, json_t *value)
{
	char text[SHOWN_BYTES], got[SHOWN_BYTES];

	if (same(value, judged->value))
		return 0;
	return refuse(judged->why, judged->place, "it must be %s, not %s",
		      shown(value, text), shown(judged->value, got));
}

static int check_bound(const struct judged *judged, json_t *bound, int sign,
		       bool exclusive)
{
	double gap = sign * (json_number_value(judged->value) -
			     json_number_value(bound));
	char text[SHOWN_BYTES], got[SHOWN_BYTES];

	/* Beyond 2^53 a double cannot tell neighbours apart. */
	if (json_is_integer(bound) && json_is_integer(judged->value)) {
		json_int_t a = json_integer_value(judged->value);
		json_int_t b = json_integer_value(bound);

		gap = sign * ((a > b) - (a < b));
	}
	if (!json_is_number(judged->value) || gap > 0 || (!exclusive && gap >= 0))
		return 0;
	return refuse(judged->why, judged->place, "it must be %s %s, not %s",
		      sign > 0 ? exclusive ? "more than" : "at least"
			       : exclusive ? "less than" : "at most",
		      shown(bound, text), shown(judged->value, got));
}

static int check_minimum(const struct judged *judged, json_t *bound)
{
	return check_bound(judged, bound, 1, false);
}

static int check_maximum(const struct judged *judged, json_t *bound)
{
	return check_bound(judged, bound, -1, false);
}

static int check_above(const struct judged *judged, json_t *bound)
{
	return check_bound(judged, bound, 1, true);
}

static int check_below(const struct judged *judged, json_t *bound)
{
	return check_bound(judged, bound, -1, true);
}

static json_int_t characters(const json_t *text)
{
	struct span rest = { (const uint8_t *)json_string_value(text),
			     json_string_length(text) };
	json_int_t count = 0;
	uint32_t code;

	while (rest.length > 0) {
		size_t length = text_character(rest, &code);

		rest = span_skip(rest, length ? length : 1);
		count++;
	}
	return count;
}

static int check_count(const struct judged *judged, json_int_t count,
		       const json_t *bound, bool least, const char *unit)
{
	json_int_t limit = json_integer_value(bound);

	if (least ? count >= limit : count <= limit)
		return 0;
	return refuse(judged->why, judged->place,
		      "it must have %s %" JSON_INTEGER_FORMAT " %s, not %"
		      JSON_INTEGER_FORMAT, least ? "at least" : "at most",
		      limit, unit, count);
}

static int check_min_length(const struct judged *judged, json_t *bound)
{
	return !json_is_string(judged->value) ? 0 :
	       check_count(judged, characters(judged->value), bound, true,
			   "characters");
}

static int check_max_length(const struct judged *judged, json_t *bound)
{
	return !json_is_string(judged->value) ? 0 :
	       check_count(judged, characters(judged->value), bound, false,
			   "characters");
}

static int check_min_items(const struct judged *judged, json_t *bound)
{
	return !json_is_array(judged->value) ? 0 :
	       check_count(judged, (json_int_t)json_array_size(judged->value),
			   bound, true, "elements");
}

static int check_max_items(const struct judged *judged, json_t *bound)
{
	return !json_is_array(judged->value) ? 0 :
	       check_count(judged, (json_int_t)json_array_size(judged->value),
			   bound, false, "elements");
}

static int check_items(const struct judged *judged, json_t *schema)
{
	json_t *element;
	size_t i;
	int r = 0;

	json_array_foreach(judged->value, i, element) {
		const struct place place = { judged->place, NULL, i };

		r = check(schema, element, &place, judged->why);
		if (r < 0)
			break;
	}
	return r;
}

static int check_required(const struct judged *judged, json_t *names)
{
	json_t *name;
	size_t i;

	if (!json_is_object(judged->value))
		return 0;
	json_array_foreach(names, i, name) {
		const struct place place = { judged->place,
					     json_string_value(name), 0 };

		if (!json_object_get(judged->value, place.key))
			return refuse(judged->why, &place, "it is missing");
	}
	return 0;
}

static int check_properties(const struct judged *judged, json_t *schemas)
{
	const char *key;
	json_t *schema;

	json_object_foreach(schemas, key, schema) {
		const struct place place = { judged->place, key, 0 };
		json_t *value = json_object_get(judged->value, key);
		int r = value ? check(schema, value, &place, judged->why) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

#define NAMES_MAX 64

static int refuse_name(const struct judged *judged, const char *key)
{
	json_t *properties = json_object_get(judged->schema, "properties");
	const char *names[NAMES_MAX + 1] = { NULL }, *name, *meant;
	const struct place place = { judged->place, key, 0 };
	size_t count = 0;
	json_t *unused;

	json_object_foreach(properties, name, unused)
		if (count < NAMES_MAX)
			names[count++] = name;
	meant = text_nearest(key, names);
	return refuse(judged->why, &place, "there is no such argument%s%s%s",
		      meant ? "; did you mean '" : "", meant ? meant : "",
		      meant ? "'?" : "");
}

static int check_additional(const struct judged *judged, json_t *schema)
{
	json_t *properties = json_object_get(judged->schema, "properties");
	const char *key;
	json_t *value;

	json_object_foreach(judged->value, key, value) {
		const struct place place = { judged->place, key, 0 };
		int r = 0;

		if (json_object_get(properties, key))
			continue;
		if (json_is_false(schema))
			return refuse_name(judged, key);
		r = check(schema, value, &place, judged->why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what each word must be in a schema ---- */

static int lint(json_t *schema, const struct place *place, unsigned depth,
		struct error *why);

static bool is_type_name(const json_t *type)
{
	const char *const *name = type_names;

	while (*name && !(json_is_string(type) &&
			  strcmp(*name, json_string_value(type)) == 0))
		name++;
	return *name;
}

static bool are_types(const json_t *types)
{
	json_t *type;
	size_t i;

	json_array_foreach(types, i, type)
		if (!is_type_name(type))
			return false;
	return json_array_size(types) > 0 || is_type_name(types);
}

static bool are_texts(const json_t *texts)
{
	json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
		if (!json_is_string(text))
			return false;
	return json_is_array(texts);
}

static bool are_values(const json_t *values)
{
	return json_array_size(values) > 0;
}

static bool is_number(const json_t *value)
{
	return json_is_number(value);
}

static bool is_count(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_anything(const json_t *value)
{
	return value != NULL;
}

enum nested { PLAIN, SCHEMA, SCHEMAS };

struct word {
	const char *name;
	int (*check)(const struct judged *judged, json_t *operand);
	bool (*fits)(const json_t *operand);	/* of a PLAIN word */
	const char *form;
	enum nested nested;
};

/* In the order of judging: the type first. */
static const struct word words[] = {
	{ "type", check_type, are_types, "a type's name or a list of them", PLAIN },
	{ "enum", check_enum, are_values, "a list of values", PLAIN },
	{ "const", check_const, is_anything, NULL, PLAIN },
	{ "required", check_required, are_texts, "a list of names", PLAIN },
	{ "additionalProperties", check_additional, NULL, NULL, SCHEMA },
	{ "properties", check_properties, NULL, NULL, SCHEMAS },
	{ "items", check_items, NULL, NULL, SCHEMA },
	{ "minItems", check_min_items, is_count, "a count", PLAIN },
	{ "maxItems", check_max_items, is_count, "a count", PLAIN },
	{ "minLength", check_min_length, is_count, "a count", PLAIN },
	{ "maxLength", check_max_length, is_count, "a count", PLAIN },
	{ "minimum", check_minimum, is_number, "a number", PLAIN },
	{ "maximum", check_maximum, is_number, "a number", PLAIN },
	{ "exclusiveMinimum", check_above, is_number, "a number", PLAIN },
	{ "exclusiveMaximum", check_below, is_number, "a number", PLAIN },
	{ "title", NULL, is_anything, NULL, PLAIN },
	{ "description", NULL, is_anything, NULL, PLAIN },
	{ "default", NULL, is_anything, NULL, PLAIN },
	{ "examples", NULL, is_anything, NULL, PLAIN },
	{ "$schema", NULL, is_anything, NULL, PLAIN },
};

static int check(json_t *schema, json_t *value, const struct place *place,
		 struct error *why)
{
	const struct judged judged = { schema, value, place, why };
	int r = 0;

	if (json_is_false(schema))
		return refuse(why, place, "nothing may stand here");
	for (size_t i = 0; i < COUNT(words) && r == 0; i++) {
		json_t *operand = json_object_get(schema, words[i].name);

		if (operand && words[i].check)
			r = words[i].check(&judged, operand);
	}
	return r;
}

int schema_check(json_t *schema, json_t *value, struct error *why)
{
	return check(schema, value, NULL, why);
}

static int lint_each(json_t *schemas, const struct place *place,
		     unsigned depth, struct error *why)
{
	const char *key;
	json_t *schema;
	int r = json_is_object(schemas) ? 0 :
		refuse(why, place, "it must be an object of schemas");

	json_object_foreach(schemas, key, schema) {
		const struct place below = { place, key, 0 };

		if (r == 0)
			r = lint(schema, &below, depth, why);
	}
	return r;
}

static int lint_word(const char *key, json_t *operand,
		     const struct place *parent, unsigned depth,
		     struct error *why)
{
	const struct place place = { parent, key, 0 };
	const char *names[COUNT(words) + 1] = { NULL }, *meant;

	for (size_t i = 0; i < COUNT(words); i++) {
		names[i] = words[i].name;
		if (strcmp(words[i].name, key) != 0)
			continue;
		if (words[i].nested == SCHEMA)
			return lint(operand, &place, depth, why);
		if (words[i].nested == SCHEMAS)
			return lint_each(operand, &place, depth, why);
		return words[i].fits(operand) ? 0 :
		       refuse(why, &place, "it must be %s", words[i].form);
	}
	meant = text_nearest(key, names);
	return refuse(why, &place, "no such word of a schema is known%s%s%s",
		      meant ? "; did you mean '" : "", meant ? meant : "",
		      meant ? "'?" : "");
}

static int lint(json_t *schema, const struct place *place, unsigned depth,
		struct error *why)
{
	const char *key;
	json_t *operand;
	int r = 0;

	if (json_is_boolean(schema))
		return 0;
	if (!json_is_object(schema))
		return refuse(why, place, "a schema is an object, true or false");
	if (depth == SCHEMA_DEPTH_MAX)
		return refuse(why, place, "schemas nested deeper than %d",
			      SCHEMA_DEPTH_MAX);
	json_object_foreach(schema, key, operand)
		if (r == 0)
			r = lint_word(key, operand, place, depth + 1, why);
	return r;
}

int schema_lint(json_t *schema, struct error *why)
{
	return lint(schema, NULL, 0, why);
}
