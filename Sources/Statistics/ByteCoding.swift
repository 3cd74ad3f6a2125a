/// Appends numbers, little-endian; whole arrays are copied at once.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init(byteCount: Int) { bytes.reserveCapacity(byteCount) }

  package mutating func append(count: Int) {
    Swift.withUnsafeBytes(of: UInt64(count).littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// As they lie in memory: every host that flap runs on is little-endian.
  package mutating func append(_ values: [Double]) {
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  package mutating func append(_ bytes: [UInt8]) { self.bytes += bytes }
}

/// Takes numbers, in order; nil where the bytes do not hold one.
package struct ByteReader {
  private let bytes: [UInt8]
  package private(set) var offset = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var isAtEnd: Bool { offset == bytes.count }

  /// Most that a count can be: exact in f64, and a few such add up within `Int`.
  package static let largestCount = 1 << 53

  /// A count of at most 2⁵³.
  package mutating func count() -> Int? {
    guard let start = advance(by: MemoryLayout<UInt64>.size) else { return nil }
    let value = bytes.withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt64.self))
    }
    return value <= UInt64(ByteReader.largestCount) ? Int(value) : nil
  }

  package mutating func values(_ count: Int) -> [Double]? {
    let byteCount = count * MemoryLayout<Double>.size
    guard let start = advance(by: byteCount) else { return nil }
    return [Double](unsafeUninitializedCapacity: count) { values, initializedCount in
      UnsafeMutableRawBufferPointer(values).copyBytes(from: bytes[start..<start + byteCount])
      initializedCount = count
    }
  }

  package mutating func raw(_ count: Int) -> ArraySlice<UInt8>? {
    advance(by: count).map { bytes[$0..<$0 + count] }
  }

  /// - Returns: where the bytes stepped over start.
  private mutating func advance(by byteCount: Int) -> Int? {
    guard byteCount <= bytes.count - offset else { return nil }
    defer { offset += byteCount }
    return offset
  }
}
