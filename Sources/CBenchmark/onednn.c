// The products of a decoder layer through oneDNN (2.x and 3.x), as a library user would run them.
#include "flap_benchmark.h"
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

struct flap_bench_product {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_memory_t x, w, y;
};

static dnnl_status_t describe(dnnl_memory_desc_t *descriptor, int64_t rows, int64_t columns,
                              dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_dims_t dims = {rows, columns};
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_tag(descriptor, 2, dims, type, tag);
#else
  return dnnl_memory_desc_init_by_tag(descriptor, 2, dims, type, tag);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t layout_t;
#define LAYOUT(descriptor) (descriptor)
#else
typedef const dnnl_memory_desc_t *layout_t;
#define LAYOUT(descriptor) (&(descriptor))
#endif

static dnnl_status_t reorder(struct flap_bench_product *p, dnnl_memory_t from,
                             layout_t from_layout, dnnl_memory_t to, layout_t to_layout) {
  dnnl_primitive_desc_t descriptor;
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(
      &descriptor, from_layout, p->engine, to_layout, p->engine, NULL);
  if (status) return status;
  dnnl_primitive_t primitive;
  status = dnnl_primitive_create(&primitive, descriptor);
  dnnl_primitive_desc_destroy(descriptor);
  if (status) return status;
  dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  status = dnnl_primitive_execute(primitive, p->stream, 2, arguments);
  if (!status) status = dnnl_stream_wait(p->stream);
  dnnl_primitive_destroy(primitive);
  return status;
}

#define TRY(call)                \
  do {                           \
    dnnl_status_t code = (call); \
    if (code) return code;       \
  } while (0)

static dnnl_status_t create(struct flap_bench_product *p, flap_bench_format format, bool is_packed,
                            int64_t rows, int64_t inner, int64_t outputs) {
  dnnl_data_type_t type = format == FLAP_BENCH_BF16 ? dnnl_bf16 : dnnl_f32;
  TRY(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
  TRY(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
  dnnl_memory_desc_t x, stored, y, w;
  TRY(describe(&x, rows, inner, type, dnnl_ab));
  TRY(describe(&stored, inner, outputs, type, dnnl_ba)); // [outputs, inner] as in a checkpoint
  TRY(describe(&w, inner, outputs, type, is_packed ? dnnl_format_tag_any : dnnl_ba));
  TRY(describe(&y, rows, outputs, type, dnnl_ab));
  dnnl_primitive_desc_t descriptor;
#if DNNL_VERSION_MAJOR >= 3
  TRY(dnnl_matmul_primitive_desc_create(&descriptor, p->engine, x, w, NULL, y, NULL));
#else
  dnnl_matmul_desc_t operation;
  TRY(dnnl_matmul_desc_init(&operation, &x, &w, NULL, &y));
  TRY(dnnl_primitive_desc_create(&descriptor, &operation, NULL, p->engine, NULL));
#endif
  TRY(dnnl_primitive_create(&p->primitive, descriptor));
  layout_t packed = dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0);
  TRY(dnnl_memory_create(&p->x, LAYOUT(x), p->engine, DNNL_MEMORY_NONE));
  TRY(dnnl_memory_create(&p->y, LAYOUT(y), p->engine, DNNL_MEMORY_NONE));
  TRY(dnnl_memory_create(&p->w, packed, p->engine, DNNL_MEMORY_ALLOCATE));
  dnnl_memory_t noise;
  void *values;
  TRY(dnnl_memory_create(&noise, LAYOUT(stored), p->engine, DNNL_MEMORY_ALLOCATE));
  TRY(dnnl_memory_get_data_handle(noise, &values));
  flap_bench_fill(values, (size_t)(inner * outputs), format, (uint64_t)outputs);
  TRY(reorder(p, noise, LAYOUT(stored), p->w, packed));
  TRY(dnnl_memory_destroy(noise));
  return dnnl_primitive_desc_destroy(descriptor);
}

int flap_bench_product_create(struct flap_bench_product **product, flap_bench_format format,
                              bool is_packed, int64_t rows, int64_t inner, int64_t outputs) {
  *product = calloc(1, sizeof **product);
  if (!*product) return dnnl_out_of_memory;
  return create(*product, format, is_packed, rows, inner, outputs);
}

int flap_bench_product_run(struct flap_bench_product *p, void *x, void *y) {
  TRY(dnnl_memory_set_data_handle(p->x, x));
  TRY(dnnl_memory_set_data_handle(p->y, y));
  dnnl_exec_arg_t arguments[3] = {
      {DNNL_ARG_SRC, p->x}, {DNNL_ARG_WEIGHTS, p->w}, {DNNL_ARG_DST, p->y}};
  TRY(dnnl_primitive_execute(p->primitive, p->stream, 3, arguments));
  return dnnl_stream_wait(p->stream);
}

void flap_bench_product_destroy(struct flap_bench_product *p) {
  if (!p) return;
  if (p->x) dnnl_memory_destroy(p->x);
  if (p->w) dnnl_memory_destroy(p->w);
  if (p->y) dnnl_memory_destroy(p->y);
  if (p->primitive) dnnl_primitive_destroy(p->primitive);
  if (p->stream) dnnl_stream_destroy(p->stream);
  if (p->engine) dnnl_engine_destroy(p->engine);
  free(p);
}

const char *flap_bench_library_version(void) {
  static char text[32];
  const dnnl_version_t *version = dnnl_version();
  snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor, version->patch);
  return text;
}

void flap_bench_fill(void *values, size_t count, flap_bench_format format, uint64_t seed) {
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    uint32_t random = (uint32_t)(state >> 32);
    // Sign and mantissa are random, the exponent is one of 2⁻⁷ … 2⁻⁴.
    uint32_t bits = (random & 0x807fffffu) | ((120u + (random >> 23 & 3)) << 23);
    if (format == FLAP_BENCH_BF16) ((uint16_t *)values)[i] = (uint16_t)(bits >> 16);
    else ((uint32_t *)values)[i] = bits;
  }
}
