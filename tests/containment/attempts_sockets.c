/* Attempts on sockets and terminals: families that no namespace covers,
 * listeners of the host, and typing into a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define HIGH_GARBAGE (INT64_C(0xdead) << 32)
#define FAMILIES 46	/* AF_MCTP is 45 */

static int try_socket(const struct attempt *t)
{
	return result(syscall(SYS_socket, t->a, t->b, t->c));
}

/* Every family and type but those a program may have. */
static int try_families(const struct attempt *t)
{
	(void)t;
	for (int family = 0; family < FAMILIES; family++)
		for (int type = 1; type <= SOCK_PACKET; type++) {
			bool ordinary = type == SOCK_STREAM || type == SOCK_DGRAM;

			if (family == AF_UNIX || family == AF_NETLINK ||
			    (ordinary && (family == AF_INET || family == AF_INET6)))
				continue;
			if (socket(family, type, 0) >= 0) {
				printf("# family %d type %d\n", family, type);
				return 0;
			}
		}
	return EPERM;
}

/* Every netlink protocol but ROUTE, which some presets have. */
static int try_netlink(const struct attempt *t)
{
	(void)t;
	for (int protocol = 1; protocol < 32; protocol++)
		if (socket(AF_NETLINK, SOCK_RAW, protocol) >= 0)
			return 0;
	return EPERM;
}

static int try_connect(const struct attempt *t)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	address.sin_port = htons((uint16_t)number_of(getenv(t->text)));
	return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

/* t->a: abstract, else by path. */
static int try_connect_unix(const struct attempt *t)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *name = getenv(t->text);
	size_t skipped = t->a ? 1 : 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	snprintf(address.sun_path + skipped, sizeof(address.sun_path) - skipped,
		 "%s", name ? name : "none");
	return result(connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skipped +
					  strlen(address.sun_path + skipped))));
}

/* On a terminal of the probe's own, made its controlling one. */
static int try_terminal(const struct attempt *t)
{
	static char byte = 'x';
	int unlock = 0;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return errno;
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);

	if (slave < 0)
		return errno;
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	return result(syscall(SYS_ioctl, slave, t->a, &byte));
}

#define REFUSED "EPERM|EACCES"
#define NO_FAMILY "ok|EAFNOSUPPORT|EPROTONOSUPPORT"

/* net shares the host's network, and says so. */
#define OWN_NETWORK "strict|tool|build|test|compute"

static const struct attempt rows[] = {
	{ "a vsock socket", try_socket, NULL, AF_VSOCK, SOCK_STREAM, 0, REFUSED, NO_FAMILY, NULL },
	{ "a vsock socket, high bits set", try_socket, NULL, AF_VSOCK | HIGH_GARBAGE, SOCK_STREAM, 0, REFUSED, NO_FAMILY, NULL },
	{ "a packet socket", try_socket, NULL, AF_PACKET, SOCK_RAW, 0, REFUSED, NO_FAMILY, NULL },
	{ "a raw socket", try_socket, NULL, AF_INET, SOCK_RAW, IPPROTO_ICMP, REFUSED, "ok", NULL },
	{ "a raw socket, high bits set", try_socket, NULL, AF_INET | HIGH_GARBAGE, SOCK_RAW | HIGH_GARBAGE, IPPROTO_ICMP, REFUSED, "ok", NULL },
	{ "a raw IPv6 socket", try_socket, NULL, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, REFUSED, NO_FAMILY, NULL },
	{ "an MPTCP socket", try_socket, NULL, AF_INET, SOCK_STREAM, 262, REFUSED, NO_FAMILY "|ENOPROTOOPT", NULL },
	{ "an SCTP socket", try_socket, NULL, AF_INET, SOCK_STREAM, 132, REFUSED, NO_FAMILY, NULL },
	{ "an AF_ALG socket", try_socket, NULL, AF_ALG, SOCK_SEQPACKET, 0, REFUSED, NO_FAMILY, NULL },
	{ "an XDP socket", try_socket, NULL, 44, SOCK_RAW, 0, REFUSED, NO_FAMILY, NULL },
	{ "a bluetooth socket", try_socket, NULL, AF_BLUETOOTH, SOCK_RAW, 1, REFUSED, NO_FAMILY, NULL },
	{ "any exotic family", try_families, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "any netlink but routes", try_netlink, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "reach a port of the host", try_connect, "CANARY_PORT", 0, 0, 0, "ECONNREFUSED|ENETUNREACH|" REFUSED, "ok", OWN_NETWORK },
	{ "reach an abstract socket", try_connect_unix, "CANARY_SOCKET", 1, 0, 0, "ECONNREFUSED|" REFUSED, "ok", NULL },
	{ "reach a socket by its path", try_connect_unix, "CANARY_PATH_SOCKET", 0, 0, 0, ABSENT, "ok", NULL },
	{ "TIOCSTI", try_terminal, NULL, TIOCSTI, 0, 0, REFUSED "|ENOENT", "ok|EIO", NULL },
	{ "TIOCSTI, high bits set", try_terminal, NULL, TIOCSTI | HIGH_GARBAGE, 0, 0, REFUSED "|ENOENT", "ok|EIO", NULL },
	{ "TIOCLINUX", try_terminal, NULL, TIOCLINUX, 0, 0, REFUSED "|ENOENT", "ENOTTY|EINVAL", NULL },
	{ "TIOCSETD", try_terminal, NULL, TIOCSETD, 0, 0, REFUSED "|ENOENT", "ok|EINVAL|EFAULT", NULL },
};

const struct attempt_table socket_attempts = { rows, COUNT(rows) };

/*
 * probe type - tries to put bytes into the terminal it is on, by every door,
 * and to have it as its own; prints what worked. Exit status 0.
 */
int probe_type(int argc, char **argv)
{
	static const struct {
		const char *name;
		long request;
	} requests[] = {
		{ "TIOCSTI", TIOCSTI }, { "TIOCSTI with high bits", TIOCSTI | HIGH_GARBAGE },
		{ "TIOCLINUX", TIOCLINUX }, { "TIOCSCTTY", TIOCSCTTY },
	};
	static char byte = 'x';

	(void)argc;
	(void)argv;
	for (int fd = 0; fd < 3; fd++)
		for (size_t i = 0; i < COUNT(requests); i++)
			if (syscall(SYS_ioctl, fd, requests[i].request, &byte) >= 0)
				printf("%s on %d\r\n", requests[i].name, fd);
	if (open("/dev/tty", O_RDWR) >= 0)
		printf("/dev/tty\r\n");
	return 0;
}
