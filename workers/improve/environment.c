#include "workers/improve/environment.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "workers/improve/command.h"

#define PROBE_NS (20 * NS_PER_S)

static const char probe[] =
	"PATH=/usr/bin:/bin; LC_ALL=C; export PATH LC_ALL\n"
	"say() { [ -z \"$2\" ] || printf '%s: %s\\n' \"$1\" \"$2\"; }\n"
	"say kernel \"$(uname -sr)\"\n"
	"say machine \"$(uname -m)\"\n"
	"say cpu \"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)\"\n"
	"say cpus \"$(nproc)\"\n"
	"say governor \"$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)\"\n"
	"say compiler \"$(cc --version | head -n 1)\"\n"
	"say libc \"$(getconf GNU_LIBC_VERSION)\"\n"
	"say confinement \"$(sed -n 's/^\\(NoNewPrivs\\|Seccomp\\|CapEff\\):/\\1/p' /proc/self/status |"
	" tr -s '\\t\\n' '  ')\"\n"
	"say limits \"$(ulimit -a | tr -s '\\n ' ', ' | sed 's/,$//')\"\n";

/* What was cut short says less than there is, as if it were elsewhere. */
static bool has_ended(const json_t *verdict)
{
	const char *cause = json_string_value(json_object_get(verdict, "cause"));

	return cause && strcmp(cause, "exited") == 0;
}

static int ask_sandbox(struct session *session, char ret[ENVIRONMENT_BYTES_MAX],
		       struct error *why)
{
	static const char *const argv[] = { "/bin/sh", "-c", probe };
	const struct command command = {
		.tool = COMMAND_TRY, .workspace = session->repository,
		.argv = { argv, COUNT(argv) }, .timeout_ns = PROBE_NS,
	};
	struct ask ask;
	int r = command_begin(session, &ask, &command);

	if (r == 0)
		r = session_wait(session, &ask);
	if (r < 0)
		*why = ask.why;
	else if (ask.streams[1].length == 0)
		r = error_set(why, -ENOENT, "no shell in the sandbox");
	else if (!has_ended(ask.answer))
		r = error_set(why, -EINTR, "what asks for it did not end by itself");
	else
		snprintf(ret, ENVIRONMENT_BYTES_MAX, "%.*scupel: " CUPEL_VERSION "\n",
			 (int)ask.streams[1].length, (const char *)ask.streams[1].data);
	session_drop(session, &ask);
	return r;
}

static int keep(struct session *session, const char *facts, struct error *why)
{
	json_t *answer = NULL;
	int r = session_ask(session, "store.environment", 0,
			    json_pack("{s:s}", "facts", facts), &answer, why);

	if (r == 0) {
		session->environment = arena_text(session_memory(session), "%s",
			json_string_value(json_object_get(answer, "environment")));
		r = session->environment ? 0 : error_set(why, -ENOMEM, "out of memory");
	}
	json_decref(answer);
	return r;
}

int environment_learn(struct session *session, struct error *why)
{
	char facts[ENVIRONMENT_BYTES_MAX];
	int r = session->workspace ? ask_sandbox(session, facts, why) : 0;

	if (r == 0 && session->workspace)
		r = keep(session, facts, why);
	if (r == 0 || r == -ECANCELED || r == -EPIPE || r == -ETIMEDOUT)
		return r;
	log_write(&session->call->worker->log, LEVEL_WARNING, "the environment is not known",
		  LOG_FIELDS(log_text("reason", why->text)));
	return 0;
}
