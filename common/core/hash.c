#include "common/core/hash.h"

static uint64_t rotate_left(uint64_t x, unsigned count)
{
	return (x << count) | (x >> (64 - count));
}

static void rounds(uint64_t v[4], int count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate_left(v[1], 13) ^ v[0];
		v[3] = rotate_left(v[3], 16) ^ v[2];
		v[0] = rotate_left(v[0], 32) + v[3];
		v[2] += v[1];
		v[1] = rotate_left(v[1], 17) ^ v[2];
		v[3] = rotate_left(v[3], 21) ^ v[0];
		v[2] = rotate_left(v[2], 32);
	}
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

/* Up to eight bytes, the least significant first. */
static uint64_t load(const uint8_t *data, size_t count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++)
		word |= (uint64_t)data[i] << (8 * i);
	return word;
}

uint64_t hash_bytes(const struct hash_key *key, struct span bytes)
{
	uint64_t v[4] = {
		key->words[0] ^ UINT64_C(0x736f6d6570736575),
		key->words[1] ^ UINT64_C(0x646f72616e646f6d),
		key->words[0] ^ UINT64_C(0x6c7967656e657261),
		key->words[1] ^ UINT64_C(0x7465646279746573),
	};
	size_t done = 0;

	for (; bytes.length - done >= 8; done += 8)
		absorb(v, load(bytes.data + done, 8));
	absorb(v, (uint64_t)bytes.length << 56 |
		  (bytes.length > done ? load(bytes.data + done,
					      bytes.length - done) : 0));
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_number(const struct hash_key *key, uint64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	return hash_bytes(key, (struct span){ bytes, sizeof(bytes) });
}
