/// A value of the metadata (`gguf_type` of ggml's `gguf.h`), as far as such files need.
public enum MetadataValue: Hashable, Sendable {
  case uint32(UInt32)
  case float32(Float)
  case bool(Bool)
  case string(String)
  case int32s([Int32])
  case float32s([Float])
  case strings([String])
}

extension MetadataValue {
  private enum Code: UInt32 {
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
  }

  /// Appends the code of its type and itself.
  func append(to bytes: inout [UInt8]) {
    switch self {
    case .uint32(let value):
      bytes.append(littleEndian: Code.uint32.rawValue)
      bytes.append(littleEndian: value)
    case .float32(let value):
      bytes.append(littleEndian: Code.float32.rawValue)
      bytes.append(littleEndian: value.bitPattern)
    case .bool(let value):
      bytes.append(littleEndian: Code.bool.rawValue)
      bytes.append(value ? 1 : 0)
    case .string(let value):
      bytes.append(littleEndian: Code.string.rawValue)
      bytes.append(counted: value)
    case .int32s(let values):
      appendHead(of: .int32, count: values.count, to: &bytes)
      for value in values { bytes.append(littleEndian: value) }
    case .float32s(let values):
      appendHead(of: .float32, count: values.count, to: &bytes)
      for value in values { bytes.append(littleEndian: value.bitPattern) }
    case .strings(let values):
      appendHead(of: .string, count: values.count, to: &bytes)
      for value in values { bytes.append(counted: value) }
    }
  }

  private func appendHead(of element: Code, count: Int, to bytes: inout [UInt8]) {
    bytes.append(littleEndian: Code.array.rawValue)
    bytes.append(littleEndian: element.rawValue)
    bytes.append(littleEndian: UInt64(count))
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// A string as GGUF has it: its length in bytes (u64), then UTF-8.
  mutating func append(counted text: String) {
    append(littleEndian: UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }

  /// Zeros up to a multiple of `alignment`.
  mutating func pad(to alignment: Int) {
    append(contentsOf: repeatElement(0, count: count.padding(to: alignment)))
  }
}

extension Int {
  /// What is missing to a multiple of `alignment`.
  func padding(to alignment: Int) -> Int { (alignment - self % alignment) % alignment }
}
