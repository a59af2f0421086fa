#include <errno.h>

#include "common/wire/frame.h"
#include "tests/support/test.h"

#define KIND 70

/* length, array header, kind and so on; the rest of a row is zero bytes */
static const struct {
	const char *name;
	uint8_t bytes[8];
	size_t present;
	int want;
} cases[] = {
	{ "nothing asks for more", { 0 }, 0, 0 },
	{ "half a length asks for more", { 0, 0 }, 2, 0 },
	{ "a length of zero is refused", { 0, 0, 0, 0 }, 4, -EBADMSG },
	{ "a length alone asks for more", { 0, 0, 0, 8 }, 4, 0 },
	{ "the largest data length is believed", { 0, 4, 0, 0, 0x95, 64 }, 6, 0 },
	{ "one more is refused before any byte of it", { 0, 4, 0, 1 }, 4, -EMSGSIZE },
	{ "the most a length can lie is refused", { 255, 255, 255, 255 }, 4, -EMSGSIZE },
	{ "a large frame of unseen kind asks for more", { 0, 4, 0, 0, 0x95 }, 5, 0 },
	{ "the largest control length is believed", { 0, 0, 64, 0, 0x95, 63 }, 6, 0 },
	{ "one more is refused as soon as the kind shows", { 0, 0, 64, 1, 0x95, 63 }, 6, -EMSGSIZE },
	{ "an extension is limited like control", { 0, 0, 64, 1, 0x95, 0xcc, 128 }, 7, -EMSGSIZE },
	{ "and believed up to there", { 0, 0, 64, 0, 0x95, 0xcc, 255 }, 7, 0 },
	{ "half an extension's kind asks for more", { 0, 0, 0, 8, 0x95, 0xcc }, 6, 0 },
	{ "a map is no envelope", { 0, 0, 0, 8, 0x85 }, 5, -EBADMSG },
	{ "a long array header is no envelope", { 0, 0, 0, 8, 0xdc }, 5, -EBADMSG },
	{ "kind 0 is refused", { 0, 0, 0, 8, 0x95, 0 }, 6, -EBADMSG },
	{ "a kind that is no integer is refused", { 0, 0, 0, 8, 0x95, 0xc0 }, 6, -EBADMSG },
	{ "a longer form of a kind is refused", { 0, 0, 0, 8, 0x95, 0xcc, 127 }, 7, -EBADMSG },
	{ "a frame that ends before its kind is refused", { 0, 0, 0, 1, 0x95 }, 5, -EBADMSG },
	{ "and one that ends within it", { 0, 0, 0, 2, 0x95, 0xcc }, 6, -EBADMSG },
	{ "the shortest frame is whole", { 0, 0, 0, 2, 0x90, 1 }, 6, 6 },
	{ "what follows it is not touched", { 0, 0, 0, 2, 0x90, 1, 9, 9 }, 8, 6 },
};

static void heads_are_judged_as_soon_as_they_show(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame frame = { 0 };
		int got = frame_next((struct span){ cases[i].bytes,
						    cases[i].present }, &frame);

		test_row(got == cases[i].want, "%s: got %d, want %d",
			 cases[i].name, got, cases[i].want);
		test_row((got > 0) == (frame.envelope.data != NULL),
			 "%s: ret is set exactly on success", cases[i].name);
	}
}

static void a_sealed_frame_is_found_again(void **state)
{
	uint8_t bytes[4 + 300] = { 0, 0, 0, 0, 0x95, KIND };
	struct frame frame;

	(void)state;
	for (size_t length = 2; length <= 300; length++) {
		assert_int_equal(frame_seal(bytes, length), 4 + length);
		assert_int_equal(frame_next((struct span){ bytes, sizeof(bytes) },
					    &frame), 4 + length);
		assert_int_equal(frame.kind, KIND);
		assert_ptr_equal(frame.envelope.data, bytes + 4);
		assert_int_equal(frame.envelope.length, length);
	}
}

static void what_would_be_refused_is_not_sealed(void **state)
{
	static uint8_t bytes[FRAME_BYTES_MAX + 1] = { [4] = 0x95, [5] = 64 };

	(void)state;
	assert_int_equal(frame_seal(bytes, FRAME_DATA_BYTES_MAX),
			 FRAME_BYTES_MAX);
	assert_int_equal(frame_seal(bytes, FRAME_DATA_BYTES_MAX + 1), -EMSGSIZE);
	assert_int_equal(frame_seal(bytes, 0), -EBADMSG);
	bytes[5] = 63;
	assert_int_equal(frame_seal(bytes, FRAME_CONTROL_BYTES_MAX),
			 4 + FRAME_CONTROL_BYTES_MAX);
	assert_int_equal(frame_seal(bytes, FRAME_CONTROL_BYTES_MAX + 1),
			 -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_judged_as_soon_as_they_show),
		cmocka_unit_test(a_sealed_frame_is_found_again),
		cmocka_unit_test(what_would_be_refused_is_not_sealed),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
