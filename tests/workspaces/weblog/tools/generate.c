/* generate N: N lines of an access log; the same N gives the same lines. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 20260101;

/* xorshift64*, S. Vigna 2016 */
static unsigned below(unsigned limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)((state * 2685821657736338717u) >> 33) % limit;
}

/* Few paths are wanted often, many hardly ever. */
static unsigned path_number(void)
{
	unsigned limit = 1 + below(4000);

	return below(1 + below(limit));
}

int main(int argc, char **argv)
{
	static const char *const folders[] = { "blog", "img", "api/v1", "docs", "shop/item" };
	static const int statuses[] = { 200, 200, 200, 200, 200, 200, 304, 301, 404, 500 };
	long lines = argc > 1 ? atol(argv[1]) : 1000;

	for (long i = 0; i < lines; i++) {
		unsigned path = path_number();

		printf("10.%u.%u.%u - - [%02u/Jan/2026:%02ld:%02ld:%02ld +0000] "
		       "\"GET /%s/%04u.html HTTP/1.1\" %d ",
		       below(4), below(256), below(256), 1 + below(28), i / 3600 % 24,
		       i / 60 % 60, i % 60, folders[path % 5], path, statuses[below(10)]);
		if (below(500) == 0)	/* nothing was sent */
			printf("-\n");
		else
			printf("%u\n", 200 + below(90000));
	}
	return 0;
}
