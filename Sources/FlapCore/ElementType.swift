/// How the numbers of a tensor are stored, by their names in safetensors files.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
  case bfloat16 = "BF16"
  case float16 = "F16"
  case float32 = "F32"
  case float64 = "F64"
  case uint8 = "U8"

  public var byteCount: Int {
    switch self {
    case .uint8: 1
    case .bfloat16, .float16: 2
    case .float32: 4
    case .float64: 8
    }
  }
}

/// The number format of the operands of the matrix products; sums are always f32 or wider.
public enum ComputeType: String, Hashable, Sendable, CaseIterable {
  case bfloat16 = "bf16"
  case float32 = "f32"
}
