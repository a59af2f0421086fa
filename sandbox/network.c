#include "sandbox/network.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"

/* A socket names its network: no path needed. */
static int name_of(int socket_fd)
{
	int fd = ioctl(socket_fd, SIOCGSKNS);

	return fd < 0 ? -errno : fd;
}

static int any_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int network_own(void)
{
	AUTO_CLOSE int fd = any_socket();

	return fd < 0 ? fd : name_of(fd);
}

int network_make(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	AUTO_CLOSE int fd = any_socket();

	if (fd < 0)
		return fd;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : name_of(fd);
}

int network_enter(int network)
{
	return setns(network, CLONE_NEWNET) < 0 ? -errno : 0;
}
