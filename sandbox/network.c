#include "sandbox/network.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

int network_own(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int own = fd < 0 ? fd : ioctl(fd, SIOCGSKNS);

	return own < 0 ? -errno : own;
}

/* As syscall(2), but a failure is what it returns. */
static long raw(long number, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

int network_make(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	long r = raw(SYS_unshare, CLONE_NEWNET, 0, 0);

	if (r < 0)
		return (int)r;
	long fd = raw(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return (int)fd;
	r = raw(SYS_ioctl, fd, SIOCSIFFLAGS, (long)(uintptr_t)&request);
	if (r == 0)
		r = raw(SYS_ioctl, fd, SIOCGSKNS, 0);	/* a socket names its network */
	raw(SYS_close, fd, 0, 0);
	return (int)r;
}

int network_enter(int network)
{
	return setns(network, CLONE_NEWNET) < 0 ? -errno : 0;
}
