#include "sandbox/privileges.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "common/error.h"

static bool is_kept(const struct privilege *kept, size_t count, int capability)
{
	for (size_t i = 0; i < count; i++)
		if (kept[i].capability == capability)
			return true;
	return false;
}

/* CAP_SETPCAP is in force until the sets themselves are replaced. */
static int drop_bounding(const struct privilege *kept, size_t count, struct error *why)
{
	for (int c = 0; cap_get_bound(c) >= 0; c++)
		if (!is_kept(kept, count, c) && cap_drop_bound(c) < 0)
			return error_set(why, -errno, "drop capability %d: %s", c,
					 strerror(errno));
	return 0;
}

static int replace_sets(cap_t sets, const struct privilege *kept, size_t count)
{
	if (!sets || cap_clear(sets) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		cap_value_t value = kept[i].capability;

		if (cap_set_flag(sets, CAP_PERMITTED, 1, &value, CAP_SET) < 0 ||
		    cap_set_flag(sets, CAP_EFFECTIVE, 1, &value, CAP_SET) < 0)
			return -1;
	}
	return cap_set_proc(sets);
}

int privileges_keep(const struct privilege *kept, size_t count, struct error *why)
{
	int r = drop_bounding(kept, count, why);

	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set(why, -errno, "clear ambient: %s", strerror(errno));
	cap_t sets = cap_init();

	r = replace_sets(sets, kept, count);
	if (r < 0)
		r = error_set(why, -errno, "give up capabilities: %s", strerror(errno));
	cap_free(sets);
	return r;
}
