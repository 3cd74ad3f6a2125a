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

  /// Writes f32 values in the format of a product's operand.
  public static func toOperand(
    _ from: UnsafePointer<Float>, count: Int, _ compute: ComputeType, to: UnsafeMutableRawPointer
  ) {
    switch compute {
    case .bfloat16: flap_f32_to_bf16(from, to.assumingMemoryBound(to: UInt16.self), count)
    case .float32: to.copyMemory(from: from, byteCount: count * 4)
    }
  }
}

extension ComputeType {
  /// Bytes of one element of a product's operands.
  public var operandByteCount: Int { self == .bfloat16 ? 2 : 4 }

  /// The stored format that needs no conversion.
  var elementType: ElementType { self == .bfloat16 ? .bfloat16 : .float32 }
}
