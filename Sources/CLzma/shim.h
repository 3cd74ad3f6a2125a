#include <lzma.h>

/* LZMA_STREAM_INIT is a compound literal, which Swift does not see. */
static inline void flap_lzma_init(lzma_stream *stream) {
  lzma_stream initial = LZMA_STREAM_INIT;
  *stream = initial;
}

/* Blocks side by side where a file has several (xz -T), as far as they take no more than half of the limit. */
static inline lzma_ret flap_lzma_open(lzma_stream *stream, uint64_t memory_limit, uint32_t threads) {
  lzma_mt options = {0};
  options.threads = threads;
  options.memlimit_threading = memory_limit / 2;
  options.memlimit_stop = memory_limit;
  return lzma_stream_decoder_mt(stream, &options);
}
