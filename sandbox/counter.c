#include "sandbox/counter.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

int counter_open(void)
{
	struct perf_event_attr what = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(what),
		.config = PERF_COUNT_HW_INSTRUCTIONS, .disabled = 1, .inherit = 1,
		.exclude_kernel = 1, .exclude_hv = 1, .enable_on_exec = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
