internal import CKernels
public import FlapCore

/// Number formats, rounded to nearest even.
public enum Conversion {
  /// - Precondition: BF16, F16 or F32.
  public static func toFloat32(
    _ from: UnsafeRawPointer, _ type: ElementType, count: Int, to: UnsafeMutablePointer<Float>
  ) {
    switch type {
    case .bfloat16: flap_bf16_to_f32(from.assumingMemoryBound(to: UInt16.self), to, count)
    case .float16: flap_f16_to_f32(from.assumingMemoryBound(to: UInt16.self), to, count)
    case .float32: UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: count * 4)
    default: preconditionFailure("not a type of weights")
    }
  }
}
