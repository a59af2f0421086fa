/*
 * config_scan.h - what a configuration file may be made of.
 *
 * The pass before the parser: it refuses, by line, what libconfuse 3.3 would
 * take silently and in another sense than the writer's (an endless string or
 * block, a dropped character, an environment variable), and leaves out the
 * comments. What passes here, the parser splits into the same words.
 */
#ifndef CUPEL_COMMON_CONFIG_SCAN_H
#define CUPEL_COMMON_CONFIG_SCAN_H

#include "common/error.h"
#include "common/span.h"

/* Put before the items of every list; no file can contain it. */
#define CONFIG_LIST_MARK "\001"

/*
 * Copies the text for the parser, with its lines as they are, a terminating
 * NUL, and CONFIG_LIST_MARK as the first item of every list: it tells an empty
 * list from none, and an item from the start of a second list. ret has room
 * for CONFIG_SCAN_BYTES(length). -EINVAL and "name:line: ..." if the text is
 * refused.
 */
int config_scan(const char *name, struct span text, char *ret,
		struct error *why);

/* Every other byte may open a list, and the mark there takes four. */
#define CONFIG_SCAN_BYTES(length) (3 * (length) + 1)

#endif
