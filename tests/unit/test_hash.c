#include "common/core/hash.h"
#include "tests/support/test.h"

static const struct hash_key published_key = {
	{ UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) },
};

/* Key 00..0f, message 00..(length - 1): the vectors of the reference code. */
static const struct {
	const char *name;
	size_t length;
	uint64_t want;
} vectors[] = {
	{ "nothing",                   0, UINT64_C(0x726fdb47dd0e0e31) },
	{ "one byte",                  1, UINT64_C(0x74f839c593dc67fd) },
	{ "one short of a word",       7, UINT64_C(0xab0200f58b01d137) },
	{ "exactly a word",            8, UINT64_C(0x93f5f5799a932462) },
	{ "the example of the paper", 15, UINT64_C(0xa129ca6149be45e5) },
};

static void agrees_with_the_published_vectors(void **state)
{
	uint8_t message[16];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint64_t got = hash_bytes(&published_key,
			(struct span){ message, vectors[i].length });

		test_row(got == vectors[i].want, "%s: got %llx, want %llx",
			 vectors[i].name, (unsigned long long)got,
			 (unsigned long long)vectors[i].want);
	}
}

static void an_empty_span_without_data_is_hashed(void **state)
{
	(void)state;
	assert_int_equal(hash_bytes(&published_key, (struct span){ NULL, 0 }),
			 vectors[0].want);
}

static void a_number_is_its_eight_bytes(void **state)
{
	(void)state;
	assert_int_equal(hash_number(&published_key,
				     UINT64_C(0x0706050403020100)),
			 UINT64_C(0x93f5f5799a932462));
}

static void another_key_gives_another_hash(void **state)
{
	struct hash_key other = published_key;

	(void)state;
	other.words[1] ^= 1;
	assert_int_not_equal(hash_bytes(&other, span_of_text("fs.read")),
			     hash_bytes(&published_key,
					span_of_text("fs.read")));
}

/* Names that differ in one digit spread over chains that are no power of 2. */
static void similar_names_spread_evenly(void **state)
{
	unsigned chains[10] = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		char name[24];

		snprintf(name, sizeof(name), "tool.%d", i);
		uint64_t hash = hash_bytes(&published_key, span_of_text(name));

		chains[hash_chain(hash, COUNT(chains))]++;
	}
	for (size_t i = 0; i < COUNT(chains); i++)
		assert_in_range(chains[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_published_vectors),
		cmocka_unit_test(an_empty_span_without_data_is_hashed),
		cmocka_unit_test(a_number_is_its_eight_bytes),
		cmocka_unit_test(another_key_gives_another_hash),
		cmocka_unit_test(similar_names_spread_evenly),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
