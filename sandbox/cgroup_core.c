#include "sandbox/cgroup_core.h"

#include <errno.h>
#include <string.h>

/* A decimal number at *text, which moves past it; false when there is none. */
static bool take_number(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t number = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX
							    : number * 10 + digit;
	}
	*text = p;
	*ret = number;
	return true;
}

/* Whether one of the words in list, apart by separators, is name. */
static bool has_word(const char *list, size_t length, const char *separators,
		     const char *name)
{
	size_t name_length = strlen(name);

	for (size_t at = 0; at <= length;) {
		size_t word = 0;

		while (at + word < length && !strchr(separators, list[at + word]))
			word++;
		if (word == name_length && memcmp(list + at, name, word) == 0)
			return true;
		at += word + 1;
	}
	return false;
}

bool cgroup_list_has(const char *list, const char *name)
{
	return has_word(list, strlen(list), " \n", name);
}

static int copy_path(const char *path, size_t length, char *ret, size_t size)
{
	if (length >= 3 && memcmp(path, "/..", 3) == 0 &&
	    (length == 3 || path[3] == '/'))
		return -EXDEV;
	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(ret, path, length);
	ret[length] = '\0';
	return 0;
}

int cgroup_own_path(const char *text, const char *controller, char *ret,
		    size_t size)
{
	/* A line is "ID:CONTROLLER,CONTROLLER:PATH"; v2 has no controllers. */
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		const char *list = memchr(line, ':', length);
		const char *path = NULL;

		if (list++)
			path = memchr(list, ':', length - (size_t)(list - line));
		if (path && path[1] == '/' &&
		    has_word(list, (size_t)(path - list), ",", controller))
			return copy_path(path + 1,
					 length - (size_t)(path + 1 - line),
					 ret, size);
		line += length + (line[length] == '\n');
	}
	return -ENOENT;
}

int64_t cgroup_figure(const char *text, const char *key)
{
	size_t length = strlen(key);
	uint64_t sum = 0, number;
	bool found = false;

	for (const char *p = text;; p++) {
		if (strncmp(p, key, length) == 0) {
			p += length;
			p += strspn(p, " \t");
			if (take_number(&p, &number)) {
				sum = number > INT64_MAX - sum ? INT64_MAX : sum + number;
				found = true;
			}
		}
		p += strcspn(p, " \n");
		if (!*p || !length)
			return found ? (int64_t)sum : -1;
	}
}

bool cgroup_name_parse(const char *name, struct cgroup_launcher *ret)
{
	static const char prefix[] = "cupel";
	uint64_t numbers[4];	/* the last is the launcher's own count */

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	name += sizeof(prefix) - 1;
	for (int i = 0; i < 4; i++)
		if (*name++ != '-' || !take_number(&name, &numbers[i]))
			return false;
	if (*name || numbers[1] == 0 || numbers[1] > INT32_MAX)
		return false;
	*ret = (struct cgroup_launcher){ numbers[0], numbers[1], numbers[2] };
	return true;
}
