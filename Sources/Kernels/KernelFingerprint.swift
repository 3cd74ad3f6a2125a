internal import CKernels
internal import COneDNN
public import FlapCore

/// What decides the bits of a forward pass besides the model and the tokens.
public enum KernelFingerprint {
  /// Such as `avx512/onednn-2.6.3/bf16`: workers with the same one compute the same bits.
  public static func current(compute: ComputeType?) -> String {
    let version = dnnl_version().pointee
    let library = "onednn-\(version.major).\(version.minor).\(version.patch)"
    let variant = String(cString: flap_kernels_variant())
    let base = "\(variant)\(supportsBFloat16InHardware ? "+bf16" : "")/\(library)"
    return compute.map { base + "/" + $0.rawValue } ?? base
  }

  /// Whether the CPU multiplies bf16 matrices itself (AVX512-BF16, AMX-BF16).
  public static var supportsBFloat16InHardware: Bool { flap_cpu_has_bf16() != 0 }
}
