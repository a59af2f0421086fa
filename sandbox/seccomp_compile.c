#include "sandbox/seccomp_compile.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/observe.h"
#include "sandbox/policy.h"
#include "sandbox/seccomp_checks.h"

#define X32_BIT 0x40000000U
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define NO_SUCH_CALL (SECCOMP_RET_ERRNO | ENOSYS)

/* What libseccomp returns for us to replace; below them, a checked call's number. */
enum { MARK_DENY = 0x8000, MARK_NO_SUCH_CALL };

#define CHECKS_MAX 48	/* of one call */

struct program {
	struct sock_filter *instructions;
	size_t count;
	const struct policy *policy;
};

static void emit(struct program *program, struct sock_filter instruction)
{
	assert(program->count < SECCOMP_INSTRUCTIONS_MAX);
	program->instructions[program->count++] = instruction;
}

static struct sock_filter load(size_t offset)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    (uint32_t)offset);
}

static struct sock_filter jump(uint16_t test, uint32_t value, size_t yes, size_t no)
{
	assert(yes <= UINT8_MAX && no <= UINT8_MAX);
	return (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test | BPF_K), value,
					    (uint8_t)yes, (uint8_t)no);
}

static struct sock_filter give(uint32_t action)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}

/* ---- in front: what is no call of ours, and numbers without a name ---- */

static int first_from(int number, bool known)
{
	while (number < SYSCALL_NUMBERS && !!syscall_name(number) != known)
		number++;
	return number;
}

/* A range of unknown numbers; left instructions follow before the returns. */
static void emit_range(struct program *program, int begin, int end, size_t left)
{
	bool open = end == SYSCALL_NUMBERS;

	emit(program, jump(BPF_JGE, (uint32_t)begin, 0, left + 3));
	emit(program, jump(BPF_JGE, (uint32_t)(open ? begin : end),
			   open ? left : 0, open ? 0 : left));
}

/* libseccomp kills x32 as well, but for the number -1: that it lets pass. */
static void emit_front(struct program *program)
{
	size_t left = 0;
	int begin, end;

	for (begin = first_from(0, false); begin < SYSCALL_NUMBERS;
	     begin = first_from(first_from(begin, true), false))
		left += 2;
	emit(program, load(offsetof(struct seccomp_data, arch)));
	emit(program, jump(BPF_JEQ, AUDIT_ARCH_X86_64, 0, left + 3));
	emit(program, load(offsetof(struct seccomp_data, nr)));
	emit(program, jump(BPF_JGE, X32_BIT, left + 1, 0));
	for (begin = first_from(0, false); begin < SYSCALL_NUMBERS;
	     begin = first_from(end, false)) {
		end = first_from(begin, true);
		left -= 2;
		emit_range(program, begin, end, left);
	}
	emit(program, give(NO_SUCH_CALL));
	emit(program, give(SECCOMP_RET_KILL_PROCESS));
}

/* ---- the middle: libseccomp's tree over the numbers ---- */

static uint32_t action_of(const struct policy *policy, int number)
{
	if (syscall_is_opaque(number))
		return SCMP_ACT_TRACE(MARK_NO_SUCH_CALL);
	if (!syscall_set_has(&policy->syscalls, number) ||
	    (policy->observed && observe_call(number)))
		return SCMP_ACT_TRACE(MARK_DENY);
	if (seccomp_checked_call(number))
		return SCMP_ACT_TRACE((uint32_t)number);
	return SCMP_ACT_ALLOW;
}

/*
 * What most calls get need not be said call by call: half the instructions,
 * half the time to load them. No number without a name reaches the tree.
 */
static uint32_t common_action(const struct policy *policy)
{
	size_t allowed = 0, denied = 0;

	for (int i = 0; i < SYSCALL_NUMBERS; i++) {
		allowed += syscall_name(i) && action_of(policy, i) == SCMP_ACT_ALLOW;
		denied += syscall_name(i) &&
			  action_of(policy, i) == SCMP_ACT_TRACE(MARK_DENY);
	}
	return allowed > denied ? SCMP_ACT_ALLOW : SCMP_ACT_TRACE(MARK_DENY);
}

static int add_rules(scmp_filter_ctx context, const struct policy *policy,
		     uint32_t common)
{
	int r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (int i = 0; r == 0 && i < SYSCALL_NUMBERS; i++)
		if (syscall_name(i) && action_of(policy, i) != common)
			r = seccomp_rule_add(context, action_of(policy, i), i, 0);
	return r;
}

/* libseccomp 2.5 writes its program to a descriptor only. */
static int append_export(struct program *program, scmp_filter_ctx context)
{
	size_t room = SECCOMP_INSTRUCTIONS_MAX - program->count;
	AUTO_CLOSE int fd = memfd_create("filter", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : seccomp_export_bpf(context, fd);

	if (r < 0)
		return r;
	ssize_t length = pread(fd, program->instructions + program->count,
			       room * sizeof(struct sock_filter), 0);

	if (length < 0)
		return -errno;
	if ((size_t)length == room * sizeof(struct sock_filter))
		return -E2BIG;
	program->count += (size_t)length / sizeof(struct sock_filter);
	return 0;
}

static int append_tree(struct program *program)
{
	uint32_t common = common_action(program->policy);
	scmp_filter_ctx context = seccomp_init(common);
	int r = context ? add_rules(context, program->policy, common) : -ENOMEM;

	if (r == 0)
		r = append_export(program, context);
	seccomp_release(context);
	return r;
}

/* ---- at the end: a block for each checked call ---- */

/*
 * Rows that look at the same bits as the row before need not load them again;
 * so a row that others pass over to must look at other bits than the one before.
 */
static bool same_bits(const struct check *a, const struct check *b)
{
	return a->argument == b->argument && a->mask == b->mask;
}

/* Goes to target, counted from the program's first instruction, if it holds. */
static void emit_check(struct program *program, const struct check *check,
		       bool loaded, size_t target)
{
	if (check->mask == 0) {
		emit(program, give(check->verdict == CHECK_ALLOW ?
					   SECCOMP_RET_ALLOW : NOTIFY));
		return;
	}
	/* x86 is little-endian: the low half comes first. */
	if (!loaded)
		emit(program, load(offsetof(struct seccomp_data, args) +
				   8 * check->argument));
	if (!loaded && check->mask != UINT32_MAX)
		emit(program, (struct sock_filter)BPF_STMT(
			BPF_ALU | BPF_AND | BPF_K, check->mask));
	emit(program, jump(BPF_JEQ, check->value, target - program->count - 1, 0));
}

static size_t target_of(const struct check *check, const size_t *begin, size_t end)
{
	if (check->verdict > 0)
		return begin[check->verdict + 1];
	return check->verdict == CHECK_ALLOW ? end : end + 1;
}

/* Once with any targets to learn where rows begin, then again with the right. */
static void emit_checks(struct program *program, const struct checked_call *call)
{
	size_t begin[CHECKS_MAX] = { 0 }, first = program->count, end = first;

	assert(call->count <= CHECKS_MAX);
	for (int pass = 0; pass < 2; pass++) {
		const struct check *before = NULL;

		program->count = first;
		for (size_t i = 0; i < call->count; i++) {
			const struct check *check = &call->checks[i];
			size_t target = pass == 0 ? program->count + 3 :
					target_of(check, &begin[i], end);

			assert(check->verdict <= 0 ||
			       !same_bits(&check[check->verdict], &check[check->verdict + 1]));
			begin[i] = program->count;
			if (!seccomp_check_applies(check, program->policy))
				continue;
			emit_check(program, check,
				   before && same_bits(check, before), target);
			before = check;
		}
		end = program->count;
	}
	emit(program, give(SECCOMP_RET_ALLOW));
	emit(program, give(NOTIFY));
}

/* Marks of the tree become returns, or jumps to the blocks behind it. */
static void replace_marks(struct program *program, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		struct sock_filter *instruction = &program->instructions[i];
		uint32_t mark = instruction->k & SECCOMP_RET_DATA;

		if (instruction->code != (BPF_RET | BPF_K) ||
		    (instruction->k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE)
			continue;
		if (mark == MARK_DENY) {
			*instruction = give(NOTIFY);
		} else if (mark == MARK_NO_SUCH_CALL) {
			*instruction = give(NO_SUCH_CALL);
		} else {
			*instruction = (struct sock_filter)BPF_STMT(
				BPF_JMP | BPF_JA, (uint32_t)(program->count - i - 1));
			emit_checks(program, seccomp_checked_call((int)mark));
		}
	}
}

int seccomp_compile(const struct policy *policy, struct sock_filter *ret,
		    struct error *why)
{
	struct program program = { .instructions = ret, .policy = policy };
	size_t begin;
	int r;

	emit_front(&program);
	begin = program.count;
	r = append_tree(&program);
	if (r < 0)
		return error_set(why, r, "compile the system-call filter: %s",
				 strerror(-r));
	replace_marks(&program, begin, program.count);
	return (int)program.count;
}
