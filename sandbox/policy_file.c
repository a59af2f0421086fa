#include "sandbox/policy_file.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/config.h"
#include "common/error.h"
#include "common/text.h"

#define TEXT_MAX 4096

const char *const network_mode_names[] = { "none", "host", NULL };
const char *const workspace_mode_names[] = {
	"none", "direct", "readonly", "overlay", NULL,
};
static const char *const proc_names[] = { "pids", "full", NULL };
static const char *const repository_names[] = { "writable", "readonly", NULL };

struct file {
	const char *include, *description;
	unsigned workspace, proc, network, repository;
	bool write_execute, interfaces;
	struct config_list read, write, bind, hide, allow, deny, pass, set;
	const char *wall, *cpu, *cpus, *memory, *pids, *output, *disk, *inodes, *files;
};

struct loading {
	struct policy *policy;
	struct arena *arena;
	struct error *why;
	bool may_include;
	int result;
};

/* ---- one value each; all but truths arrive as text ---- */

static int keep_text(struct loading *loading, const char *text, const char **ret)
{
	*ret = arena_text(loading->arena, "%s", text);
	return *ret ? 0 : error_set(loading->why, -ENOMEM, "out of memory");
}

static int take_include(struct loading *loading, const char *text)
{
	char name[POLICY_NAME_BYTES];
	int r;

	if (!loading->may_include)
		return error_set(loading->why, -EINVAL,
				 "an included policy may not include another");
	if (text[0] != '/' && strchr(text, '/'))
		return error_set(loading->why, -EINVAL,
				 "'%s': write a name or an absolute path", text);
	memcpy(name, loading->policy->name, sizeof(name));
	r = policy_load_included(loading->policy, text, loading->arena,
				 loading->why);
	memcpy(loading->policy->name, name, sizeof(name));
	return r;
}

static int take_description(struct loading *loading, const char *text)
{
	return keep_text(loading, text, &loading->policy->description);
}

static unsigned place_among(const char *const *names, const char *text)
{
	unsigned i = 0;

	while (names[i] && strcmp(names[i], text) != 0)
		i++;
	assert(names[i]);	/* common/config let it pass */
	return i;
}

static int take_workspace(struct loading *loading, const char *text)
{
	loading->policy->workspace = place_among(workspace_mode_names, text);
	return 0;
}

static int take_network(struct loading *loading, const char *text)
{
	loading->policy->network = place_among(network_mode_names, text);
	return 0;
}

static int take_proc(struct loading *loading, const char *text)
{
	loading->policy->proc_full = place_among(proc_names, text) == 1;
	return 0;
}

static int take_repository(struct loading *loading, const char *text)
{
	loading->policy->repository_readonly = place_among(repository_names, text) == 1;
	return 0;
}

static int take_write_execute(struct loading *loading, const char *text)
{
	loading->policy->write_execute = strcmp(text, "true") == 0;
	return 0;
}

static int take_interfaces(struct loading *loading, const char *text)
{
	loading->policy->interfaces = strcmp(text, "true") == 0;
	return 0;
}

static int too_many(const struct loading *loading, const char *what)
{
	return error_set(loading->why, -E2BIG, "more than %d %s",
			 POLICY_ROWS_MAX, what);
}

static int insert_bind(struct loading *loading, const struct bind *bind)
{
	struct policy *policy = loading->policy;

	return bind_insert(policy->binds, &policy->bind_count, POLICY_ROWS_MAX,
			   bind) < 0 ? too_many(loading, "binds") : 0;
}

static int take_read(struct loading *loading, const char *text)
{
	struct bind bind;
	int r = bind_parse_path(&bind, text, BIND_READ, loading->arena, loading->why);

	return r < 0 ? r : insert_bind(loading, &bind);
}

static int take_write(struct loading *loading, const char *text)
{
	struct bind bind;
	int r = bind_parse_path(&bind, text, BIND_WRITE, loading->arena, loading->why);

	return r < 0 ? r : insert_bind(loading, &bind);
}

static int take_bind(struct loading *loading, const char *text)
{
	struct bind bind;
	int r = bind_parse(&bind, text, loading->arena, loading->why);

	return r < 0 ? r : insert_bind(loading, &bind);
}

/* Appends a text, in place of the row that says the same up to length. */
static int append(struct loading *loading, const char **rows, size_t *count,
		  const char *text, size_t length, const char *what)
{
	size_t i = 0;

	while (i < *count && strncmp(rows[i], text, length) != 0)
		i++;
	if (i == POLICY_ROWS_MAX)
		return too_many(loading, what);
	*count += i == *count;
	return keep_text(loading, text, &rows[i]);
}

static int take_hide(struct loading *loading, const char *text)
{
	struct policy *policy = loading->policy;
	int r = bind_check_path(text, loading->why);

	return r < 0 ? r : append(loading, policy->hidden, &policy->hidden_count,
				  text, strlen(text) + 1, "hidden paths");
}

static int take_words(struct loading *loading, const char *word,
		      int (*take)(struct syscall_set *, const char *))
{
	int r = take(&loading->policy->syscalls, word);

	if (r == -EPERM)
		return error_set(loading->why, -EINVAL,
				 "'%s' cannot be allowed: no filter sees what it is asked to do",
				 word);
	if (r == -ENOENT)
		return error_set(loading->why, -EINVAL,
				 "there is no system call or group '%s'", word);
	return r;
}

static int take_allow(struct loading *loading, const char *text)
{
	return take_words(loading, text, syscall_set_add);
}

static int take_deny(struct loading *loading, const char *text)
{
	int number = syscall_number(text);

	if (number >= 0 && syscall_is_opaque(number))
		return 0;	/* it is */
	return take_words(loading, text, syscall_set_remove);
}

static size_t variable_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return isdigit((unsigned char)text[0]) ? 0 : length;
}

static int take_pass(struct loading *loading, const char *text)
{
	struct policy *policy = loading->policy;
	size_t length = variable_length(text);

	if (length == 0 || text[length])
		return error_set(loading->why, -EINVAL,
				 "'%s' is no name of a variable", text);
	return append(loading, policy->pass_env, &policy->pass_env_count, text,
		      length + 1, "passed variables");
}

static int take_set(struct loading *loading, const char *text)
{
	struct policy *policy = loading->policy;
	size_t length = variable_length(text);

	if (length == 0 || text[length] != '=')
		return error_set(loading->why, -EINVAL, "'%s': write NAME=VALUE", text);
	return append(loading, policy->set_env, &policy->set_env_count, text,
		      length + 1, "set variables");
}

static int take_limit(struct loading *loading, const char *name, const char *text)
{
	char both[64];

	if (snprintf(both, sizeof(both), "%s=%s", name, text) >= (int)sizeof(both))
		return error_set(loading->why, -EINVAL, "'%s' is too long", text);
	return limits_set(&loading->policy->limits, both, loading->why);
}

/* ---- the rows ---- */

#define TEXT(member) SETTING(struct file, member, STRING), 0, TEXT_MAX, "", NULL
#define LIST(member) SETTING(struct file, member, LIST), 0, 4 * SYSCALL_NUMBERS, "", NULL
#define CHOICE(member, standard) SETTING(struct file, member, ENUM), 0, 0, standard, NULL
#define TRUTH(member) SETTING(struct file, member, BOOL), 0, 0, "false", NULL

static const struct config_row top_rows[] = {
	{ "include", TEXT(include), "The policy this one starts from.", NULL },
	{ "description", TEXT(description), "What it is for, in a line.", NULL },
	{ "workspace", CHOICE(workspace, "none"), "How a workspace is mounted.",
	  workspace_mode_names },
};
static const struct config_row files_rows[] = {
	{ "read", LIST(read), "Paths of the host that may be read.", NULL },
	{ "write", LIST(write), "Paths of the host that may be written.", NULL },
	{ "bind", LIST(bind), "Paths that appear at another place.", NULL },
	{ "hide", LIST(hide), "Paths covered by nothing, also below others.", NULL },
	{ "proc", CHOICE(proc, "pids"), "What /proc shows.", proc_names },
	{ "repository", CHOICE(repository, "writable"), "A workspace's own .git and .cupel.",
	  repository_names },
};
static const struct config_row syscalls_rows[] = {
	{ "allow", LIST(allow), "Calls and groups that are allowed.", NULL },
	{ "deny", LIST(deny), "Calls and groups that are not, after all.", NULL },
	{ "write_execute", TRUTH(write_execute), "May memory that was written be executed?", NULL },
};
static const struct config_row environment_rows[] = {
	{ "pass", LIST(pass), "Names of the caller's variables that are kept.", NULL },
	{ "set", LIST(set), "Variables with their values.", NULL },
};
static const struct config_row network_rows[] = {
	{ "mode", CHOICE(network, "none"), "Whose network it is.", network_mode_names },
	{ "interfaces", TRUTH(interfaces), "May network interfaces be listed?", NULL },
};
static const struct config_row limits_rows[] = {
	{ "wall", TEXT(wall), "Time from start to end.", NULL },
	{ "cpu", TEXT(cpu), "Time of processors, all processes together.", NULL },
	{ "cpus", TEXT(cpus), "Processors' worth of time at once.", NULL },
	{ "memory", TEXT(memory), "Memory of all processes and of /tmp.", NULL },
	{ "pids", TEXT(pids), "Processes and threads.", NULL },
	{ "output", TEXT(output), "Standard output and error together.", NULL },
	{ "disk", TEXT(disk), "Bytes in /tmp, and of an overlay's changes.", NULL },
	{ "inodes", TEXT(inodes), "Files in the same places.", NULL },
	{ "files", TEXT(files), "Open descriptors of a process.", NULL },
};

#define SECTION(name, help, rows) { name, NULL, help, rows, COUNT(rows), 0, 0, 0 }

static const struct config_section sections[] = {
	SECTION("", "The policy as a whole.", top_rows),
	SECTION("files", "What is seen of the host's files.", files_rows),
	SECTION("syscalls", "What may be asked of the kernel.", syscalls_rows),
	SECTION("environment", "What is in the environment.", environment_rows),
	SECTION("network", "What is reached.", network_rows),
	SECTION("limits", "How much may be used.", limits_rows),
};

/* A row and what takes its value; rows of limits share one. */
static const struct {
	const char *name;
	int (*take)(struct loading *loading, const char *text);
} takers[] = {
	{ "include", take_include },	   { "description", take_description },
	{ "workspace", take_workspace },   { "read", take_read },
	{ "write", take_write },	   { "bind", take_bind },
	{ "hide", take_hide },		   { "proc", take_proc },
	{ "repository", take_repository },
	{ "allow", take_allow },	   { "deny", take_deny },
	{ "pass", take_pass },		   { "set", take_set },
	{ "mode", take_network },	   { "interfaces", take_interfaces },
	{ "write_execute", take_write_execute },
};

static int take_text(struct loading *loading, const struct config_row *row,
		     const char *text)
{
	for (size_t i = 0; i < COUNT(takers); i++)
		if (strcmp(takers[i].name, row->name) == 0)
			return takers[i].take(loading, text);
	return take_limit(loading, row->name, text);
}

static int take_member(struct loading *loading, const struct config_row *row,
		       const void *member)
{
	const struct config_list *list = member;
	int r = 0;

	if (row->type == CONFIG_BOOL)
		return take_text(loading, row, *(const bool *)member ? "true" : "false");
	if (row->type == CONFIG_ENUM)
		return take_text(loading, row, row->choices[*(const unsigned *)member]);
	if (row->type == CONFIG_STRING)
		return take_text(loading, row, *(const char *const *)member);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = take_text(loading, row, list->items[i]);
	return r;
}

/* Only what the file says: a default must not undo what was included. */
static void take_entry(void *context, const struct config_entry *entry)
{
	struct loading *loading = context;
	char key[CONFIG_KEY_BYTES];

	if (loading->result < 0 || !entry->file)
		return;
	loading->result = take_member(loading, entry->row, entry->member);
	config_key(entry->section, entry->titles, entry->row, key);
	if (loading->result < 0)
		error_prefix(loading->why, loading->result, "%s:%u: %s",
			     entry->file, entry->line, key);
}

/* The command itself is started under the filter. */
static int check_startable(const struct loading *loading, const char *file)
{
	static const char *const needed[] = { "execve", "exit_group" };

	for (size_t i = 0; i < COUNT(needed); i++)
		if (!syscall_set_has(&loading->policy->syscalls,
				     syscall_number(needed[i])))
			return error_set(loading->why, -EINVAL,
					 "%s: without '%s' in syscalls.allow no command starts",
					 file, needed[i]);
	return 0;
}

int policy_parse(struct policy *ret, const char *file, struct span text,
		 bool may_include, struct arena *arena, struct error *why)
{
	struct loading loading = { .policy = ret, .arena = arena, .why = why,
				   .may_include = may_include };
	struct file settings;
	struct config config;

	config_init(&config, sections, COUNT(sections), &settings);
	loading.result = config_parse(&config, file, text, why);
	if (loading.result == 0)
		config_each(&config, take_entry, &loading);
	config_release(&config);
	return loading.result < 0 ? loading.result : check_startable(&loading, file);
}
