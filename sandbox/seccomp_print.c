#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "common/cleanup.h"
#include "sandbox/seccomp.h"

/* The words of the part of struct seccomp_data that an offset falls in. */
static void print_load(FILE *out, uint32_t offset)
{
	size_t arguments = offsetof(struct seccomp_data, args);

	if (offset == offsetof(struct seccomp_data, nr))
		fputs("load  number", out);
	else if (offset == offsetof(struct seccomp_data, arch))
		fputs("load  architecture", out);
	else
		fprintf(out, "load  argument %zu, %s half", (offset - arguments) / 8,
			(offset - arguments) % 8 ? "high" : "low");
}

static void print_return(FILE *out, uint32_t value)
{
	static const struct { uint32_t action; const char *name; } actions[] = {
		{ SECCOMP_RET_ALLOW, "allow" },
		{ SECCOMP_RET_USER_NOTIF, "refuse, and tell the launcher" },
		{ SECCOMP_RET_KILL_PROCESS, "kill the process" },
	};

	if ((value & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
		fprintf(out, "fail with %s", strerrorname_np(value & SECCOMP_RET_DATA));
		return;
	}
	for (size_t i = 0; i < COUNT(actions); i++)
		if (actions[i].action == value)
			fputs(actions[i].name, out);
}

/* Jumps are shown as the line they lead to. */
static void print_jump(FILE *out, const struct sock_filter *instruction,
		       size_t line, bool on_number)
{
	static const struct { uint16_t code; const char *sign; } tests[] = {
		{ BPF_JEQ, "==" }, { BPF_JGE, ">=" }, { BPF_JGT, ">" }, { BPF_JSET, "&" },
	};
	const char *name = on_number ? syscall_name((int)instruction->k) : NULL;

	if (BPF_OP(instruction->code) == BPF_JA) {
		fprintf(out, "goto  %zu", line + 1 + instruction->k);
		return;
	}
	for (size_t i = 0; i < COUNT(tests); i++)
		if (tests[i].code == BPF_OP(instruction->code))
			fprintf(out, "if    %s 0x%x%s%s%s then %zu else %zu",
				tests[i].sign, instruction->k, name ? " (" : "",
				name ? name : "", name ? ")" : "",
				line + 1 + instruction->jt, line + 1 + instruction->jf);
}

void seccomp_print(const struct seccomp_program *program, FILE *out)
{
	bool on_number = false;	/* what the accumulator holds */

	for (size_t i = 0; i < program->count; i++) {
		const struct sock_filter *instruction = &program->instructions[i];

		fprintf(out, "%4zu  ", i);
		switch (BPF_CLASS(instruction->code)) {
		case BPF_LD:
			on_number = instruction->k == offsetof(struct seccomp_data, nr);
			print_load(out, instruction->k);
			break;
		case BPF_ALU:
			fprintf(out, "and   0x%x", instruction->k);
			break;
		case BPF_JMP:
			print_jump(out, instruction, i, on_number);
			break;
		default:
			print_return(out, instruction->k);
			break;
		}
		fputc('\n', out);
	}
}
