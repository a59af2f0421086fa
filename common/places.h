/*
 * places.h - where the supervisor's files are.
 *
 *	          system (root)      user
 *	run       /run/cupel         $XDG_RUNTIME_DIR/cupel, or /tmp/cupel-UID
 *	state     /var/lib/cupel     $XDG_STATE_HOME/cupel, or ~/.local/state/cupel
 *	log       /var/log/cupel     STATE/log
 *	config    /etc/cupel         $XDG_CONFIG_HOME/cupel, or ~/.config/cupel
 *
 * In the run directory: router.sock for clients, workspace.sock for their
 * directories, lock for the one supervisor. CUPEL_RUN and CUPEL_STATE name
 * other directories, which is how several supervisors live side by side.
 * Source: XDG Base Directory Specification; FHS 3.0.
 */
#ifndef CUPEL_COMMON_PLACES_H
#define CUPEL_COMMON_PLACES_H

#include <stdbool.h>

struct error;

#define PLACES_RUN_BYTES 80	/* so that a socket's path fits sun_path */
#define PLACES_BYTES 4096

#define PLACES_ROUTER "router.sock"
#define PLACES_WORKSPACE "workspace.sock"
#define PLACES_LOCK "lock"

struct places {
	char run[PLACES_RUN_BYTES];
	char state[PLACES_BYTES];
	char log[PLACES_BYTES];
};

/* Finds the names; touches nothing. -ENAMETOOLONG, -ENOENT (no home). */
int places_find(struct places *ret, struct error *why);

/*
 * Where its owner configures that: NAME below the config directory. Root has
 * the system's alone, lest a user's environment that came along with su(1)
 * chooses for it. False: a user without a home, or a name too long.
 */
bool places_config(const char *name, char ret[PLACES_BYTES]);

/*
 * Makes the directories, each with mode 0700 (run in system mode 0755), and
 * refuses one that another user owns or may write to: -EPERM.
 */
int places_make(const struct places *places, struct error *why);

#endif
