#include <elf.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unwind.h>

#include "workers/worker_life.h"

#define STACK_BYTES 16384

extern const char __ehdr_start[];	/* the linker's: where the program lies */

static struct crash_page own_page;
static struct crash_page *page = &own_page;
static _Alignas(16) unsigned char stack[STACK_BYTES];

void crash_set_call(uint64_t call)
{
	page->call = call;
}

void crash_set_phase(uint32_t phase)
{
	page->phase = phase;
}

/* As addr2line(1) wants them: relative to the program's start. */
static _Unwind_Reason_Code note_address(struct _Unwind_Context *context,
					void *unused)
{
	uintptr_t address = _Unwind_GetIP(context);

	(void)unused;
	if (page->address_count == CRASH_ADDRESSES_MAX)
		return _URC_END_OF_STACK;
	page->addresses[page->address_count++] =
		address - (uintptr_t)__ehdr_start;
	return _URC_NO_REASON;
}

/* Should unwinding fault as well, the signal has its default action by now. */
static void on_fatal(int number)
{
	page->address_count = 0;
	_Unwind_Backtrace(note_address, NULL);
	raise(number);
}

static void write_hex(const uint8_t *bytes, size_t count, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
}

/* The build id is a note that the linker wrote: elf(5). */
static void find_build(const uint8_t *notes, size_t bytes, char *ret)
{
	while (bytes >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name, length;

		memcpy(&note, notes, sizeof(note));
		name = (note.n_namesz + 3U) & ~3U;
		length = sizeof(note) + name + ((note.n_descsz + 3U) & ~3U);
		if (length > bytes)
			return;
		if (note.n_type == NT_GNU_BUILD_ID &&
		    note.n_descsz >= CRASH_BUILD_BYTES / 2 - 1) {
			write_hex(notes + sizeof(note) + name,
				  CRASH_BUILD_BYTES / 2 - 1, ret);
			return;
		}
		notes += length;
		bytes -= length;
	}
}

const char *crash_build(void)
{
	static char build[CRASH_BUILD_BYTES];
	const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);

	for (size_t i = 0; !build[0] && i < getauxval(AT_PHNUM); i++)
		if (header[i].p_type == PT_NOTE)
			find_build((const uint8_t *)__ehdr_start +
				   header[i].p_vaddr, header[i].p_memsz, build);
	return build;
}

void crash_init(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction action = {
		.sa_handler = on_fatal,
		.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER),
	};
	const stack_t place = { .ss_sp = stack, .ss_size = sizeof(stack) };
	void *shared = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
			    MAP_SHARED, WORKER_CRASH_FD, 0);

	if (shared != MAP_FAILED)
		page = shared;
	memcpy(page->build, crash_build(), CRASH_BUILD_BYTES);
	sigaltstack(&place, NULL);
	for (size_t i = 0; i < COUNT(fatal); i++)
		sigaction(fatal[i], &action, NULL);
}
