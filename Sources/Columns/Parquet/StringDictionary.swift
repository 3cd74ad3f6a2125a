/// The strings that a column's indices stand for.
struct StringDictionary {
  private let block: Block
  private var ranges: [Range<Int>] = []

  init(_ block: Block, valueCount: Int, origin: Int) throws(ColumnsError) {
    self.block = block
    var reader = ByteReader(block.bytes, part: "a dictionary", origin: origin)
    // Each has the four bytes of its size.
    guard valueCount <= block.bytes.count / 4 else { throw reader.cutOff }
    ranges.reserveCapacity(valueCount)
    for _ in 0..<valueCount {
      let count = Int(try reader.uint32())
      let start = reader.position
      _ = try reader.take(count)
      ranges.append(start..<start + count)
    }
  }

  /// - Returns: nil where there is no such string.
  func string(_ index: UInt32) -> [UInt8]? {
    let index = Int(index)
    return index < ranges.count ? Array(block.bytes[ranges[index]]) : nil
  }
}
