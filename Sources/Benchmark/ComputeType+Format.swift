internal import CBenchmark
internal import FlapCore

extension ComputeType {
  /// What the library's products and the multipliers call it.
  var format: flap_bench_format { self == .bfloat16 ? FLAP_BENCH_BF16 : FLAP_BENCH_F32 }
}
