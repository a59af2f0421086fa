#include "supervisor/router/shell.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/router/breakers_core.h"
#include "supervisor/router/effect_core.h"

#define LEDGER_ROWS_AT_ONCE 256

/* Where an index's row begins: behind the head. */
static off_t place_of(uint32_t index)
{
	return (off_t)(sizeof(struct effect_head) +
		       index * sizeof(struct effect_row));
}

/* 0, or why an effect that has a name is not to be had. */
static int open_head(struct shell *shell)
{
	struct hash_key *keys = router_keys(shell->router);
	struct effect_head head = { .magic = EFFECT_MAGIC };
	ssize_t length = pread(ROUTER_EFFECTS_FD, &head, sizeof(head), 0);

	if (length < 0)
		return -errno;
	if (length == 0) {
		memcpy(head.keys, keys, sizeof(head.keys));
		return pwrite(ROUTER_EFFECTS_FD, &head, sizeof(head), 0) ==
		       sizeof(head) ? 0 : -EIO;
	}
	if (length != sizeof(head) || head.magic != EFFECT_MAGIC)
		return -EUCLEAN;	/* whoever wrote that, it stays as it is */
	memcpy(keys, head.keys, sizeof(head.keys));
	return 0;
}

static int recall_all(struct shell *shell, int64_t now_ns)
{
	struct effect_row rows[LEDGER_ROWS_AT_ONCE];
	uint32_t index = 0;
	ssize_t length;

	while ((length = pread(ROUTER_EFFECTS_FD, rows, sizeof(rows),
			       place_of(index))) >= (ssize_t)sizeof(rows[0])) {
		for (size_t i = 0; i < (size_t)length / sizeof(rows[0]); i++)
			if (!router_recall(shell->router, index++, &rows[i], now_ns))
				return -EUCLEAN;
	}
	return length < 0 ? -errno : 0;
}

int legacy_open(struct shell *shell, int64_t now_ns, struct error *why)
{
	void *memory = mmap(NULL, ROUTER_LEGACY_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, ROUTER_LEGACY_FD, 0);

	if (memory == MAP_FAILED)
		return error_set(why, -errno, "legacy: %s", strerror(errno));
	if (router_legacy_bytes(&router_size_default) > ROUTER_LEGACY_BYTES)
		return error_set(why, -ENOSPC, "legacy: it is too small");
	router_inherit(shell->router, memory, now_ns);
	return 0;
}

void ledger_open(struct shell *shell, int64_t now_ns)
{
	int r = open_head(shell);

	if (r == 0)
		r = recall_all(shell, now_ns);
	shell->ledger_error = r;
	if (r < 0)
		log_write(&shell->log, LEVEL_ERROR, "effects cannot be written down",
			  LOG_FIELDS(log_text("reason", strerror(-r))));
}

int ledger_keep(void *owner, uint32_t index, const struct effect_row *row)
{
	const struct shell *shell = owner;
	ssize_t length;

	if (shell->ledger_error)
		return shell->ledger_error;
	length = pwrite(ROUTER_EFFECTS_FD, row, sizeof(*row), place_of(index));
	return length == sizeof(*row) ? 0 : length < 0 ? -errno : -ENOSPC;
}

/* ---- breakers ---- */

void ledger_recall_breakers(struct shell *shell, int64_t now_ns)
{
	struct breaker_row row;
	ssize_t length = 0;
	unsigned damaged = 0;

	for (uint32_t index = 0; index < BREAKER_ROWS; index++) {
		length = pread(ROUTER_BREAKERS_FD, &row, sizeof(row),
			       (off_t)(index * sizeof(row)));
		if (length != sizeof(row))
			break;
		damaged += !router_recall_breaker(shell->router, index, &row, now_ns);
	}
	if (length >= 0 && damaged == 0)
		return;
	log_write(&shell->log, LEVEL_WARNING, "breakers are forgotten",
		  LOG_FIELDS(log_text("reason", length < 0 ? strerror(errno) :
				      "their rows are damaged"),
			     log_uint("rows", damaged)));
}

/* The router goes on without: only the next one misses it. Said once. */
void ledger_keep_breaker(void *owner, uint32_t index, const struct breaker_row *row)
{
	struct shell *shell = owner;
	ssize_t length = pwrite(ROUTER_BREAKERS_FD, row, sizeof(*row),
				(off_t)(index * sizeof(*row)));

	if (length == sizeof(*row) || shell->breakers_unkept)
		return;
	shell->breakers_unkept = true;
	log_write(&shell->log, LEVEL_ERROR, "breakers cannot be written down",
		  LOG_FIELDS(log_text("reason", strerror(length < 0 ? errno : ENOSPC))));
}
