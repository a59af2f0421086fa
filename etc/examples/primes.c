/*
 * primes - a tool of Cupel in C: the prime factors of a number.
 *
 *	cc -O2 -o primes primes.c
 *
 * {"n": 360} -> {"n": 360, "factors": [2, 2, 2, 3, 3, 5]}
 */
#include "cupel_tool.h"

static int factors(struct cupel_call *call)
{
	int64_t n, found[64];
	uint32_t count = 0;

	if (cupel_get_int(call, "n", &n) < 0 || n < 1)
		return cupel_fail(call, CUPEL_INVALID_ARGUMENT,
				  "n: write a whole number from 1 up");
	cupel_put_map(call, 2);
	cupel_put_text(call, "n");
	cupel_put_int(call, n);
	for (int64_t p = 2; p <= n / p; p++) {
		if (p % 65536 == 0)
			cupel_alive();
		for (; n % p == 0; n /= p)
			found[count++] = p;
	}
	if (n > 1)
		found[count++] = n;
	cupel_put_text(call, "factors");
	cupel_put_array(call, count);
	for (uint32_t i = 0; i < count; i++)
		cupel_put_int(call, found[i]);
	return 0;
}

int main(void)
{
	return cupel_main("primes", factors);
}
