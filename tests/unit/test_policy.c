#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/error.h"
#include "sandbox/exposure.h"
#include "sandbox/policy_file.h"

#define STARTS "syscalls { allow = { \"@default\" } }\n"

/* ---- a directory of our own, as the owner's ---- */

struct place {
	char root[64], policies[256];
	struct arena arena;
};

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void put(const struct place *place, const char *name, const char *text)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/%s", place->policies, name);
	write_text(path, text, 0644);
}

static int set_up(void **state)
{
	static struct place place;
	char path[160];

	snprintf(place.root, sizeof(place.root), "/tmp/cupel-policy.XXXXXX");
	assert_non_null(mkdtemp(place.root));
	snprintf(path, sizeof(path), "%s/cupel", place.root);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(place.policies, sizeof(place.policies), "%s/policies", path);
	assert_int_equal(mkdir(place.policies, 0755), 0);
	setenv("XDG_CONFIG_HOME", place.root, 1);
	arena_init(&place.arena, 16U << 20);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];

	arena_release(&place->arena);
	snprintf(command, sizeof(command), "rm -rf %s", place->root);
	return system(command);
}

static int parse_into(struct place *place, struct policy *policy, const char *text,
		      struct error *why)
{
	policy_init(policy, "mine");
	return policy_parse(policy, "mine", span_of_text(text), true,
			    &place->arena, why);
}

/* Ends the test unless the text is a policy. */
static void parse(struct place *place, struct policy *policy, const char *text)
{
	struct error why;
	int r = parse_into(place, policy, text, &why);

	test_row(r == 0, "%s", why.text);
}

/* ---- equality, text by text ---- */

static void equal_texts(const char *what, const char *const *a, size_t a_count,
			const char *const *b, size_t b_count)
{
	test_row(a_count == b_count, "%s: got %zu, want %zu", what, a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		test_row(strcmp(a[i], b[i]) == 0, "%s %zu: got %s, want %s", what,
			 i, a[i], b[i]);
}

static void equal_policies(const struct policy *a, const struct policy *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->description, b->description);
	assert_int_equal(a->bind_count, b->bind_count);
	for (size_t i = 0; i < a->bind_count; i++) {
		assert_string_equal(a->binds[i].source, b->binds[i].source);
		assert_string_equal(a->binds[i].target, b->binds[i].target);
		assert_int_equal(a->binds[i].access, b->binds[i].access);
		assert_int_equal(a->binds[i].optional, b->binds[i].optional);
	}
	equal_texts("hide", a->hidden, a->hidden_count, b->hidden, b->hidden_count);
	equal_texts("pass", a->pass_env, a->pass_env_count, b->pass_env,
		    b->pass_env_count);
	equal_texts("set", a->set_env, a->set_env_count, b->set_env, b->set_env_count);
	assert_memory_equal(&a->syscalls, &b->syscalls, sizeof(a->syscalls));
	assert_int_equal(a->proc_full, b->proc_full);
	assert_int_equal(a->write_execute, b->write_execute);
	assert_int_equal(a->network, b->network);
	assert_int_equal(a->interfaces, b->interfaces);
	assert_int_equal(a->workspace, b->workspace);
	assert_int_equal(a->repository_readonly, b->repository_readonly);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
}

/* Prints, reads again and compares; the text stays in the arena. */
static void round_trip(struct place *place, const struct policy *policy)
{
	struct policy again;
	struct error why;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	policy_print(policy, out);
	fclose(out);
	policy_init(&again, policy->name);
	int r = policy_parse(&again, policy->name, span_of_text(text), false,
			     &place->arena, &why);

	test_row(r == 0, "%s\n%s", why.text, text);
	free(text);
	equal_policies(&again, policy);
}

/* ---- presets ---- */

static void presets_are_found_by_name(void **state)
{
	const char *const *names = policy_preset_names();

	(void)state;
	for (; *names; names++) {
		assert_non_null(policy_preset(*names));
		assert_string_equal(policy_preset(*names)->name, *names);
	}
	assert_ptr_equal(policy_preset("ci"), policy_preset("build"));
	assert_null(policy_preset(""));
	assert_null(policy_preset("Tool"));
}

static void presets_print_as_they_load(void **state)
{
	const char *const *names = policy_preset_names();

	for (; *names; names++)
		round_trip(*state, policy_preset(*names));
}

/* Byte by byte: cupel policy show NAME > etc/policies/NAME.policy. */
static void installed_files_are_what_the_presets_print(void **state)
{
	const char *const *names = policy_preset_names();
	static char printed[16384], installed[16384];

	(void)state;
	for (; *names; names++) {
		char path[64];
		FILE *out = fmemopen(printed, sizeof(printed), "w");

		policy_print(policy_preset(*names), out);
		fclose(out);
		snprintf(path, sizeof(path), "etc/policies/%s.policy", *names);
		FILE *in = fopen(path, "r");

		assert_non_null(in);
		installed[fread(installed, 1, sizeof(installed) - 1, in)] = '\0';
		fclose(in);
		assert_string_equal(printed, installed);
	}
}

/* Bounds that no edit of a table may lose. */
static void presets_keep_their_promises(void **state)
{
	const char *const *names = policy_preset_names();

	(void)state;
	for (; *names; names++) {
		const struct policy *policy = policy_preset(*names);
		bool is_net = strcmp(*names, "net") == 0;
		bool is_tight = strcmp(*names, "strict") == 0 ||
				strcmp(*names, "compute") == 0;

		assert_int_equal(policy->network, is_net ? NETWORK_HOST : NETWORK_NONE);
		assert_int_equal(policy->workspace,
				 is_tight ? WORKSPACE_NONE : WORKSPACE_DIRECT);
		assert_int_equal(policy->write_execute, !is_tight);
		assert_true(policy->limits.wall_ns > 0);
		assert_true(policy->limits.memory_bytes > 0);
		assert_true(policy->limits.pids > 0);
		assert_true(policy->limits.output_bytes > 0);
		assert_true(policy->limits.disk_bytes > 0);
		assert_true(policy->limits.inodes > 0);
		assert_true(policy->limits.files > 0);
		assert_int_equal(policy->limits.cpus, is_tight ? 1 : 0);
		for (size_t i = 0; i < policy->bind_count; i++)
			assert_int_equal(policy->binds[i].access, BIND_READ);
	}
}

/* ---- limits ---- */

static void limits_are_read_with_their_units(void **state)
{
	static const struct {
		const char *text;
		int want;
		size_t offset;
		uint64_t value;
	} rows[] = {
		{ "wall=10s", 0, offsetof(struct limits, wall_ns), UINT64_C(10000000000) },
		{ "wall=1500ms", 0, offsetof(struct limits, wall_ns), 1500000000 },
		{ "cpu=2m", 0, offsetof(struct limits, cpu_ns), UINT64_C(120000000000) },
		{ "cpus=2", 0, offsetof(struct limits, cpus), 2 },
		{ "memory=512M", 0, offsetof(struct limits, memory_bytes), 512 << 20 },
		{ "memory=4096B", 0, offsetof(struct limits, memory_bytes), 4096 },
		{ "pids=100", 0, offsetof(struct limits, pids), 100 },
		{ "output=1M", 0, offsetof(struct limits, output_bytes), 1 << 20 },
		{ "disk=100M", 0, offsetof(struct limits, disk_bytes), 100 << 20 },
		{ "inodes=10k", 0, offsetof(struct limits, inodes), 10000 },
		{ "inodes=2M", 0, offsetof(struct limits, inodes), 2000000 },
		{ "files=256", 0, offsetof(struct limits, files), 256 },
		{ "wall=none", 0, offsetof(struct limits, wall_ns), 0 },
		{ "files=none", 0, offsetof(struct limits, files), 0 },
		{ "wall=10", -EINVAL, 0, 0 },
		{ "memory=512", -EINVAL, 0, 0 },
		{ "memory=", -EINVAL, 0, 0 },
		{ "memory=-1M", -EINVAL, 0, 0 },
		{ "memory=*", -EINVAL, 0, 0 },
		{ "pids=-1", -EINVAL, 0, 0 },
		{ "pids=+1", -EINVAL, 0, 0 },
		{ "pids= 1", -EINVAL, 0, 0 },
		{ "pids=1x", -EINVAL, 0, 0 },
		{ "pids=", -EINVAL, 0, 0 },
		{ "pids=99999999999999999999", -ERANGE, 0, 0 },
		{ "pids=99999999999999M", -ERANGE, 0, 0 },
		{ "pids=0", -ERANGE, 0, 0 },
		{ "wall=0s", -ERANGE, 0, 0 },
		{ "memory=0K", -ERANGE, 0, 0 },
		{ "wall", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ "=1", -EINVAL, 0, 0 },
		{ "memry=1M", -EINVAL, 0, 0 },
		{ "pid=1", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct limits limits, before;
		struct error why = { .text = "" };
		uint64_t value;

		memset(&limits, 0x55, sizeof(limits));
		before = limits;
		int got = limits_set(&limits, rows[i].text, &why);

		test_row(got == rows[i].want, "'%s': got %d (%s), want %d",
			 rows[i].text, got, why.text, rows[i].want);
		memcpy(&value, (char *)&limits + rows[i].offset, sizeof(value));
		if (got == 0)
			test_row(value == rows[i].value, "'%s': got %llu",
				 rows[i].text, (unsigned long long)value);
		else
			assert_memory_equal(&limits, &before, sizeof(limits));
		test_row(got == 0 || why.text[0], "'%s': no reason", rows[i].text);
	}
}

static void limits_print_as_they_are_read(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "limits");
	for (int n = 0; n < 2000; n++) {
		struct limits limits = { 0 }, again = { 0 };

		limits.wall_ns = (int64_t)(random_next(&random) >> (1 + random_below(&random, 62)));
		limits.memory_bytes = random_next(&random) >> (1 + random_below(&random, 62));
		limits.pids = random_next(&random) >> random_below(&random, 64);
		for (size_t i = 0; limits_name(i); i++) {
			char value[LIMIT_TEXT_BYTES], text[64];
			struct error why = { .text = "" };

			limits_text(&limits, i, value);
			snprintf(text, sizeof(text), "%s=%s", limits_name(i), value);
			test_row(limits_set(&again, text, &why) == 0, "%s: %s",
				 text, why.text);
		}
		assert_memory_equal(&limits, &again, sizeof(limits));
	}
}

/* ---- files that make sense ---- */

static void lists_append_and_scalars_win(void **state)
{
	const struct policy *base = policy_preset("tool");
	struct policy policy;

	parse(*state, &policy,
	      "include = tool\n"
	      "description = \"mine\"\n"
	      "workspace = overlay\n"
	      "files { read = { \"/srv/a\" } write = { \"-/srv/b\" }\n"
	      "  bind = { \"/srv/c:/mnt/c:rw\", \"-/srv/d:/mnt/d\" }\n"
	      "  hide = { \"/usr/share\" } }\n"
	      "syscalls { allow = { \"ptrace\" } deny = { \"@aio\" } }\n"
	      "environment { pass = { \"EDITOR\" } set = { \"HOME=/work\", \"A=b c\" } }\n"
	      "limits { pids = 7 cpu = 5s }\n");
	assert_string_equal(policy.name, "mine");
	assert_string_equal(policy.description, "mine");
	assert_int_equal(policy.workspace, WORKSPACE_OVERLAY);
	assert_int_equal(policy.bind_count, base->bind_count + 4);
	assert_int_equal(policy.hidden_count, 1);
	assert_true(syscall_set_has(&policy.syscalls, syscall_number("ptrace")));
	assert_true(syscall_set_has(&policy.syscalls, syscall_number("socket")));
	assert_false(syscall_set_has(&policy.syscalls, syscall_number("io_setup")));
	assert_int_equal(policy.pass_env_count, base->pass_env_count + 1);
	assert_int_equal(policy.set_env_count, base->set_env_count + 1);
	assert_string_equal(policy.set_env[1], "HOME=/work");
	assert_int_equal(policy.limits.pids, 7);
	assert_int_equal(policy.limits.cpu_ns, 5000000000);
	assert_int_equal(policy.limits.memory_bytes, base->limits.memory_bytes);
	assert_true(policy.write_execute);
	assert_true(policy.proc_full);
	round_trip(*state, &policy);
}

static void binds_stand_before_what_is_below_them(void **state)
{
	struct policy policy;

	parse(*state, &policy, STARTS
	      "files { read = { \"/a/b/c\", \"/a\" } write = { \"/a/b\" }\n"
	      "  bind = { \"/x:/a/b:ro\" } }");
	assert_int_equal(policy.bind_count, 3);
	assert_string_equal(policy.binds[0].target, "/a");
	assert_string_equal(policy.binds[1].target, "/a/b");
	assert_string_equal(policy.binds[1].source, "/x");
	assert_int_equal(policy.binds[1].access, BIND_READ);
	assert_string_equal(policy.binds[2].target, "/a/b/c");
	round_trip(*state, &policy);
}

static void a_file_that_includes_nothing_starts_from_nothing(void **state)
{
	const struct limits *strict = &policy_preset("strict")->limits;
	struct policy policy;

	parse(*state, &policy, STARTS);
	assert_int_equal(policy.bind_count, 0);
	assert_int_equal(policy.pass_env_count, 0);
	assert_int_equal(policy.set_env_count, 0);
	assert_int_equal(policy.network, NETWORK_NONE);
	assert_int_equal(policy.workspace, WORKSPACE_NONE);
	assert_false(policy.write_execute);
	assert_false(policy.interfaces);
	assert_false(policy.proc_full);
	assert_false(syscall_set_has(&policy.syscalls, syscall_number("read")));
	assert_memory_equal(&policy.limits, strict, sizeof(*strict));
	round_trip(*state, &policy);
}

static void an_empty_list_adds_nothing_and_removes_nothing(void **state)
{
	struct policy policy;

	parse(*state, &policy, "include = strict\n"
	      "files { read = {} write = {} }\n"
	      "syscalls { allow = {} deny = {} }\n"
	      "environment { pass = {} set = {} }\n");
	snprintf(policy.name, sizeof(policy.name), "strict");
	equal_policies(&policy, policy_preset("strict"));
}

static void any_policy_prints_as_it_loads(void **state)
{
	struct place *place = *state;
	struct random random;

	test_random_init(&random, "round trip");
	for (int n = 0; n < 60; n++) {
		struct policy policy;

		policy_init(&policy, "any");
		(void)syscall_set_add(&policy.syscalls, "@default");
		for (int i = 0; i < SYSCALL_NUMBERS; i++)
			if (syscall_name(i) && random_below(&random, 1 + (unsigned)n % 4) == 0)
				(void)syscall_set_add(&policy.syscalls, syscall_name(i));
		for (size_t i = random_below(&random, 9); i > 0; i--) {
			struct bind bind = {
				.source = arena_text(&place->arena, "/s%u \"$\\'",
						     (unsigned)random_below(&random, 9)),
				.access = random_below(&random, 2) ? BIND_WRITE : BIND_READ,
				.optional = random_below(&random, 2),
			};

			bind.target = random_below(&random, 2) ? bind.source : "/t";
			bind_insert(policy.binds, &policy.bind_count,
				    POLICY_ROWS_MAX, &bind);
		}
		policy.set_env[policy.set_env_count++] = "A= \"quoted\" \\ and 'more' # {";
		policy.description = "a \"description\" with {braces} and # signs";
		policy.write_execute = random_below(&random, 2);
		policy.network = random_below(&random, 2);
		policy.workspace = random_below(&random, 4);
		policy.limits.cpu_ns = (int64_t)random_below(&random, 1000000000);
		round_trip(place, &policy);
		arena_reset(&place->arena);
	}
}

/* ---- files that do not ---- */

static void mistakes_are_named_with_their_line(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "include = tool\nnonsense = 1\n", "mine:2:" },
		{ "include = tool\nfiles {\n  raed = { \"/a\" }\n}\n", "mine:3: there is no 'raed' in files; did you mean 'read'?" },
		{ "include = tool\nnetwork { mode = some }\n", "mine:2: network.mode" },
		{ "include = tool\nworkspace = rw\n", "mine:2: workspace" },
		{ "include = tool\nsyscalls { write_execute = maybe }\n", "mine:2: syscalls.write_execute" },
		{ "include = tool\ninclude = tool\n", "mine:2: include: set a second time" },
		{ "include = tool\nlimits { pids = 1 }\nlimits { pids = 2 }\n", "mine:3: limits.pids" },
		{ "include = tool\nfiles = 1\n", "mine:2:" },
		{ "include = tool\ninclude { }\n", "mine:2:" },
		{ "include = { tool }\n", "mine:1:" },
		{ "include = \"\"\n", "mine:1: include" },
		{ "include = toool\n", "mine:1: include: there is no policy 'toool'; did you mean 'tool'?" },
		{ "include = ./tool\n", "mine:1: include: './tool': write a name or an absolute path" },
		{ "include = tool\nfiles { read = { \"srv\" } }\n", "mine:2: files.read: 'srv' is not an absolute path" },
		{ "include = tool\nfiles { read = { \"\" } }\n", "mine:2: files.read" },
		{ "include = tool\nfiles { read = { \"*\" } }\n", "mine:2: files.read" },
		{ "include = tool\nfiles { read = { \"/\" } }\n", "mine:2: files.read: '/' is the whole machine" },
		{ "include = tool\nfiles { read = { \"/a/../b\" } }\n", "mine:2: files.read" },
		{ "include = tool\nfiles { read = { \"/a/.\" } }\n", "mine:2: files.read" },
		{ "include = tool\nfiles { read = { \"/a/\" } }\n", "mine:2: files.read" },
		{ "include = tool\nfiles { write = { \"//a\" } }\n", "mine:2: files.write" },
		{ "include = tool\nfiles { write = { \"/proc/sys\" } }\n", "mine:2: files.write: '/proc/sys': /proc inside is the command's own" },
		{ "include = tool\nfiles { bind = { \"/a\" } }\n", "mine:2: files.bind" },
		{ "include = tool\nfiles { bind = { \"/a:/b:rx\" } }\n", "mine:2: files.bind" },
		{ "include = tool\nfiles { bind = { \"/a:b\" } }\n", "mine:2: files.bind: 'b' is not an absolute path" },
		{ "include = tool\nfiles { bind = { \"/a:/proc\" } }\n", "mine:2: files.bind" },
		{ "include = tool\nfiles { bind = { \"/a:/\" } }\n", "mine:2: files.bind" },
		{ "include = tool\nfiles { hide = { \"x\" } }\n", "mine:2: files.hide" },
		{ "include = tool\nsyscalls { allow = { \"*\" } }\n", "mine:2: syscalls.allow: there is no system call or group '*'" },
		{ "include = tool\nsyscalls { allow = { \"\" } }\n", "mine:2: syscalls.allow" },
		{ "include = tool\nsyscalls { allow = { \"clone3\" } }\n", "mine:2: syscalls.allow: 'clone3' cannot be allowed" },
		{ "include = tool\nsyscalls { deny = { \"raed\" } }\n", "mine:2: syscalls.deny" },
		{ "include = tool\nsyscalls { deny = { \"execve\" } }\n", "mine: without 'execve'" },
		{ "include = tool\nsyscalls { deny = { \"@default\" } }\n", "mine: without 'execve'" },
		{ "description = nothing\n", "mine: without 'execve'" },
		{ "", "mine: without 'execve'" },
		{ "syscalls { allow = {} }\n", "mine: without 'execve'" },
		{ "include = tool\nenvironment { pass = { \"A*\" } }\n", "mine:2: environment.pass" },
		{ "include = tool\nenvironment { pass = { \"*\" } }\n", "mine:2: environment.pass" },
		{ "include = tool\nenvironment { pass = { \"\" } }\n", "mine:2: environment.pass" },
		{ "include = tool\nenvironment { pass = { \"1A\" } }\n", "mine:2: environment.pass" },
		{ "include = tool\nenvironment { set = { \"A\" } }\n", "mine:2: environment.set" },
		{ "include = tool\nenvironment { set = { \"=b\" } }\n", "mine:2: environment.set" },
		{ "include = tool\nlimits { memory = 512 }\n", "mine:2: limits.memory: limit memory: '512' has no unit" },
		{ "include = tool\nlimits { wall = 0s }\n", "mine:2: limits.wall" },
		{ "include = tool\nlimits { pids = \"\" }\n", "mine:2: limits.pids" },
		{ "include = tool\nlimits { speed = 1 }\n", "mine:2: there is no 'speed' in limits" },
		{ "include = tool\nfiles {\n", "mine:2:" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy policy;
		struct error why = { .text = "" };
		int got = parse_into(*state, &policy, rows[i].text, &why);

		test_row(got < 0, "accepted:\n%s", rows[i].text);
		test_row(strncmp(why.text, rows[i].want, strlen(rows[i].want)) == 0,
			 "%s\ngot  %s\nwant %s", rows[i].text, why.text, rows[i].want);
	}
}

static void rows_beyond_the_limit_are_refused(void **state)
{
	static const struct { const char *list, *before, *after; } lists[] = {
		{ "files { read", "/d", "" }, { "files { hide", "/d", "" },
		{ "environment { pass", "D", "" }, { "environment { set", "D", "=" },
	};

	for (size_t i = 0; i < COUNT(lists); i++)
		for (int count = POLICY_ROWS_MAX; count <= POLICY_ROWS_MAX + 1; count++) {
			char text[4096] = STARTS;
			struct policy policy;
			struct error why = { .text = "" };

			strcat(strcat(text, lists[i].list), " = {");
			for (int n = 0; n < count; n++)
				snprintf(text + strlen(text), 64, "%s \"%s%d%s\"",
					 n ? "," : "", lists[i].before, n, lists[i].after);
			strcat(text, " } }\n");
			int got = parse_into(*state, &policy, text, &why);

			test_row(got == (count > POLICY_ROWS_MAX ? -E2BIG : 0),
				 "%s, %d: got %d %s", lists[i].list, count, got,
				 why.text);
		}
}

/* ---- where they are looked for ---- */

static void bare_names_are_never_taken_from_the_working_directory(void **state)
{
	struct place *place = *state;
	struct policy policy;
	struct error why;
	char before[4096];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(place->root), 0);
	write_text("hostile", "include = net\n", 0644);
	write_text("hostile.policy", "include = net\n", 0644);
	assert_int_equal(policy_load(&policy, "hostile", &place->arena, &why), -ENOENT);
	assert_int_equal(policy_load(&policy, "hostile.policy", &place->arena, &why), -ENOENT);
	assert_int_equal(policy_load(&policy, "./hostile.policy", &place->arena, &why), 0);
	assert_int_equal(policy.network, NETWORK_HOST);
	assert_int_equal(chdir(before), 0);
}

/* As an ordinary user; root has only the system's directory. */
static void the_owners_policies_are_found_by_name(void **state)
{
	struct place *place = *state;
	struct policy policy;
	struct error why;

	put(place, "mine.policy", "include = strict\nlimits { pids = 3 }\n");
	int got = policy_load(&policy, "mine", &place->arena, &why);

	if (geteuid() == 0) {
		assert_int_equal(got, -ENOENT);
		/* A file of root's is as good as one's own. */
		assert_int_equal(chmod(place->root, 0755), 0);
		assert_int_equal(seteuid(65534), 0);
		got = policy_load(&policy, "mine", &place->arena, &why);
		assert_int_equal(seteuid(0), 0);
	}
	test_row(got == 0, "%s", why.text);
	assert_string_equal(policy.name, "mine");
	assert_int_equal(policy.limits.pids, 3);
}

static void names_that_are_no_names_are_not_found(void **state)
{
	static const char *const names[] = {
		"", ".", "..", ".hidden", "a b", "a*", "a\n", "nothere",
		"0123456789012345678901234567890123456789012345678901234567890123",
	};
	struct place *place = *state;

	for (size_t i = 0; i < COUNT(names); i++) {
		struct policy policy;
		struct error why;
		int got = policy_load(&policy, names[i], &place->arena, &why);

		test_row(got == -ENOENT, "'%s': got %d", names[i], got);
	}
}

static void files_that_others_may_change_are_refused(void **state)
{
	static const struct { mode_t mode; uid_t owner; int want; } rows[] = {
		{ 0644, 0, 0 }, { 0600, 0, 0 }, { 0664, 0, -EPERM },
		{ 0646, 0, -EPERM }, { 0666, 0, -EPERM }, { 0644, 65534, -EPERM },
	};
	struct place *place = *state;
	char path[320];

	snprintf(path, sizeof(path), "%s/shared.policy", place->policies);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy policy;
		struct error why;

		if (rows[i].owner && geteuid() != 0)
			continue;
		write_text(path, "include = strict\n", rows[i].mode);
		assert_int_equal(chown(path, rows[i].owner ? rows[i].owner : geteuid(),
				       (gid_t)-1), 0);
		int got = policy_load(&policy, path, &place->arena, &why);

		test_row(got == rows[i].want, "%04o of %u: got %d", rows[i].mode,
			 rows[i].owner, got);
		unlink(path);
	}
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	struct place *place = *state;
	struct policy policy;
	struct error why;
	char path[320];

	assert_int_equal(policy_load(&policy, place->policies, &place->arena, &why), -EINVAL);
	snprintf(path, sizeof(path), "%s/fifo", place->policies);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(policy_load(&policy, path, &place->arena, &why), -EINVAL);
	assert_int_equal(policy_load(&policy, "/dev/zero", &place->arena, &why), -EINVAL);
}

static void includes_go_one_level_deep(void **state)
{
	struct place *place = *state;
	struct policy policy;
	struct error why;
	char text[512];

	put(place, "base.policy", "include = tool\n");
	snprintf(text, sizeof(text), "include = \"%s/base.policy\"\n", place->policies);
	put(place, "deep.policy", text);
	snprintf(text, sizeof(text), "%s/deep.policy", place->policies);
	assert_int_equal(policy_load(&policy, text, &place->arena, &why), -EINVAL);
	assert_non_null(strstr(why.text, "deep.policy:1: include: "));
	assert_non_null(strstr(why.text, "base.policy:1: include: "
			       "an included policy may not include another"));
	put(place, "base.policy", STARTS);
	assert_int_equal(policy_load(&policy, text, &place->arena, &why), 0);
	assert_string_equal(policy.name, "deep");
}

static void a_list_has_presets_first_and_no_name_twice(void **state)
{
	struct place *place = *state;
	struct policy_found found[16];

	put(place, "zz.policy", STARTS);
	put(place, "aa.policy", "nonsense");
	put(place, "tool.policy", STARTS);
	put(place, ".policy", STARTS);
	put(place, ".swap.policy", STARTS);
	put(place, "notes.txt", "");
	assert_int_equal(chmod(place->root, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	int count = policy_list(found, COUNT(found), &place->arena);

	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_true(count >= 8);
	assert_string_equal(found[0].name, "strict");
	assert_null(found[5].path);
	assert_string_equal(found[6].name, "aa");
	assert_non_null(found[6].path);
	for (int i = 0; i < count; i++) {
		assert_int_not_equal(found[i].name[0], '.');
		for (int n = 0; n < i; n++)
			assert_string_not_equal(found[i].name, found[n].name);
	}
}

/* ---- exposure ---- */

static unsigned score(const struct policy *policy, const char *name, bool *ret_open)
{
	struct exposure exposures[EXPOSURES_MAX];
	unsigned tenths;
	size_t count = exposure_judge(policy, exposures, &tenths);

	*ret_open = false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(exposures[i].name, name) == 0)
			*ret_open = exposures[i].open;
	return tenths;
}

static void each_opening_is_noticed_and_counts(void **state)
{
	static const struct { const char *name, *text; } rows[] = {
		{ "network", "network { mode = host }" },
		{ "interfaces", "network { interfaces = true }" },
		{ "workspace", "workspace = readonly" },
		{ "workspace-direct", "workspace = direct" },
		{ "writable", "files { write = { \"/srv/x\" } }" },
		{ "homes", "files { read = { \"/home/me\" } }" },
		{ "services", "files { read = { \"/run/docker.sock\" } }" },
		{ "services", "files { bind = { \"/var/run/x:/x\" } }" },
		{ "kernel-files", "files { read = { \"/sys/fs\" } }" },
		{ "accounts", "files { read = { \"/etc\" } }" },
		{ "environment-secrets", "environment { pass = { \"GH_TOKEN\" } }" },
		{ "environment-secrets", "environment { pass = { \"SSH_AUTH_SOCK\" } }" },
		{ "environment-loaders", "environment { pass = { \"LD_PRELOAD\" } }" },
		{ "write-execute", "syscalls { write_execute = true }" },
		{ "proc", "files { proc = full }" },
		{ "sockets", "syscalls { allow = { \"socket\" } }" },
		{ "namespaces", "syscalls { allow = { \"unshare\" } }" },
		{ "mounts", "syscalls { allow = { \"open_tree\" } }" },
		{ "debug", "syscalls { allow = { \"ptrace\" } }" },
		{ "kernel-programs", "syscalls { allow = { \"bpf\" } }" },
		{ "host", "syscalls { allow = { \"kexec_load\" } }" },
		{ "handles", "syscalls { allow = { \"open_by_handle_at\" } }" },
		{ "keyring", "syscalls { allow = { \"@keyring\" } }" },
		{ "identity", "syscalls { allow = { \"setuid\" } }" },
		{ "obsolete", "syscalls { allow = { \"uselib\" } }" },
		{ "administration", "syscalls { allow = { \"syslog\" } }" },
		{ "aio", "syscalls { allow = { \"io_setup\" } }" },
		{ "limit-wall", "limits { wall = none }" },
		{ "limit-cpu", "limits { cpus = none }" },
		{ "limit-memory", "limits { memory = none }" },
		{ "limit-pids", "limits { pids = none }" },
		{ "limit-output", "limits { output = none }" },
		{ "limit-disk", "limits { disk = none }" },
		{ "limit-inodes", "limits { inodes = none }" },
		{ "limit-files", "limits { files = none }" },
	};
	bool open;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy policy;
		char text[256];
		unsigned before, after;

		snprintf(text, sizeof(text), "include = strict\n%s\n", rows[i].text);
		parse(*state, &policy, text);
		before = score(policy_preset("strict"), rows[i].name, &open);
		test_row(!open, "%s: strict has it", rows[i].name);
		after = score(&policy, rows[i].name, &open);
		test_row(open, "%s: not noticed", rows[i].text);
		test_row(after >= before, "%s: %u to %u", rows[i].text, before, after);
	}
}

static void scores_order_the_presets_and_reach_both_ends(void **state)
{
	static const char *const order[] = {
		"compute", "strict", "tool", "build", "net",
	};
	struct policy policy;
	unsigned last = 0;
	bool open;

	for (size_t i = 0; i < COUNT(order); i++) {
		unsigned now = score(policy_preset(order[i]), "", &open);

		test_row(now >= last && now < 20, "%s: %u after %u", order[i], now, last);
		last = now;
	}
	assert_int_equal(score(policy_preset("compute"), "", &open), 0);
	parse(*state, &policy,
	      "include = net\n"
	      "files { write = { \"/home/me\", \"/run/x\", \"/dev/x\", \"/etc/ssh\" } }\n"
	      "environment { pass = { \"A_TOKEN\", \"LD_PRELOAD\" } }\n"
	      "syscalls { allow = { \"@privileged\", \"@mount\", \"@debug\",\n"
	      "  \"@keyring\", \"@obsolete\", \"unshare\", \"userfaultfd\",\n"
	      "  \"setuid\", \"name_to_handle_at\" } }\n"
	      "limits { wall = none memory = none pids = none output = none\n"
	      "  disk = none inodes = none files = none }\n");
	assert_int_equal(score(&policy, "", &open), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_are_found_by_name),
		cmocka_unit_test(presets_print_as_they_load),
		cmocka_unit_test(installed_files_are_what_the_presets_print),
		cmocka_unit_test(presets_keep_their_promises),
		cmocka_unit_test(limits_are_read_with_their_units),
		cmocka_unit_test(limits_print_as_they_are_read),
		cmocka_unit_test(lists_append_and_scalars_win),
		cmocka_unit_test(binds_stand_before_what_is_below_them),
		cmocka_unit_test(a_file_that_includes_nothing_starts_from_nothing),
		cmocka_unit_test(an_empty_list_adds_nothing_and_removes_nothing),
		cmocka_unit_test(any_policy_prints_as_it_loads),
		cmocka_unit_test(mistakes_are_named_with_their_line),
		cmocka_unit_test(rows_beyond_the_limit_are_refused),
		cmocka_unit_test(bare_names_are_never_taken_from_the_working_directory),
		cmocka_unit_test(the_owners_policies_are_found_by_name),
		cmocka_unit_test(names_that_are_no_names_are_not_found),
		cmocka_unit_test(files_that_others_may_change_are_refused),
		cmocka_unit_test(what_is_no_file_is_refused_without_waiting),
		cmocka_unit_test(includes_go_one_level_deep),
		cmocka_unit_test(a_list_has_presets_first_and_no_name_twice),
		cmocka_unit_test(each_opening_is_noticed_and_counts),
		cmocka_unit_test(scores_order_the_presets_and_reach_both_ends),
	};

	return cmocka_run_group_tests_name("policy", tests, set_up, tear_down);
}
