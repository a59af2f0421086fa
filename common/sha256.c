#include "common/sha256.h"

#include <sodium.h>

_Static_assert(SHA256_TEXT_BYTES == 2 * crypto_hash_sha256_BYTES + 1, "hex");

void sha256_text(const struct span *parts, size_t count,
		 char ret[SHA256_TEXT_BYTES])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, parts[i].data, parts[i].length);
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(ret, SHA256_TEXT_BYTES, hash, sizeof(hash));
}
