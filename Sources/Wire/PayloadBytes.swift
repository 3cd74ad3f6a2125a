/// Appends numbers to a payload; whole arrays are copied at once.
struct PayloadWriter {
  private(set) var bytes: [UInt8] = []

  init(byteCount: Int) { bytes.reserveCapacity(byteCount) }

  mutating func append(count: Int) {
    Swift.withUnsafeBytes(of: UInt64(count).littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// As they lie in memory: every host that flap runs on is little-endian.
  mutating func append(_ values: [Double]) {
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// One bit per flag, the first in the lowest bit; the last byte is filled with zeros.
  mutating func append(_ flags: [Bool]) {
    for start in stride(from: 0, to: flags.count, by: 8) {
      var byte: UInt8 = 0
      for index in start..<min(start + 8, flags.count) where flags[index] {
        byte |= 1 << UInt8(index - start)
      }
      bytes.append(byte)
    }
  }
}

/// Reads numbers from a payload, in order.
struct PayloadReader {
  private let bytes: [UInt8]
  private let name: String
  private var offset = 0

  /// - Parameter name: what the payload is, for errors.
  init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
  }

  /// A count of at most 2⁵³.
  mutating func count(_ field: String) throws(WireError) -> Int {
    let start = try advance(by: MemoryLayout<UInt64>.size)
    let value = bytes.withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt64.self))
    }
    return try FieldChecks.count(value, field)
  }

  mutating func values(_ count: Int) throws(WireError) -> [Double] {
    let byteCount = count * MemoryLayout<Double>.size
    let start = try advance(by: byteCount)
    return [Double](unsafeUninitializedCapacity: count) { values, initializedCount in
      UnsafeMutableRawBufferPointer(values).copyBytes(from: bytes[start..<start + byteCount])
      initializedCount = count
    }
  }

  mutating func flags(_ count: Int) throws(WireError) -> [Bool] {
    let byteCount = PayloadReader.byteCount(ofFlags: count)
    let start = try advance(by: byteCount)
    if count % 8 != 0, bytes[start + byteCount - 1] >> UInt8(count % 8) != 0 {
      throw .invalid(field: name, reason: "flags beyond the last")
    }
    return (0..<count).map { bytes[start + $0 / 8] >> UInt8($0 % 8) & 1 == 1 }
  }

  func end() throws(WireError) {
    guard offset == bytes.count else {
      throw .payloadByteCount(of: name, expected: offset, found: bytes.count)
    }
  }

  static func byteCount(ofFlags count: Int) -> Int { (count + 7) / 8 }

  /// - Returns: where the bytes stepped over start.
  private mutating func advance(by byteCount: Int) throws(WireError) -> Int {
    guard byteCount <= bytes.count - offset else {
      throw .payloadByteCount(of: name, expected: offset + byteCount, found: bytes.count)
    }
    defer { offset += byteCount }
    return offset
  }
}
