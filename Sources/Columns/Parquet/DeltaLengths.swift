/// Lengths as differences in blocks of packed numbers (`Encodings.md`, DELTA_BINARY_PACKED).
struct DeltaLengths {
  private let lengths: [Int32]
  private var index = 0
  private let damaged: ColumnsError

  /// - Parameter limit: most of them.
  init(_ reader: inout ByteReader, limit: Int) throws(ColumnsError) {
    let damaged = reader.damaged
    let blockCount = try reader.variable()
    let miniblockCount = try reader.variable()
    let count = try reader.variable()
    var value = try reader.zigzag()
    guard count <= UInt64(limit), (1...65_536).contains(blockCount),
      (1...blockCount).contains(miniblockCount), blockCount % miniblockCount == 0,
      blockCount / miniblockCount % 8 == 0
    else { throw damaged }
    let perMiniblock = Int(blockCount / miniblockCount)
    var lengths: [Int32] = []
    lengths.reserveCapacity(Int(count))
    func append(_ value: Int64) throws(ColumnsError) {
      guard let length = Int32(exactly: value), length >= 0 else { throw damaged }
      lengths.append(length)
    }
    if count > 0 { try append(value) }
    while lengths.count < Int(count) {
      let minimum = try reader.zigzag()
      let widths = try reader.take(Int(miniblockCount))
      for width in widths where lengths.count < Int(count) {
        // Lengths have 31 bits, their differences 32.
        guard width <= 32 else { throw damaged }
        let packed = try reader.take(perMiniblock * Int(width) / 8)
        for index in 0..<min(perMiniblock, Int(count) - lengths.count) {
          let bits = packed.bits(at: index * Int(width), count: Int(width))
          value = value &+ minimum &+ Int64(bits)
          try append(value)
        }
      }
    }
    self.damaged = damaged
    self.lengths = lengths
  }

  mutating func next() throws(ColumnsError) -> Int {
    guard index < lengths.count else { throw damaged }
    defer { index += 1 }
    return Int(lengths[index])
  }
}
