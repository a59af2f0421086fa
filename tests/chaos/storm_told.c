#include "tests/chaos/storm.h"

#include <stdarg.h>

struct given given;
struct counts counts;

static const char *const fault_names[FAULT_COUNT] = {
	"workers killed", "workers stopped", "routers killed",
	"workers told to crash", "workers told to hang", "floods",
	"calls cancelled", "links lost", "calls told to fail",
	"calls with too short a time",
};

uint64_t below(uint64_t limit)
{
	return random_below(&given.chance, limit);
}

bool one_in(uint64_t n)
{
	return below(n) == 0;
}

void violated(const char *format, ...)
{
	va_list list;

	if (counts.violations++ >= 20)
		return;
	va_start(list, format);
	printf("# violated at %lld ms: ",
	       (long long)((clock_now_ns() - given.began_ns) / NS_PER_MS));
	vprintf(format, list);
	putchar('\n');
	va_end(list);
}

void tell(bool good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
}

void tell_counts(void)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		printf("# %8llu %s\n", (unsigned long long)counts.fired[i], fault_names[i]);
	for (int i = 0; i < ERROR_CODE_COUNT; i++)
		if (counts.ends[i])
			printf("# %8llu calls ended in %s\n",
			       (unsigned long long)counts.ends[i], error_row(i)->name);
}
