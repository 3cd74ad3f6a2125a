// oneDNN 2.x and 3.x through the same few functions: 3.0 dropped operation descriptors.
#ifndef FLAP_ONEDNN_SHIM_H
#define FLAP_ONEDNN_SHIM_H
#include <oneapi/dnnl/dnnl.h>

// y[m, n] (f32, rows `ldy` apart) = x[m, k] · w[n, k]ᵀ, x and w both bf16 or both f32. Scratch
// is the caller's, so that threads may run the same primitive at once.
static inline dnnl_status_t flap_matmul_create(
    dnnl_primitive_t *primitive, size_t *scratch_bytes, dnnl_engine_t engine, int is_bf16, int64_t m,
    int64_t n, int64_t k, int64_t ldx, int64_t ldw, int64_t ldy) {
  dnnl_data_type_t type = is_bf16 ? dnnl_bf16 : dnnl_f32;
  dnnl_dims_t x_dims = {m, k}, w_dims = {k, n}, y_dims = {m, n};
  dnnl_dims_t x_strides = {ldx, 1}, w_strides = {1, ldw}, y_strides = {ldy, 1};
  dnnl_primitive_attr_t attributes;
  dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
  if (status) return status;
  dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t x, w, y;
  dnnl_memory_desc_create_with_strides(&x, 2, x_dims, type, x_strides);
  dnnl_memory_desc_create_with_strides(&w, 2, w_dims, type, w_strides);
  dnnl_memory_desc_create_with_strides(&y, 2, y_dims, dnnl_f32, y_strides);
  dnnl_primitive_desc_t descriptor;
  status = dnnl_matmul_primitive_desc_create(&descriptor, engine, x, w, NULL, y, attributes);
  dnnl_memory_desc_destroy(x);
  dnnl_memory_desc_destroy(w);
  dnnl_memory_desc_destroy(y);
#else
  dnnl_memory_desc_t x, w, y;
  dnnl_memory_desc_init_by_strides(&x, 2, x_dims, type, x_strides);
  dnnl_memory_desc_init_by_strides(&w, 2, w_dims, type, w_strides);
  dnnl_memory_desc_init_by_strides(&y, 2, y_dims, dnnl_f32, y_strides);
  dnnl_matmul_desc_t operation;
  dnnl_primitive_desc_t descriptor;
  status = dnnl_matmul_desc_init(&operation, &x, &w, NULL, &y);
  if (!status) status = dnnl_primitive_desc_create(&descriptor, &operation, attributes, engine, NULL);
#endif
  dnnl_primitive_attr_destroy(attributes);
  if (status) return status;
  status = dnnl_primitive_create(primitive, descriptor);
#if DNNL_VERSION_MAJOR >= 3
  *scratch_bytes = dnnl_memory_desc_get_size(
      dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0));
#else
  const dnnl_memory_desc_t *scratch =
      dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0);
  *scratch_bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
#endif
  dnnl_primitive_desc_destroy(descriptor);
  return status;
}

// A memory object over the `index`-th argument of a primitive made above.
static inline dnnl_status_t flap_matmul_memory(
    dnnl_memory_t *memory, dnnl_primitive_t primitive, dnnl_engine_t engine, dnnl_query_t query,
    int index, void *data) {
  const_dnnl_primitive_desc_t descriptor;
  dnnl_status_t status = dnnl_primitive_get_primitive_desc(primitive, &descriptor);
  if (status) return status;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_create(
      memory, dnnl_primitive_desc_query_md(descriptor, query, index), engine, data);
#else
  return dnnl_memory_create(
      memory, dnnl_primitive_desc_query_md(descriptor, query, index), engine, data);
#endif
}

static inline dnnl_status_t flap_matmul_execute(
    dnnl_primitive_t primitive, dnnl_engine_t engine, dnnl_stream_t stream, const void *x,
    const void *w, float *y, void *scratch) {
  dnnl_memory_t memories[4] = {0};
  dnnl_status_t status =
      flap_matmul_memory(&memories[0], primitive, engine, dnnl_query_src_md, 0, (void *)x);
  if (!status)
    status = flap_matmul_memory(&memories[1], primitive, engine, dnnl_query_weights_md, 0, (void *)w);
  if (!status) status = flap_matmul_memory(&memories[2], primitive, engine, dnnl_query_dst_md, 0, y);
  if (!status)
    status = flap_matmul_memory(
        &memories[3], primitive, engine, dnnl_query_scratchpad_md, 0, scratch);
  if (!status) {
    dnnl_exec_arg_t arguments[4] = {{DNNL_ARG_SRC, memories[0]},
                                    {DNNL_ARG_WEIGHTS, memories[1]},
                                    {DNNL_ARG_DST, memories[2]},
                                    {DNNL_ARG_SCRATCHPAD, memories[3]}};
    status = dnnl_primitive_execute(primitive, stream, 4, arguments);
    if (!status) status = dnnl_stream_wait(stream);
  }
  for (int i = 0; i < 4; i++)
    if (memories[i]) dnnl_memory_destroy(memories[i]);
  return status;
}
#endif
