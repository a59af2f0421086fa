/*
 * host.h - what this host offers for confinement, found out by trying.
 *
 * Every primitive is a row of one table. Its probe really uses it, in a child
 * of its own that was born into the namespaces where a sandbox would use it,
 * so nothing outlives a probe but its finding. Versions and settings are read
 * for advice only, never to conclude from.
 *
 *	host_probe() -- clone --> child: id map, probe, finding
 *	     ^                       |
 *	     +------- a pipe --------+	killed if it says nothing in time
 *
 * A switch the host's owner turned off, a filter or a container around us and
 * a kernel without the feature look alike to a program (EPERM, ENOSYS); telling
 * them apart is what makes a fix exact.
 */
#ifndef CUPEL_SANDBOX_HOST_H
#define CUPEL_SANDBOX_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

#define HOST_TEXT_BYTES 512

enum host_state {
	HOST_OK,
	HOST_WEAKER,	/* runs do without; the row's meaning is what they lose */
	HOST_MISSING,	/* no run is possible */
};

struct host_finding {
	enum host_state state;
	char found[HOST_TEXT_BYTES];	/* what was seen: a version, a reason; or "" */
	char fix[HOST_TEXT_BYTES];	/* one command or setting; "" if ok or not tried */
};

struct host_row {
	const char *name;
	uint64_t namespaces;	/* CLONE_NEW* the probe is born into */
	enum host_state absent;	/* what a failed probe means */
	bool full_only;		/* no use to an ordinary user */

	/*
	 * 0 or -errno with the reason in why. On success it may set a weaker
	 * state, with what was found and the fix; on failure a better fix.
	 */
	int (*probe)(struct host_finding *ret, struct error *why);
	const char *meaning;
	const char *fix;	/* on a host of one's own */
	const char *container_fix;	/* of EPERM and EACCES in a container; or NULL */
};

/* In the order they are shown, what the rest depends on first. */
extern const struct host_row host_rows[];
extern const size_t host_row_count;

/* Who asks, and what is around: the same for all probes. */
struct host {
	uid_t uid;
	gid_t gid;
	char kernel[65], machine[65];	/* uname(2) */
	char container[32];	/* "docker", "unnamed", ...; "": none */
	bool filtered;		/* a system-call filter was there before us */
};

void host_read(struct host *ret);

/* Leaves nothing behind; takes some milliseconds, at most three seconds. */
void host_probe(const struct host_row *row, const struct host *host,
		struct host_finding *ret);

const char *host_state_name(enum host_state state);

/*
 * Names what keeps user namespaces from being made: the first of the host's
 * switches that is off, else what the errno stands for; ret stays as it is if
 * neither tells (EPERM: a filter, a container, a security module). sysctls is
 * "/proc/sys" but in tests; for root only switches that bind root count.
 */
void host_explain_userns(const char *sysctls, bool root, int error,
			 struct host_finding *ret);

#endif
