public import FlapCore

/// A tensor as a safetensors header describes it.
public struct TensorInfo: Hashable, Sendable {
  public let name: String
  public let elementType: ElementType
  public let shape: [Int]
  /// Where its bytes lie in the buffer that follows the header.
  public let byteRange: Range<Int>
}

/// The header of a safetensors file: u64 little-endian length, JSON, then the buffer.
///
/// Everything that a hostile header could say is checked before it is used: tensors lie in the
/// buffer one after another, without overlap, hole or rest, each as large as its shape and type.
public struct SafetensorsHeader: Hashable, Sendable {
  /// In the order in which they lie in the buffer.
  public let tensors: [TensorInfo]
  public let metadata: [String: String]
  /// Where the buffer begins in the file.
  public let dataOffset: Int

  /// - Parameter file: all bytes of the file.
  public init(parsing file: UnsafeRawBufferPointer) throws(SafetensorsError) {
    guard file.count >= 8 else { throw .shorterThanLengthField }
    let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Limits.safetensorsHeaderBytes) else { throw .headerTooLong(length) }
    guard length <= UInt64(file.count - 8) else { throw .headerBeyondFile(length) }
    dataOffset = 8 + Int(length)
    var parser = Parser(bufferByteCount: file.count - dataOffset)
    try parser.parse(UnsafeRawBufferPointer(rebasing: file[8..<dataOffset]))
    metadata = parser.metadata
    tensors = try parser.checkedLayout()
  }
}

private struct Parser {
  let bufferByteCount: Int
  var metadata: [String: String] = [:]
  private var tensors: [TensorInfo] = []
  private var names: Set<String> = []

  init(bufferByteCount: Int) { self.bufferByteCount = bufferByteCount }

  mutating func parse(_ json: UnsafeRawBufferPointer) throws(SafetensorsError) {
    guard json.first == UInt8(ascii: "{") else { throw .notJSON(position: 0) }
    var scanner = JSONScanner(json)
    try scanner.object { (scanner, name) throws(SafetensorsError) in
      guard names.insert(name).inserted else { throw .duplicateName(name) }
      if name == "__metadata__" {
        try scanner.object { (scanner, key) throws(SafetensorsError) in
          guard metadata[key] == nil else { throw .duplicateName("__metadata__.\(key)") }
          metadata[key] = try scanner.string()
        }
      } else {
        tensors.append(try tensor(name, &scanner))
      }
    }
    scanner.skipWhitespace()
    guard scanner.isAtEnd else { throw .notJSON(position: scanner.position) }
  }

  private func tensor(_ name: String, _ scanner: inout JSONScanner) throws(SafetensorsError)
    -> TensorInfo
  {
    var type: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    var fields: Set<String> = []
    try scanner.object { (scanner, field) throws(SafetensorsError) in
      guard fields.insert(field).inserted else { throw .duplicateName("\(name).\(field)") }
      switch field {
      case "dtype":
        let text = try scanner.string()
        guard let known = ElementType(rawValue: text) else {
          throw .unknownType(tensor: name, type: text)
        }
        type = known
      case "shape":
        shape = try scanner.naturalNumbers()
        if shape == nil { throw .invalidNumber(tensor: name) }
      case "data_offsets":
        offsets = try scanner.naturalNumbers()
        guard offsets?.count == 2 else { throw .invalidNumber(tensor: name) }
      default: throw .unknownField(tensor: name, field: field)
      }
    }
    guard let type else { throw .missingField(tensor: name, field: "dtype") }
    guard let shape else { throw .missingField(tensor: name, field: "shape") }
    guard let offsets else { throw .missingField(tensor: name, field: "data_offsets") }
    return TensorInfo(
      name: name, elementType: type, shape: shape,
      byteRange: try checkedRange(name, type, shape, offsets))
  }

  private func checkedRange(
    _ name: String, _ type: ElementType, _ shape: [Int], _ offsets: [Int]
  ) throws(SafetensorsError) -> Range<Int> {
    var byteCount = type.byteCount
    for dimension in shape {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw .shapeTooLarge(tensor: name) }
      byteCount = product
    }
    guard offsets[0] <= offsets[1] else { throw .reversedOffsets(tensor: name) }
    guard offsets[1] <= bufferByteCount else { throw .offsetsBeyondBuffer(tensor: name) }
    guard offsets[1] - offsets[0] == byteCount else { throw .wrongSize(tensor: name) }
    return offsets[0]..<offsets[1]
  }

  func checkedLayout() throws(SafetensorsError) -> [TensorInfo] {
    let ordered = tensors.sorted {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var end = 0
    for tensor in ordered {
      guard tensor.byteRange.lowerBound == end else { throw .overlapOrHole(tensor: tensor.name) }
      end = tensor.byteRange.upperBound
    }
    guard end == bufferByteCount else { throw .trailingBytes(bufferByteCount - end) }
    return ordered
  }
}
