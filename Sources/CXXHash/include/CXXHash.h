#include <stddef.h>
#include <stdint.h>

/* A 128-bit number. */
struct flap_xxh128 {
  uint64_t high, low;
};

/* XXH3, 128 bits, seed 0, of all bytes: what `xxhsum -H128` prints. */
struct flap_xxh128 flap_xxh128(const void *bytes, size_t count);
