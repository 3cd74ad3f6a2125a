internal import CKernels
public import FlapCore

/// What decides the bits of a forward pass besides the model and the tokens.
public enum KernelFingerprint {
  /// Such as `avx512/avx512-bf16/bf16`: workers with the same one compute the same bits.
  public static func current(compute: ComputeType) -> String {
    "\(String(cString: flap_kernels_variant()))/\(engine(compute))/\(compute.rawValue)"
  }

  /// One of each type that a run may ask for, with spaces between.
  public static var all: String {
    ComputeType.allCases.map { current(compute: $0) }.joined(separator: " ")
  }

  /// Whether the CPU multiplies bf16 matrices itself (AMX-BF16, AVX512-BF16), and the system lets
  /// it.
  public static var supportsBFloat16InHardware: Bool { engine(.bfloat16).hasSuffix("-bf16") }

  private static func engine(_ compute: ComputeType) -> String {
    String(cString: flap_product_engine(compute.format))
  }
}
