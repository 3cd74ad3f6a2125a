/// How the numbers of a tensor are stored, by their names in safetensors files.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
  case bfloat16 = "BF16"
  case float16 = "F16"
  case float32 = "F32"
  case float64 = "F64"
  case uint8 = "U8"
  // Known, so that a file which holds them can be read; weights are none of these.
  case bool = "BOOL"
  case int8 = "I8"
  case int16 = "I16"
  case int32 = "I32"
  case int64 = "I64"
  case uint16 = "U16"
  case uint32 = "U32"
  case uint64 = "U64"
  case float8e4m3 = "F8_E4M3"
  case float8e5m2 = "F8_E5M2"

  public var byteCount: Int {
    switch self {
    case .uint8, .int8, .bool, .float8e4m3, .float8e5m2: 1
    case .bfloat16, .float16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Whether the weights of a model may be stored so.
  public var isWeightType: Bool { self == .bfloat16 || self == .float16 || self == .float32 }
}

/// The number format of the operands of the matrix products; sums are always f32 or wider.
public enum ComputeType: String, Hashable, Sendable, CaseIterable {
  case bfloat16 = "bf16"
  case float32 = "f32"
}

extension ElementType {
  /// A number as a tensor of this type of weights holds it, rounded to nearest even (by way of f32).
  public func rounded(_ value: Double) -> Float {
    switch self {
    case .bfloat16: Float(bfloat16Bits: Float(value).bfloat16Bits)
    case .float16: Float(Float16(value))
    case .float32: Float(value)
    default: preconditionFailure("no type of weights")
    }
  }
}
