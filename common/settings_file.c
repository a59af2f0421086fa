/* cupel.conf itself: what reads it, apart from what its settings are. */
#include <errno.h>
#include <unistd.h>

#include "common/config_print.h"
#include "common/places.h"
#include "common/settings.h"

int settings_load(struct config *config, struct settings *settings,
		  const char *path, struct error *why)
{
	char usual[PLACES_BYTES];

	config_init(config, settings_sections, settings_section_count,
		    settings);
	if (path)
		return config_load(config, path, why);
	if (!places_config("cupel.conf", usual) || (access(usual, F_OK) < 0 && errno == ENOENT))
		return 0;
	return config_load(config, usual, why);
}

void settings_print_default(FILE *out)
{
	struct settings settings;
	struct config config;

	config_init(&config, settings_sections, settings_section_count,
		    &settings);
	fputs("# Every setting of Cupel at its default; see cupel.conf(5).\n\n",
	      out);
	config_print_file(out, &config);
	config_release(&config);
}
