public import FlapCore

/// A tensor that a GGUF file is to hold.
public struct TensorInfo: Hashable, Sendable {
  /// At most 63 bytes, as ggml demands.
  public let name: String
  /// Row-major, the innermost dimension last, as everywhere here; GGUF counts the other way.
  public let shape: [Int]
  public let elementType: ElementType

  /// - Precondition: F32, F16 or BF16.
  public init(name: String, shape: [Int], elementType: ElementType) {
    precondition(elementType.isWeightType && name.utf8.count < 64 && shape.count <= 4)
    self.name = name
    self.shape = shape
    self.elementType = elementType
  }

  public var byteCount: Int { shape.reduce(elementType.byteCount, *) }

  /// Appends its entry in the list of tensors.
  func append(to bytes: inout [UInt8], offset: Int) {
    bytes.append(counted: name)
    bytes.append(littleEndian: UInt32(shape.count))
    for dimension in shape.reversed() { bytes.append(littleEndian: UInt64(dimension)) }
    bytes.append(littleEndian: elementType.tensorTypeCode)
    bytes.append(littleEndian: UInt64(offset))
  }
}

extension ElementType {
  /// `ggml_type` of ggml's `ggml.h`.
  fileprivate var tensorTypeCode: UInt32 {
    switch self {
    case .float32: 0
    case .float16: 1
    case .bfloat16: 30
    default: preconditionFailure("no type of weights")
    }
  }

  /// `general.file_type`: the type of most tensors (`llama_ftype` of llama.cpp's `llama.h`).
  var fileTypeCode: UInt32 {
    switch self {
    case .float32: 0
    case .float16: 1
    case .bfloat16: 32
    default: preconditionFailure("no type of weights")
    }
  }
}
