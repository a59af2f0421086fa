#include "common/descriptors.h"

#include <poll.h>
#include <unistd.h>

#define AT_ONCE 256

unsigned descriptors_limit(void)
{
	long limit = sysconf(_SC_OPEN_MAX);

	return limit < 0 ? DESCRIPTORS_MOST : (unsigned)limit;
}

unsigned descriptors_end(void)
{
	unsigned limit = descriptors_limit();

	return limit < DESCRIPTORS_MOST ? limit : DESCRIPTORS_MOST;
}

unsigned descriptors_open(unsigned end)
{
	struct pollfd polled[AT_ONCE];
	unsigned open = 0;

	for (unsigned first = 0; first < end; first += AT_ONCE) {
		unsigned count = end - first < AT_ONCE ? end - first : AT_ONCE;

		for (unsigned i = 0; i < count; i++)
			polled[i] = (struct pollfd){ .fd = (int)(first + i) };
		if (poll(polled, count, 0) < 0)
			return 0;
		for (unsigned i = 0; i < count; i++)
			open += !(polled[i].revents & POLLNVAL);
	}
	return open;
}
