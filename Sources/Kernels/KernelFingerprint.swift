internal import CKernels
public import FlapCore

/// What decides the bits of a forward pass besides the model and the tokens.
public enum KernelFingerprint {
  /// Such as `avx512/avx512-bf16/bf16`: workers with the same one compute the same bits.
  public static func current(compute: ComputeType?) -> String {
    let variant = String(cString: flap_kernels_variant())
    guard let compute else { return variant }
    let engine = String(cString: flap_product_engine(compute.format))
    return "\(variant)/\(engine)/\(compute.rawValue)"
  }

  /// Whether the CPU multiplies bf16 matrices itself (AVX512-BF16, AMX-BF16).
  public static var supportsBFloat16InHardware: Bool { flap_cpu_has_bf16() != 0 }
}
