#include "workers/improve/knobs.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "workers/improve/settle.h"

#define RANGE_LEVELS_MOST 1024

static const struct workspace_knob *knob_at(const struct knobs *knobs, size_t index)
{
	return (const struct workspace_knob *)knobs->file->knobs.items + index;
}

static const char *variable_of(const struct workspace_knob *knob)
{
	return *knob->variable ? knob->variable : knob->title;
}

/* ---- files ---- */

static void want(struct knobs *knobs, const char *path)
{
	for (size_t i = 0; i < knobs->file_count; i++)
		if (strcmp(knobs->files[i].path, path) == 0)
			return;
	knobs->files[knobs->file_count++].path = path;
}

void knobs_want(struct knobs *knobs, const struct workspace_file *file)
{
	*knobs = (struct knobs){ .file = file };
	for (size_t i = 0; i < file->knobs.count; i++)
		if (knob_at(knobs, i)->kind == KNOB_FILE)
			want(knobs, knob_at(knobs, i)->file);
	want(knobs, WORKSPACE_FILE_NAME);
}

/* One of those that were wanted. */
static const struct knob_file *file_of(const struct knobs *knobs, const char *path)
{
	size_t i = 0;

	while (strcmp(knobs->files[i].path, path) != 0)
		i++;
	assert(i < knobs->file_count);
	return &knobs->files[i];
}

/* A run of bytes in a text. */
struct place {
	size_t start, end;
};

/* How often the pattern matches, up to twice; ret: its group, the first time. */
static int match(const char *pattern, const char *text, struct place *ret)
{
	regmatch_t found[2];
	regex_t expression;
	size_t at = 0;
	int count = 0;

	if (regcomp(&expression, pattern, REG_EXTENDED | REG_NEWLINE) != 0)
		return 0;
	while (count < 2 && regexec(&expression, text + at, 2, found,
				    at ? REG_NOTBOL : 0) == 0) {
		if (count++ == 0)
			*ret = (struct place){ at + (size_t)found[1].rm_so,
					       at + (size_t)found[1].rm_eo };
		at += (size_t)found[0].rm_eo + (found[0].rm_eo == found[0].rm_so);
		if (at > strlen(text))
			break;
	}
	regfree(&expression);
	return count;
}

/* ---- present values ---- */

static int read_file_value(const struct knobs *knobs, const struct workspace_knob *knob,
			   char ret[KNOB_TEXT_BYTES], struct error *why)
{
	const struct knob_file *file = file_of(knobs, knob->file);
	struct place place;
	int count = match(knob->pattern, file->content, &place);

	if (count != 1)
		return error_set(why, -EINVAL,
				 "knob %s: its pattern matches %s in %s; it must match exactly once",
				 knob->title, count == 0 ? "nothing" : "more than once",
				 knob->file);
	if (place.end - place.start >= KNOB_TEXT_BYTES)
		return error_set(why, -EINVAL, "knob %s: its value in %s is too long",
				 knob->title, knob->file);
	snprintf(ret, KNOB_TEXT_BYTES, "%.*s", (int)(place.end - place.start),
		 file->content + place.start);
	return 0;
}

static int present_value(const struct knobs *knobs, const struct workspace_knob *knob,
			 char ret[KNOB_TEXT_BYTES], struct error *why)
{
	if (knob->kind == KNOB_FILE)
		return read_file_value(knobs, knob, ret, why);
	snprintf(ret, KNOB_TEXT_BYTES, "%s", knob->current);
	return 0;
}

static int find_value(const struct config_list *list, const char *value)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], value) == 0)
			return (int)i;
	return -1;
}

/* ---- the space ---- */

static int init_list(const struct workspace_knob *knob, const char *present,
		     struct space_parameter *ret, enum space_class *classes,
		     struct error *why)
{
	int current = find_value(&knob->values, present);

	if (current < 0)
		return error_set(why, -EINVAL,
				 "knob %s: its present value '%s' is none of its values; add it to the list",
				 knob->title, present);
	for (size_t i = 0; i < knob->values.count; i++) {
		const char *value = knob->values.items[i];

		classes[i] = find_value(&knob->unsafe, value) >= 0 ? SPACE_UNSAFE :
			     find_value(&knob->relaxed, value) >= 0 ? SPACE_RELAXED :
			     (enum space_class)knob->semantics;
	}
	*ret = (struct space_parameter){
		.kind = knob->ordered ? SPACE_ORDER : SPACE_CATEGORY,
		.count = (uint16_t)knob->values.count, .current = (uint16_t)current,
		.class = (enum space_class)knob->semantics, .classes = classes,
	};
	return 0;
}

/* Levels of a range: by its step, or so many that a search can tell them apart. */
static double range_levels(const struct workspace_knob *knob)
{
	bool log_scale = knob->scale == SCALE_LOG;
	double ends = log_scale ? log(knob->most / knob->least) : knob->most - knob->least;
	double step = isnan(knob->step) ? 0 : log_scale ? log(knob->step) : knob->step;

	if (step > 0)
		return floor(ends / step + 1e-9) + 1;
	if (log_scale)
		return floor(ends / log(2) + 1e-9) + 1;
	return knob->integer && ends < 32 ? ends + 1 : 17;
}

static int init_range(const struct workspace_knob *knob, const char *present,
		      struct space_parameter *ret, struct error *why)
{
	double levels = range_levels(knob);
	char *end;
	double value = strtod(present, &end);

	if (end == present || *end || value < knob->least || value > knob->most)
		return error_set(why, -EINVAL,
				 "knob %s: its present value '%s' is not between %g and %g",
				 knob->title, present, knob->least, knob->most);
	if (!(levels >= 2 && levels <= RANGE_LEVELS_MOST))
		return error_set(why, -EINVAL,
				 "knob %s: a step that makes 2 to %d values is needed",
				 knob->title, RANGE_LEVELS_MOST);
	*ret = (struct space_parameter){
		.kind = knob->scale == SCALE_LOG ? SPACE_LOG : SPACE_LINEAR,
		.count = (uint16_t)levels, .least = knob->least, .most = knob->most,
		.whole = knob->integer, .class = (enum space_class)knob->semantics,
	};
	space_place(ret, value);
	return 0;
}

/* workspace_file.c has seen to it that there is such a knob further up. */
static void init_condition(const struct knobs *knobs, const struct workspace_knob *knob,
			   struct space_parameter *ret)
{
	size_t length = strcspn(knob->when, "=");

	for (size_t i = 0; *knob->when && i < knobs->file->knobs.count; i++) {
		const struct workspace_knob *parent = knob_at(knobs, i);
		int value = find_value(&parent->values, knob->when + length + 1);

		if (strlen(parent->title) != length || value < 0 ||
		    strncmp(parent->title, knob->when, length) != 0)
			continue;
		ret->has_parent = true;
		ret->parent = (uint16_t)i;
		ret->when = UINT64_C(1) << value;
		return;
	}
}

static int init_parameter(struct knobs *knobs, size_t index, struct error *why)
{
	const struct workspace_knob *knob = knob_at(knobs, index);
	struct space_parameter *parameter = &knobs->parameters[index];
	char present[KNOB_TEXT_BYTES];
	int r = present_value(knobs, knob, present, why);

	if (r == 0)
		r = knob->values.count ? init_list(knob, present, parameter,
						   knobs->classes[index], why) :
					 init_range(knob, present, parameter, why);
	if (r == 0)
		init_condition(knobs, knob, parameter);
	return r;
}

int knobs_init(struct knobs *knobs, struct error *why)
{
	size_t count = knobs->file->knobs.count, wrong = 0;
	const char *reason;

	for (size_t i = 0; i < count; i++) {
		int r = init_parameter(knobs, i, why);

		if (r < 0)
			return r;
	}
	knobs->space = (struct space){ knobs->parameters, count,
				       (enum space_class)knobs->file->improve.semantics };
	reason = count ? space_check(&knobs->space, &wrong) : NULL;
	if (reason)
		return error_set(why, -EINVAL, "knob %s: %s", knob_at(knobs, wrong)->title,
				 reason);
	return 0;
}

int knobs_check_any(const struct knobs *knobs, struct error *why)
{
	return knobs->space.count ? 0 :
	       error_set(why, -ENOENT,
			 "no knob to tune; declare one in " WORKSPACE_FILE_NAME
			 ": knob NAME { values = { \"-O2\", \"-O3\" } ... }, or only measure by --mode observe");
}

bool knobs_avoid(struct knobs *knobs, const char *knob, const char *value)
{
	for (size_t i = 0; i < knobs->space.count; i++) {
		int level = strcmp(knob_at(knobs, i)->title, knob) == 0 ?
				    find_value(&knob_at(knobs, i)->values, value) : -1;

		if (level < 0 || level == knobs->parameters[i].current)
			continue;
		knobs->classes[i][level] = SPACE_AVOIDED;
		return true;
	}
	return false;
}

/* ---- a config as text ---- */

void knobs_value(const struct knobs *knobs, size_t index, unsigned level,
		 char ret[KNOB_TEXT_BYTES])
{
	const struct workspace_knob *knob = knob_at(knobs, index);

	if (knob->values.count)
		snprintf(ret, KNOB_TEXT_BYTES, "%s", knob->values.items[level]);
	else
		snprintf(ret, KNOB_TEXT_BYTES, "%.*g", knob->integer ? 17 : 9,
			 space_value(&knobs->parameters[index], level));
}

static bool differs(const struct knobs *knobs, const struct space_config *config,
		    size_t index)
{
	return config->levels[index] != knobs->parameters[index].current;
}

json_t *knobs_environment(const struct knobs *knobs, const struct space_config *config)
{
	json_t *ret = json_object();
	char value[KNOB_TEXT_BYTES];

	for (size_t i = 0; i < knobs->space.count; i++) {
		if (knob_at(knobs, i)->kind != KNOB_ENV)
			continue;
		knobs_value(knobs, i, config->levels[i], value);
		json_object_set_new(ret, variable_of(knob_at(knobs, i)), json_string(value));
	}
	return ret;
}

json_t *knobs_run_environment(const struct knobs *knobs, const json_t *environment)
{
	json_t *ret = json_copy((json_t *)(uintptr_t)environment);

	for (size_t i = 0; i < knobs->space.count; i++)
		if (knob_at(knobs, i)->kind == KNOB_ENV && knob_at(knobs, i)->build_only)
			json_object_del(ret, variable_of(knob_at(knobs, i)));
	return ret;
}

static bool is_in_file(const struct workspace_knob *knob, const char *path)
{
	return knob->kind == KNOB_FILE && strcmp(knob->file, path) == 0;
}

bool knobs_build_decides(const struct knobs *knobs, const struct space_config *config,
			 json_t *paths)
{
	for (size_t i = 0; i < knobs->space.count; i++)
		if (differs(knobs, config, i) && knob_at(knobs, i)->kind == KNOB_ENV &&
		    !knob_at(knobs, i)->build_only)
			return false;
	for (size_t f = 0; f < knobs->file_count; f++) {
		const char *path = knobs->files[f].path;
		bool built = false, read = false;

		for (size_t i = 0; i < knobs->space.count; i++) {
			if (!is_in_file(knob_at(knobs, i), path))
				continue;
			built = true;
			read |= !knob_at(knobs, i)->build_only;
		}
		if (built && !read)
			json_array_append_new(paths, json_string(path));
	}
	return true;
}

/* The text with that place replaced. */
static const char *replace(struct arena *arena, const char *text, struct place place,
			   const char *value)
{
	return arena_text(arena, "%.*s%s%s", (int)place.start, text, value,
			  text + place.end);
}

/* The text of a file with the changed knobs in it; NULL: out of memory. */
static const char *changed_text(const struct knobs *knobs, const struct space_config *config,
				const struct knob_file *file, struct arena *arena)
{
	const char *text = file->content;
	char value[KNOB_TEXT_BYTES];
	struct place place;

	for (size_t i = 0; text && i < knobs->space.count; i++) {
		const struct workspace_knob *knob = knob_at(knobs, i);

		if (!differs(knobs, config, i) || !is_in_file(knob, file->path) ||
		    match(knob->pattern, text, &place) != 1)
			continue;
		knobs_value(knobs, i, config->levels[i], value);
		text = replace(arena, text, place, value);
	}
	return text;
}

/* A knob may stand in cupel.conf itself. */
static int check_readable(const char *text, struct error *why)
{
	struct workspace_file file;
	struct config config;
	int r = workspace_file_parse(&config, &file, WORKSPACE_FILE_NAME, span_of_text(text),
				     why);

	config_release(&config);
	return r < 0 ? error_prefix(why, -EBUSY, "so changed it would not be read any more") : 0;
}

/* The same text with the changed variables as they are to be from now on. */
static int settle(const struct knobs *knobs, const struct space_config *config,
		  struct arena *arena, const char **text, struct error *why)
{
	char value[KNOB_TEXT_BYTES];
	int r = check_readable(*text, why);

	for (size_t i = 0; r == 0 && i < knobs->space.count; i++) {
		const struct workspace_knob *knob = knob_at(knobs, i);

		if (!differs(knobs, config, i) || knob->kind != KNOB_ENV)
			continue;
		knobs_value(knobs, i, config->levels[i], value);
		r = settle_current(arena, *text, knob->title, value, text, why);
	}
	return r;
}

int knobs_files(const struct knobs *knobs, const struct space_config *config, bool settled,
		struct arena *arena, json_t **ret, struct error *why)
{
	json_t *files = json_array();
	int r = 0;

	for (size_t f = 0; r == 0 && f < knobs->file_count; f++) {
		const struct knob_file *file = &knobs->files[f];
		const char *text = changed_text(knobs, config, file, arena);

		if (!text)
			r = error_set(why, -ENOMEM, "out of memory");
		else if (settled && strcmp(file->path, WORKSPACE_FILE_NAME) == 0)
			r = settle(knobs, config, arena, &text, why);
		if (r == 0 && text != file->content)
			json_array_append_new(files,
				json_pack("{s:s, s:s, s:s}", "path", file->path, "content",
					  text, "before_sha256", file->sha256));
	}
	if (r < 0)
		json_decref(files);
	else
		*ret = files;
	return r;
}

json_t *knobs_changes(const struct knobs *knobs, const struct space_config *config)
{
	json_t *ret = json_array();
	char from[KNOB_TEXT_BYTES], to[KNOB_TEXT_BYTES];

	for (size_t i = 0; i < knobs->space.count; i++) {
		const struct workspace_knob *knob = knob_at(knobs, i);
		bool in_file = knob->kind == KNOB_FILE;

		if (!differs(knobs, config, i))
			continue;
		knobs_value(knobs, i, knobs->parameters[i].current, from);
		knobs_value(knobs, i, config->levels[i], to);
		json_array_append_new(ret,
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "knob", knob->title, "kind",
				  in_file ? "file" : "env", in_file ? "file" : "variable",
				  in_file ? knob->file : variable_of(knob), "from", from,
				  "to", to));
	}
	return ret;
}

/* ---- and back ---- */

static int level_of(const struct knobs *knobs, size_t index, const char *text)
{
	char value[KNOB_TEXT_BYTES];

	for (unsigned i = 0; i < knobs->parameters[index].count; i++) {
		knobs_value(knobs, index, i, value);
		if (strcmp(value, text) == 0)
			return (int)i;
	}
	return -1;
}

static int take_change(const struct knobs *knobs, const json_t *change,
		       struct space_config *config, struct error *why)
{
	const char *name = json_string_value(json_object_get(change, "knob"));
	const char *from = json_string_value(json_object_get(change, "from"));
	const char *to = json_string_value(json_object_get(change, "to"));
	char present[KNOB_TEXT_BYTES];

	for (size_t i = 0; name && from && to && i < knobs->space.count; i++) {
		if (strcmp(knob_at(knobs, i)->title, name) != 0)
			continue;
		int level = level_of(knobs, i, to);

		knobs_value(knobs, i, knobs->parameters[i].current, present);
		if (strcmp(present, from) != 0)
			return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
					      "knob %s is '%s' by now, not '%s' as when this was proved; run cupel improve again",
					      name, present, from);
		if (level < 0)
			break;
		config->levels[i] = (uint16_t)level;
		return 0;
	}
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
			      "knob %s or its value '%s' is no longer declared in " WORKSPACE_FILE_NAME
			      "; run cupel improve again", name ? name : "?", to ? to : "?");
}

int knobs_config(const struct knobs *knobs, const json_t *changes,
		 struct space_config *ret, struct error *why)
{
	int r = 0;

	space_current(&knobs->space, ret);
	for (size_t i = 0; r == 0 && i < json_array_size(changes); i++)
		r = take_change(knobs, json_array_get(changes, i), ret, why);
	return r;
}

void knobs_describe(const struct knobs *knobs, const struct space_config *config,
		    char *ret, size_t size)
{
	char from[KNOB_TEXT_BYTES], to[KNOB_TEXT_BYTES];
	char words[2 * KNOB_TEXT_BYTES + CONFIG_TITLE_BYTES_MAX + sizeof(", :  to ")];
	size_t used = 0;

	snprintf(ret, size, "nothing");
	for (size_t i = 0; i < knobs->space.count && used + 1 < size; i++) {
		if (!differs(knobs, config, i))
			continue;
		knobs_value(knobs, i, knobs->parameters[i].current, from);
		knobs_value(knobs, i, config->levels[i], to);
		snprintf(words, sizeof(words), "%s%s: %s to %s", used ? ", " : "",
			 knob_at(knobs, i)->title, *from ? from : "(empty)",
			 *to ? to : "(empty)");
		used += text_escape(span_of_text(words), ret + used, size - used);
	}
}
