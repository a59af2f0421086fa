/*
 * cupel drain, shutdown and breaker: orders for a running supervisor, each a
 * word to the router, which knows who may give it.
 */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"

#define WORDS_BYTES 160

int cli_drain(const struct verb *verb, int argc, char **argv)
{
	bool off = argc == 2 && strcmp(argv[1], "off") == 0;

	if (argc != 1 && !off)
		return cli_refuse_usage(verb);
	return cli_order("router.drain", off ? "off" : NULL, off ?
			 "calls are taken again" :
			 "no new calls are taken; those that run may finish, then "
			 "'cupel shutdown' ends it, or 'cupel drain off' takes it back");
}

int cli_shutdown(const struct verb *verb, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return cli_refuse_usage(verb);
	return cli_order("router.shutdown", NULL,
			 "the supervisor finishes what runs, then leaves");
}

int cli_breaker(const struct verb *verb, int argc, char **argv)
{
	static const char *const actions[] = { "reset", "isolate", NULL };
	char words[WORDS_BYTES], done[WORDS_BYTES];
	const char *meant;
	int64_t time_ns = 0;
	struct error why;
	bool isolate = argc > 1 && strcmp(argv[1], "isolate") == 0;

	if (argc < 3 || argc > (isolate ? 4 : 3))
		return cli_refuse_usage(verb);
	if (!isolate && strcmp(argv[1], "reset") != 0) {
		meant = text_nearest(argv[1], actions);
		fprintf(stderr, meant ? "cupel breaker: there is no '%s'; did you mean '%s'?\n" :
			"cupel breaker: there is no '%s'; say 'reset' or 'isolate'\n",
			argv[1], meant);
		return EXIT_USAGE;
	}
	if (argc == 4 && text_parse_duration(argv[3], &time_ns, &why) < 0) {
		fprintf(stderr, "cupel: %s\n", why.text);
		return EXIT_USAGE;
	}
	if (time_ns)
		snprintf(done, sizeof(done), "its calls are refused for %s; 'cupel breaker reset' "
			 "lets them out sooner", argv[3]);
	else
		snprintf(done, sizeof(done), isolate ? "its calls are refused for an hour; "
			 "'cupel breaker reset' lets them out sooner" : "its calls go out again");
	if (time_ns)
		snprintf(words, sizeof(words), "isolate %.80s %lld", argv[2],
			 (long long)((time_ns + NS_PER_S - 1) / NS_PER_S));
	else
		snprintf(words, sizeof(words), "%s %.80s", argv[1], argv[2]);
	return cli_order("router.breaker", words, done);
}

void cli_breaker_explain(FILE *out)
{
	fputs("\n  reset TOOL              close the breaker, forget its failures\n"
	      "  isolate TOOL [DURATION] refuse its calls for that long, an hour if not said\n\n"
	      "'cupel status' shows the breakers.\n", out);
}
