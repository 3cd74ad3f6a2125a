// The AMX engine, and how a process gets the tiles.
#if defined(__x86_64__) && defined(__linux__)
#include "products.h"
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILE_TARGET __attribute__((target("amx-tile,amx-bf16")))
#define MULTIPLY_TILES flap_multiply_amx
#define tile_zero(n) _tile_zero(n)
#define tile_load(n, from, row_bytes) _tile_loadd(n, from, row_bytes)
#define tile_store(n, to, row_bytes) _tile_stored(n, to, row_bytes)
#define tile_multiply(n, a, b) _tile_dpbf16ps(n, a, b)

// Tiles belong to a thread: each product sets its thread's and frees them at its end, so that
// threads have no state to prepare, other users of the tiles find none, and a thread that waits
// has no tiles for the system to save.
static const struct {
  unsigned char palette, start_row, reserved[14];
  unsigned short row_bytes[16];
  unsigned char rows[16];
} configuration = {
    .palette = 1, .row_bytes = {[0 ... 7] = ROW_BYTES}, .rows = {[0 ... 7] = TILE_SIDE}};
#define tile_open() _tile_loadconfig(&configuration)
#define tile_close() _tile_release()

#include "products_amx.h"

bool flap_amx_is_usable(void) {
  enum { request_permission = 0x1023, tile_data = 18 }; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  const unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amx_bf16) || !(d & amx_tile)) return false;
  // Linux gives a process the tiles on request only; the answer holds for all of its threads.
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif
