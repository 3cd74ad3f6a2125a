/* All of xxHash is in its header then: nothing is linked, and no library is needed to run. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "CXXHash.h"

struct flap_xxh128 flap_xxh128(const void *bytes, size_t count) {
  XXH128_hash_t hash = XXH3_128bits(bytes, count);
  return (struct flap_xxh128){hash.high64, hash.low64};
}
