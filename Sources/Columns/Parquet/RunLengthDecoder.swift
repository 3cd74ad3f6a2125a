/// Numbers of a few bits as runs and packed groups of eight (`Encodings.md`, RLE).
struct RunLengthDecoder {
  private var bytes: ByteReader
  private let bitWidth: Int
  private var runCount = 0
  private var runValue: UInt32 = 0
  /// Of packed numbers, and which bit is next.
  private var packed = UnsafeRawBufferPointer(start: nil, count: 0)
  private var packedCount = 0
  private var bit = 0

  /// - Precondition: 0…32 bits.
  init(_ bytes: UnsafeRawBufferPointer, bitWidth: Int, origin: Int) {
    self.bytes = ByteReader(bytes, part: "the runs of a page", origin: origin)
    self.bitWidth = bitWidth
  }

  mutating func next() throws(ColumnsError) -> UInt32 {
    while true {
      if runCount > 0 {
        runCount -= 1
        return runValue
      }
      if packedCount > 0 {
        packedCount -= 1
        defer { bit += bitWidth }
        return try packedNumber()
      }
      try readHeader()
    }
  }

  private mutating func readHeader() throws(ColumnsError) {
    let header = try bytes.variable()
    guard header <= UInt32.max else { throw bytes.damaged }
    if header & 1 == 0 {
      runCount = Int(header >> 1)
      var value: UInt32 = 0
      for shift in stride(from: 0, to: bitWidth, by: 8) {
        value |= UInt32(try bytes.byte()) << UInt32(shift)
      }
      runValue = value
    } else {
      let groupCount = Int(header >> 1)
      // Some writers leave out what nobody needs of the last group.
      packed = try bytes.take(min(groupCount * bitWidth, bytes.remainingCount))
      packedCount = groupCount * 8
      bit = 0
    }
  }

  private func packedNumber() throws(ColumnsError) -> UInt32 {
    guard bit + bitWidth <= packed.count * 8 else { throw bytes.cutOff }
    return UInt32(truncatingIfNeeded: packed.bits(at: bit, count: bitWidth))
  }
}

extension UnsafeRawBufferPointer {
  /// `count` ≤ 56 bits from the lowest of the first byte on. - Precondition: they lie within.
  func bits(at bit: Int, count: Int) -> UInt64 {
    var number: UInt64 = 0
    let first = bit / 8
    let byteCount = (bit % 8 + count + 7) / 8
    for index in 0..<byteCount { number |= UInt64(self[first + index]) << UInt64(8 * index) }
    return number >> UInt64(bit % 8) & (1 << UInt64(count) - 1)
  }
}
