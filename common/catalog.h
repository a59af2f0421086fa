/*
 * catalog.h - which tools there are, as one block of plain memory.
 *
 * The manifests (cupel-tool(5)) are read by a short-lived child of the monitor
 * without privileges, the loader, which writes this block into memory that is
 * then sealed (memfd_create(2), F_SEAL_WRITE). Monitor and router map it; they
 * read no manifest and trust no offset in it before catalog_check() has.
 *
 *	struct catalog | text_bytes of text: strings that end with NUL
 *
 * A pool is one worker program with its policy and number; a tool is what a
 * client calls, "echo" or "fs.read", and is served by one pool.
 */
#ifndef CUPEL_COMMON_CATALOG_H
#define CUPEL_COMMON_CATALOG_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define CATALOG_MAGIC UINT64_C(0x63757065636174)
#define CATALOG_POOLS_MAX 32
#define CATALOG_TOOLS_MAX 512
#define CATALOG_TEXT_BYTES_MAX (1U << 20)
#define CATALOG_NAME_BYTES 64	/* with the NUL, as all sizes here */
#define CATALOG_PATH_BYTES 256
#define CATALOG_WORKSPACE_MODE_MAX 3
#define CATALOG_POOL_SIZE_MAX 128	/* workers */
#define CATALOG_CALLS_MAX 1024		/* in one worker */
#define CATALOG_QUEUE_MAX 65536

enum pool_kind {
	POOL_STATIC,	/* size workers, always */
	POOL_ONDEMAND,	/* as many as there is work, up to size; warm of them idle */
	POOL_PER_CALL,	/* a worker serves one call and is gone; warm wait ready */
	POOL_KIND_COUNT
};

enum pool_flag {
	POOL_CRITICAL = 1,	/* health is unhealthy without it */
	POOL_WORKSPACE = 2,	/* a worker belongs to one workspace */
	POOL_STATE = 8,		/* a worker has the pool's directory in the state */
	POOL_SETTINGS = 16,	/* its section of cupel.conf is its arguments */
	POOL_BATCH = 4,		/* low weight beside others; off in a brownout */
};

/* Who calls; a bit each in catalog_tool.roles. */
enum caller_role {
	ROLE_OWNER,	/* the supervisor's own user, and root */
	ROLE_MEMBER,	/* of the group that may use the socket */
	ROLE_AGENT,
	ROLE_IMPROVE,
	ROLE_COUNT
};

/* Who makes room, or waits for it, when as many wait for a tool as may. */
enum overflow {
	OVERFLOW_REJECTS,	/* the newcomer, or the newest of those less urgent */
	OVERFLOW_DROPS,		/* the oldest of those no more urgent; or the newcomer */
	OVERFLOW_BLOCKS,	/* the newcomer waits until there is room */
	OVERFLOW_COUNT
};

/* What becomes of the breaker's judgement on a tool. */
enum breaker_mode {
	BREAKER_ENFORCES,	/* calls are rejected by it */
	BREAKER_OBSERVES,	/* none is, it only counts */
	BREAKER_ROLLS_OUT,	/* the same for the first days of a tool */
	BREAKER_MODE_COUNT
};

/* A string in the text; offset 0 is the empty one. */
struct catalog_text {
	uint32_t offset, length;	/* length without the NUL */
};

struct catalog_pool {
	char name[CATALOG_NAME_BYTES];
	char program[CATALOG_PATH_BYTES];	/* absolute */
	struct catalog_text arguments;	/* each ended by a NUL, argv[1] on */
	char policy[CATALOG_NAME_BYTES];
	uint64_t hash;		/* another one: another generation of workers */
	uint32_t kind;		/* enum pool_kind */
	uint32_t flags;		/* enum pool_flag */
	uint32_t size;		/* the most workers at a time */
	uint32_t warm;		/* that wait idle; at most size */
	uint32_t calls_max;	/* at a time in one worker */
	uint32_t workspace_mode; /* enum workspace_mode, sandbox/policy.h; 0: none */
	uint32_t reserved;
	uint32_t client_role;	/* it calls tools itself; ROLE_COUNT: it does not */
	uint64_t recycle_calls;	/* 0: never, as below */
	int64_t recycle_age_ns;
	uint64_t recycle_bytes;	/* resident */
	int64_t idle_ns;	/* an on-demand worker leaves after that */
	int64_t start_ns;	/* the longest from HELLO to READY */
};

struct catalog_tool {
	char name[CATALOG_NAME_BYTES];
	struct catalog_text help;	/* one line */
	struct catalog_text schema;	/* JSON Schema of the arguments */
	struct catalog_text probe;	/* arguments of a call without effect; empty: none */
	uint32_t pool;
	uint32_t class;		/* enum tool_class, common/core/retry.h */
	uint32_t roles;		/* a bit per enum caller_role */
	uint32_t queue;		/* calls that may wait */
	uint32_t concurrency;	/* calls at a time; 0: what the pool can */
	uint32_t coalesce;	/* 1: equal calls at a time become one; pure tools only */
	uint32_t breaker;	/* enum breaker_mode */
	uint32_t overflow;	/* enum overflow */
	int64_t deadline_ns;	/* where the caller names none */
	int64_t deadline_max_ns;
	int64_t idle_ns;	/* without progress; 0: no such timer */
	int64_t slow_ns;	/* a call that runs longer counts as slow */
	int64_t cache_ns;	/* a result answers equal calls; 0: it does not */
	int64_t stale_ns;	/* and then, while the tool cannot; pure tools only, both */
	uint64_t output_bytes;	/* of one call, streamed or not */
	char fallback[CATALOG_NAME_BYTES]; /* asked while this one cannot serve; "": none */
};

struct catalog {
	uint64_t magic;
	uint32_t generation;	/* from 1 up with every change */
	uint32_t pool_count, tool_count;
	uint32_t text_bytes;
	struct catalog_pool pools[CATALOG_POOLS_MAX];
	struct catalog_tool tools[CATALOG_TOOLS_MAX];
};

/*
 * What manifests and reports call them, in the order of enum pool_kind, tool_class,
 * overflow and breaker_mode; NULL at the end.
 */
extern const char *const catalog_kinds[];
extern const char *const catalog_classes[];
extern const char *const catalog_overflows[];
extern const char *const catalog_breaker_modes[];

/*
 * Whether that many bytes at catalog (aligned as malloc(3) does) hold one:
 * every count, offset, name and enum is in range, every string ended, names are
 * unique and sorted by strcmp(3), fallbacks are sound. 0, or -EBADMSG with the row
 * at fault.
 */
int catalog_check(const struct catalog *catalog, size_t bytes,
		  struct error *why);

/*
 * Why the tool cannot have the fallback it names, as the end of a sentence; NULL:
 * it can, or names none. There is such a tool, another one, with no fallback of its
 * own, which has no more effect than this one may, and this one has none.
 */
const char *catalog_fallback_fault(const struct catalog *catalog,
				   const struct catalog_tool *tool);

/* The string, within the block; "" for an empty one. */
const char *catalog_text(const struct catalog *catalog,
			 struct catalog_text text);

/* The index of the tool of that name (length bytes), or -ENOENT. */
int catalog_find_tool(const struct catalog *catalog, const char *name,
		      size_t length);

/* The name nearest to one that is not there, for "did you mean"; or NULL. */
const char *catalog_nearest_tool(const struct catalog *catalog,
				 const char *name, size_t length);

#endif
