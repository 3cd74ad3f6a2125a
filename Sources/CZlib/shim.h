#include <zlib.h>

/* A macro with a sizeof, which Swift does not see. 16 + 15: gzip only, the largest window. */
static inline int flap_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 16 + 15); }

/* 32 + 15: gzip or zlib, as the header says. */
static inline int flap_inflate_init_any(z_stream *stream) { return inflateInit2(stream, 32 + 15); }
