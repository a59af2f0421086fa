#include <limits.h>
#include <string.h>

#include "common/config.h"
#include "common/config_value.h"
#include "sandbox/policy.h"

#define WORDS_MAX (2 * SYSCALL_NUMBERS)
#define WIDTH 72

static void print_text(FILE *out, const char *text)
{
	config_value_print(out, &(struct config_row){ .type = CONFIG_STRING }, &text);
}

/* "NAME = { ... }" over as many lines as it takes; nothing if it is empty. */
struct list {
	FILE *out;
	const char *name;
	size_t count, column;
};

static void list_add(struct list *list, const char *word)
{
	size_t width = strlen(word) + strlen(" \"\",");

	if (list->count == 0)
		fprintf(list->out, "\t%s = {", list->name);
	else
		fputc(',', list->out);
	if (list->count == 0 || list->column + width > WIDTH) {
		fputs("\n\t\t", list->out);
		list->column = 16;
	} else {
		fputc(' ', list->out);
	}
	print_text(list->out, word);
	list->column += width;
	list->count++;
}

static void list_end(const struct list *list)
{
	if (list->count > 0)
		fputs("\n\t}\n", list->out);
}

static void print_list(FILE *out, const char *name, const char *const *words,
		       size_t count)
{
	struct list list = { .out = out, .name = name };

	for (size_t i = 0; i < count; i++)
		list_add(&list, words[i]);
	list_end(&list);
}

/* ---- files ---- */

static const char *list_of(const struct bind *bind)
{
	if (strcmp(bind->source, bind->target) != 0)
		return "bind";
	return bind->access == BIND_READ ? "read" : "write";
}

static void print_binds(FILE *out, const struct policy *policy, const char *name)
{
	struct list list = { .out = out, .name = name };
	bool moved = strcmp(name, "bind") == 0;
	char text[2 * PATH_MAX];

	for (size_t i = 0; i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		if (strcmp(list_of(bind), name) != 0)
			continue;
		snprintf(text, sizeof(text), "%s%s%s%s%s",
			 bind->optional ? "-" : "", bind->source,
			 moved ? ":" : "", moved ? bind->target : "",
			 moved && bind->access == BIND_WRITE ? ":rw" : "");
		list_add(&list, text);
	}
	list_end(&list);
}

static void print_files(FILE *out, const struct policy *policy)
{
	fputs("\nfiles {\n", out);
	print_binds(out, policy, "read");
	print_binds(out, policy, "write");
	print_binds(out, policy, "bind");
	print_list(out, "hide", policy->hidden, policy->hidden_count);
	fprintf(out, "\tproc = %s\n", policy->proc_full ? "full" : "pids");
	if (policy->repository_readonly)
		fputs("\trepository = readonly\n", out);
	fputs("}\n", out);
}

/* ---- system calls: groups that nearly fit, then what is over and under ---- */

/*
 * Adds a group to what is covered if two thirds of what it adds are in the set;
 * the rest is then denied by name.
 */
static bool cover_by_group(struct syscall_set *covered, const char *group,
			   const struct syscall_set *set)
{
	struct syscall_set members = { 0 };
	size_t wanted = 0, added = 0;

	(void)syscall_set_add(&members, group);
	for (int i = 0; i < SYSCALL_NUMBERS; i++) {
		if (!syscall_set_has(&members, i) || syscall_set_has(covered, i))
			continue;
		added++;
		wanted += syscall_set_has(set, i);
	}
	if (wanted == 0 || 3 * wanted < 2 * added)
		return false;
	(void)syscall_set_add(covered, group);
	return true;
}

static size_t names_of_difference(const struct syscall_set *set,
				  const struct syscall_set *without,
				  const char **ret)
{
	size_t count = 0;

	for (int i = 0; i < SYSCALL_NUMBERS; i++)
		if (syscall_set_has(set, i) && !syscall_set_has(without, i))
			ret[count++] = syscall_name(i);
	return count;
}

static void print_syscalls(FILE *out, const struct policy *policy)
{
	const char *allowed[WORDS_MAX], *denied[WORDS_MAX];
	struct syscall_set covered = { 0 };
	const char *group;
	size_t count = 0;

	for (size_t i = 0; (group = syscall_group_name(i)) != NULL; i++)
		if (cover_by_group(&covered, group, &policy->syscalls))
			allowed[count++] = group;
	count += names_of_difference(&policy->syscalls, &covered, allowed + count);
	fputs("\nsyscalls {\n", out);
	print_list(out, "allow", allowed, count);
	print_list(out, "deny", denied,
		   names_of_difference(&covered, &policy->syscalls, denied));
	fprintf(out, "\twrite_execute = %s\n}\n",
		policy->write_execute ? "true" : "false");
}

static void print_limits(FILE *out, const struct limits *limits)
{
	const char *name;

	fputs("\nlimits {\n", out);
	for (size_t i = 0; (name = limits_name(i)) != NULL; i++) {
		char value[LIMIT_TEXT_BYTES];

		limits_text(limits, i, value);
		fprintf(out, "\t%s = %s\n", name, value);
	}
	fputs("}\n", out);
}

void policy_print(const struct policy *policy, FILE *out)
{
	fputs("description = ", out);
	print_text(out, policy->description);
	fprintf(out, "\nworkspace = %s\n", workspace_mode_names[policy->workspace]);
	print_files(out, policy);
	print_syscalls(out, policy);
	fputs("\nenvironment {\n", out);
	print_list(out, "pass", policy->pass_env, policy->pass_env_count);
	print_list(out, "set", policy->set_env, policy->set_env_count);
	fprintf(out, "}\n\nnetwork {\n\tmode = %s\n\tinterfaces = %s\n}\n",
		network_mode_names[policy->network],
		policy->interfaces ? "true" : "false");
	print_limits(out, &policy->limits);
}
