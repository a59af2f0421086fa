/*
 * probe - tries what a confined command must not be able to do.
 *
 *	probe inside PRESET	as the command of a sandbox: every attempt must
 *				end as its row says
 *	probe bare PRESET	as inside, and what namespaces would have kept out
 *	probe outside		unconfined: every attempt must work, or fail as
 *				its row says, so that a refusal inside is the
 *				sandbox's doing and not the probe's
 *	probe each PRESET COMMAND...	as inside, each attempt in a run of its
 *				own: COMMAND... attempt NAME, for presets that
 *				have no second process
 *	probe attempt NAME	one attempt; exits with its outcome
 *
 * The other sub-commands are told at the top of their files. Lines are
 * "ok - NAME (OUTCOME)" or "not ok - ...", TAP without numbers.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define PATIENCE_SECONDS 60
#define ERRNO_MOST 128	/* above it an exit status tells a signal, as in sh(1) */

bool unconfined;

int result(long r)
{
	return r < 0 ? errno : 0;
}

long number_of(const char *text)
{
	return text ? strtol(text, NULL, 10) : 0;
}

const char *path_of(const struct attempt *t, char *buffer, size_t size)
{
	const char *path = t->text[0] == '$' ? getenv(t->text + 1) : t->text;

	if (!path)
		return "";
	if (!unconfined || strncmp(path, "/proc/1/", 8) != 0)
		return path;
	snprintf(buffer, size, "/proc/%s/%s", getenv("CANARY_PID"), path + 8);
	return buffer;
}

const char *outcome_name(int outcome, char *buffer, size_t size)
{
	const char *name = outcome > 0 ? strerrorname_np(outcome) : "ok";

	if (outcome < 0)
		snprintf(buffer, size, "SIG%s", sigabbrev_np(-outcome));
	else if (!name)
		snprintf(buffer, size, "%d", outcome);
	return outcome >= 0 && name ? name : buffer;
}

bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (*list) {
		size_t word = strcspn(list, "|");

		if (word == length && strncmp(list, name, length) == 0)
			return true;
		list += word + (list[word] == '|');
	}
	return false;
}

int in_own_process(int (*run)(const void *), const void *argument)
{
	int status;
	pid_t pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (pid == 0) {
		alarm(PATIENCE_SECONDS);
		_exit(run(argument));
	}
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status) > ERRNO_MOST ? 128 - WEXITSTATUS(status) :
						  WEXITSTATUS(status);
}

/* ---- judging attempts ---- */

struct judge {
	const char *preset;
	char **command;		/* of probe each: NULL-terminated, or NULL */
	bool bare;
	bool failed;
};

struct trial {
	const struct judge *judge;
	const struct attempt *attempt;
};

static int run_trial(const void *argument)
{
	const struct trial *trial = argument;
	char *words[64];
	int count = 0;

	if (!trial->judge->command)
		return trial->attempt->run(trial->attempt);
	while (count < 60 && trial->judge->command[count]) {
		words[count] = trial->judge->command[count];
		count++;
	}
	words[count++] = (char[]){ "attempt" };
	words[count++] = strdup(trial->attempt->name);
	words[count] = NULL;
	execvp(words[0], words);
	return errno;
}

static bool has_every_capability(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	int last = 0;

	syscall(SYS_capget, &header, data);
	while (prctl(PR_CAPBSET_READ, last) >= 0)
		if (data[last / 32].effective & (1U << last % 32))
			last++;
		else
			return false;
	return true;
}

/* What this kernel lacks, or all of root's rights are needed for: no proof. */
static bool is_no_control(const char *got)
{
	return strcmp(got, "ENOSYS") == 0 ||
	       (listed("EPERM|EACCES", got) && !has_every_capability());
}

static void judge_attempt(struct judge *judge, const struct attempt *attempt)
{
	const char *want = unconfined ? attempt->outside : attempt->inside;
	const struct trial trial = { judge, attempt };
	char text[32];
	const char *got = outcome_name(in_own_process(run_trial, &trial), text,
				       sizeof(text));

	if (listed(want, got)) {
		printf("ok - %s (%s)\n", attempt->name, got);
	} else if (unconfined && is_no_control(got)) {
		printf("ok - %s # SKIP no control here: %s\n", attempt->name, got);
	} else {
		printf("not ok - %s (%s)\n# wanted %s\n", attempt->name, got, want);
		judge->failed = true;
	}
}

static void judge_table(struct judge *judge, const struct attempt_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (unconfined || !table->rows[i].presets ||
		    listed(table->rows[i].presets, judge->preset))
			judge_attempt(judge, &table->rows[i]);
}

static int judge_all(struct judge *judge)
{
	judge_table(judge, &file_attempts);
	judge_table(judge, &call_attempts);
	judge_table(judge, &socket_attempts);
	if (unconfined || judge->bare)
		judge_table(judge, &bare_attempts);
	if (!unconfined)
		judge_table(judge, &allowances);
	return judge->failed;
}

static int probe_inside(int argc, char **argv)
{
	(void)argc;
	return judge_all(&(struct judge){ .preset = argv[1] });
}

static int probe_bare(int argc, char **argv)
{
	(void)argc;
	return judge_all(&(struct judge){ .preset = argv[1], .bare = true });
}

static int probe_outside(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	unconfined = true;
	return judge_all(&(struct judge){ .preset = "" });
}

static int probe_each(int argc, char **argv)
{
	(void)argc;
	return judge_all(&(struct judge){ .preset = argv[1], .command = argv + 2 });
}

static int probe_attempt(int argc, char **argv)
{
	const struct attempt_table *tables[] = { &file_attempts, &call_attempts,
						 &socket_attempts, &bare_attempts,
						 &allowances };

	(void)argc;
	for (size_t i = 0; i < COUNT(tables); i++)
		for (size_t j = 0; j < tables[i]->count; j++)
			if (strcmp(tables[i]->rows[j].name, argv[1]) == 0)
				return tables[i]->rows[j].run(&tables[i]->rows[j]);
	fprintf(stderr, "probe: no attempt '%s'\n", argv[1]);
	return 255;
}

static const struct {
	const char *name;
	int least;		/* arguments */
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "inside", 1, probe_inside },	{ "outside", 0, probe_outside },
	{ "bare", 1, probe_bare },	{ "each", 2, probe_each },	{ "attempt", 1, probe_attempt },
	{ "numbers", 1, probe_numbers }, { "bomb", 2, probe_bomb },
	{ "crash", 3, probe_crash },	{ "crash-early", 3, probe_crash },
	{ "refuse", 2, probe_refuse },	{ "swap", 2, probe_swap },
	{ "terminal", 1, probe_terminal }, { "listen", 3, probe_listen },
	{ "type", 0, probe_type },	{ "within", 3, probe_within },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < COUNT(commands) && argc > 1; i++)
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    argc - 2 >= commands[i].least)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: probe SUB-COMMAND ARGUMENT...; see probe.c\n");
	return 64;
}
