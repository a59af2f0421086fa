/*
 * syscalls.h - named groups of system calls and sets of them.
 *
 * Group names and contents follow systemd's (systemd.exec(5),
 * SystemCallFilter=), because users know them; "@name" is a group, any other
 * word one call. Numbers are x86-64's, up to those of Linux 6.18.
 *
 * Opaque calls hide from a filter what they are asked to do: clone3 and openat2
 * keep their flags in memory, the operations of io_uring make no call at all.
 * They are in no group and in no set.
 */
#ifndef CUPEL_SANDBOX_SYSCALLS_H
#define CUPEL_SANDBOX_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSCALL_NUMBERS 512

struct syscall_set {
	uint64_t bits[SYSCALL_NUMBERS / 64];
};

/*
 * Adds (or removes) a call or group by name; -ENOENT for an unknown word,
 * -EPERM for an opaque call. The set is unchanged then.
 */
int syscall_set_add(struct syscall_set *set, const char *word);
int syscall_set_remove(struct syscall_set *set, const char *word);
bool syscall_set_has(const struct syscall_set *set, int number);

/* NULL for a number we do not know. */
const char *syscall_name(int number);
/* -ENOENT for a name we do not know. */
int syscall_number(const char *name);
/* What allowing it would risk, in a few words: "low: ...", "medium: ...", "high: ...". */
const char *syscall_risk(int number);
/* The group a call belongs to, for "allow = @group" advice; NULL if none. */
const char *syscall_group_of(int number);
/* The groups in order, NULL after the last. */
const char *syscall_group_name(size_t index);
bool syscall_is_opaque(int number);

#endif
