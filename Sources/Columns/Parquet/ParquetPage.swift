/// The values of a page, one after another.
struct ParquetPage {
  private(set) var remainingCount: Int
  private let maxDefinition: Int
  private var repetition: RunLengthDecoder?
  private var definition: RunLengthDecoder?
  private var strings: StringDecoder
  /// Holds what the others read.
  private let block: Block
  private let origin: Int
  private var nextRepetition: UInt32?

  init(
    valueCount: Int, maxDefinition: Int, repetition: RunLengthDecoder?,
    definition: RunLengthDecoder?, strings: StringDecoder, block: Block, origin: Int
  ) {
    remainingCount = valueCount
    self.maxDefinition = maxDefinition
    self.repetition = repetition
    self.definition = definition
    self.strings = strings
    self.block = block
    self.origin = origin
  }

  /// Whether the next value is the first of its row.
  mutating func beginsRow() throws(ColumnsError) -> Bool {
    if nextRepetition == nil { nextRepetition = try repetition?.next() ?? 0 }
    return nextRepetition == 0
  }

  /// The next value, nil: null, and its definition level.
  mutating func next() throws(ColumnsError) -> (text: [UInt8]?, definition: Int) {
    remainingCount -= 1
    if repetition != nil {
      _ = try beginsRow()
      nextRepetition = nil
    }
    let level = Int(try definition?.next() ?? 0)
    return (level == maxDefinition ? try strings.next() : nil, level)
  }

  func tooLarge(_ part: String, _ declared: Int, _ limit: Int) -> ColumnsError {
    .tooLarge(part: part, declared: declared, limit: limit, offset: origin)
  }
}
