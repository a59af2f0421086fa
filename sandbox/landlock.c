#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

/* Newer than the headers of Debian 12; landlock(7). */
#define ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)	/* ABI 3 */
#define ACCESS_FS_IOCTL_DEV (UINT64_C(1) << 15)	/* ABI 5 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)	/* ABI 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
#define SCOPES (SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL)
#define NET_BIND_TCP (UINT64_C(1) << 0)	/* ABI 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

struct ruleset_attributes {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_EXECUTE |
				    LANDLOCK_ACCESS_FS_READ_FILE |
				    LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t file_rights = LANDLOCK_ACCESS_FS_EXECUTE |
				    LANDLOCK_ACCESS_FS_READ_FILE |
				    LANDLOCK_ACCESS_FS_WRITE_FILE |
				    ACCESS_FS_TRUNCATE | ACCESS_FS_IOCTL_DEV;

/* Every file right the ABI knows: bits 0..12, then one bit an ABI. */
static uint64_t handled(int abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		rights |= ACCESS_FS_IOCTL_DEV;
	return rights;
}

static uint64_t rights_of(enum landlock_access access)
{
	switch (access) {
	case LANDLOCK_LIST:
		return LANDLOCK_ACCESS_FS_READ_DIR;
	case LANDLOCK_READ:
		return read_rights;
	case LANDLOCK_WRITE:
		return ~(LANDLOCK_ACCESS_FS_MAKE_CHAR |
			 LANDLOCK_ACCESS_FS_MAKE_BLOCK | ACCESS_FS_IOCTL_DEV);
	case LANDLOCK_DEVICE:
		return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
		       LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE |
		       ACCESS_FS_IOCTL_DEV;
	}
	return 0;
}

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* What the ABI does not know must not be asked of it. */
static int create(struct ruleset_attributes attributes, int abi, struct error *why)
{
	size_t size = sizeof(attributes);

	if (abi < LANDLOCK_ABI_SCOPES) {
		attributes.scoped = 0;
		size = offsetof(struct ruleset_attributes, scoped);
	}
	if (abi < 4)
		size = offsetof(struct ruleset_attributes, handled_net);
	long fd = syscall(SYS_landlock_create_ruleset, &attributes, size, 0);

	if (fd < 0)
		return error_set(why, -errno, "landlock_create_ruleset: %s",
				 strerror(errno));
	return (int)fd;
}

int landlock_open(int abi, struct error *why)
{
	return create((struct ruleset_attributes){ .handled_fs = handled(abi),
						   .scoped = SCOPES }, abi, why);
}

int landlock_open_bare(int abi, bool network, struct error *why)
{
	return create((struct ruleset_attributes){
		.handled_fs = handled(abi),
		.handled_net = network ? 0 : NET_BIND_TCP | NET_CONNECT_TCP,
		.scoped = SCOPES }, abi, why);
}

int landlock_open_border(struct error *why)
{
	return create((struct ruleset_attributes){ .scoped = SCOPES },
		      LANDLOCK_ABI_SCOPES, why);
}

int landlock_allow_fd(int ruleset, int abi, int fd, const char *path,
		      enum landlock_access access, struct error *why)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set(why, -errno, "stat %s: %s", path, strerror(errno));
	rule.allowed_access = rights_of(access) & handled(abi);
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= file_rights;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0) < 0)
		return error_set(why, -errno, "landlock_add_rule %s: %s", path,
				 strerror(errno));
	return 0;
}

int landlock_allow(int ruleset, int abi, const char *path,
		   enum landlock_access access, struct error *why)
{
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_PATH, 0, PATH_HOST, why);

	return fd < 0 ? fd : landlock_allow_fd(ruleset, abi, fd, path, access, why);
}

int landlock_enforce(int ruleset, struct error *why)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_set(why, -errno, "landlock_restrict_self: %s",
				 strerror(errno));
	return 0;
}
