internal import CFlapMessages
internal import CProtobufC
internal import FlapCore

/// The memory of a header while it is packed: protobuf-c's structs hold bare pointers.
final class HeaderPacking {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit {
    for block in blocks { block.deallocate() }
  }

  /// A part of a header: zeroed, set up by its `…__init` function, then filled.
  func part<Part>(
    _ zero: Part, _ initialize: (UnsafeMutablePointer<Part>) -> Void,
    _ fill: (inout Part) -> Void
  ) -> UnsafeMutablePointer<Part> {
    let pointer = reserve(Part.self, count: 1)
    pointer.initialize(to: zero)
    initialize(pointer)
    fill(&pointer.pointee)
    return pointer
  }

  /// Text, up to its first zero byte and at most `byteLimit` bytes of UTF-8.
  func text(_ string: String, byteLimit: Int = 8192) -> UnsafeMutablePointer<CChar> {
    var end = string.utf8.startIndex
    var byteCount = 0
    for index in string.unicodeScalars.indices {
      let next = string.unicodeScalars.index(after: index)
      byteCount += string.unicodeScalars[index].utf8.count
      guard byteCount <= byteLimit else { break }
      end = next
    }
    let bytes = Array(string.utf8[..<end]) + [0]
    let pointer = reserve(CChar.self, count: bytes.count)
    UnsafeMutableRawPointer(pointer).copyMemory(from: bytes, byteCount: bytes.count)
    return pointer
  }

  /// Texts in a row, and how many.
  func texts(
    _ strings: [String]
  ) -> (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, Int) {
    let pointer = reserve(UnsafeMutablePointer<CChar>?.self, count: strings.count)
    pointer.initialize(from: strings.map { text($0) }, count: strings.count)
    return (pointer, strings.count)
  }

  func data(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    let pointer = reserve(UInt8.self, count: bytes.count)
    pointer.initialize(from: bytes, count: bytes.count)
    return ProtobufCBinaryData(len: bytes.count, data: pointer)
  }

  /// Parts in a row, and how many.
  func parts<Part>(
    _ parts: [UnsafeMutablePointer<Part>]
  ) -> (UnsafeMutablePointer<UnsafeMutablePointer<Part>?>, Int) {
    let pointer = reserve(UnsafeMutablePointer<Part>?.self, count: parts.count)
    pointer.initialize(from: parts.map(Optional.some), count: parts.count)
    return (pointer, parts.count)
  }

  /// Several in a row.
  func data(_ values: [[UInt8]]) -> UnsafeMutablePointer<ProtobufCBinaryData> {
    let pointer = reserve(ProtobufCBinaryData.self, count: values.count)
    pointer.initialize(from: values.map { data($0) }, count: values.count)
    return pointer
  }

  func numbers(_ values: [UInt32]) -> UnsafeMutablePointer<UInt32> {
    let pointer = reserve(UInt32.self, count: values.count)
    pointer.initialize(from: values, count: values.count)
    return pointer
  }

  /// The bytes of a header, by its `…__get_packed_size` and `…__pack` functions.
  func pack<Header>(
    _ header: UnsafeMutablePointer<Header>, _ packedSize: (UnsafePointer<Header>?) -> Int,
    _ pack: (UnsafePointer<Header>?, UnsafeMutablePointer<UInt8>?) -> Int
  ) -> [UInt8] {
    let byteCount = packedSize(header)
    precondition(byteCount <= Limits.headerFrameBytes, "A header has bounded parts.")
    return Array(unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
      // Even an empty header has to be packed somewhere.
      if let start = buffer.baseAddress { initializedCount = pack(header, start) }
    }
  }

  private func reserve<Element>(
    _: Element.Type, count: Int
  ) -> UnsafeMutablePointer<Element> {
    let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
    blocks.append(UnsafeMutableRawPointer(pointer))
    return pointer
  }
}
