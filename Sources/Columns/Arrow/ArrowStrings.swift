/// The strings of a buffer: by offsets, or by views of 16 bytes.
struct ArrowStrings {
  let count: Int
  private let validity: Validity
  private let layout: Layout
  private let damaged: ColumnsError
  private let offset: Int

  private enum Layout {
    case offsets(ArrowOffsets, Block)
    case views(Block, [Block])
  }

  init(
    _ field: ArrowField, _ place: ArrowBatch.Place, _ batch: ArrowBatch
  ) throws(ColumnsError) {
    damaged = batch.damaged
    offset = batch.offset
    count = try batch.length(place.node)
    validity = try Validity(try batch.buffer(place.buffer), count: count, batch)
    switch field.layout {
    case .offsets(let byteCount):
      layout = .offsets(
        try ArrowOffsets(try batch.buffer(place.buffer + 1), byteCount, count: count, batch),
        try batch.buffer(place.buffer + 2))
    case .views:
      let views = try batch.buffer(place.buffer + 1)
      guard views.bytes.count / 16 >= count else { throw damaged }
      var blocks: [Block] = []
      for index in 0..<(try batch.viewBufferCount(place.view)) {
        blocks.append(try batch.buffer(place.buffer + 2 + index))
      }
      layout = .views(views, blocks)
    case .list, .structure, .other: preconditionFailure("a column of texts")
    }
  }

  /// - Precondition: an index below `count`.
  /// - Returns: nil: null.
  func string(_ index: Int) throws(ColumnsError) -> [UInt8]? {
    guard validity.isThere(index) else { return nil }
    switch layout {
    case .offsets(let offsets, let block):
      return Array(block.bytes[try offsets.range(index, limit: block.bytes.count)])
    case .views(let views, let blocks):
      // The length; then the string itself, or its beginning, buffer and offset.
      let length = Int(views.bytes.number(at: 16 * index, as: Int32.self))
      guard length >= 0 else { throw damaged }
      if length <= 12 { return Array(views.bytes[16 * index + 4..<16 * index + 4 + length]) }
      let block = Int(views.bytes.number(at: 16 * index + 8, as: Int32.self))
      let start = Int(views.bytes.number(at: 16 * index + 12, as: Int32.self))
      guard blocks.indices.contains(block),
        let text = blocks[block].bytes.slice(start, count: length)
      else { throw damaged }
      return Array(text)
    }
  }

  /// Adds what it is long to the bytes of its row, which are bounded.
  func string(_ index: Int, _ byteCount: inout Int) throws(ColumnsError) -> [UInt8]? {
    let text = try string(index)
    byteCount += text?.count ?? 0
    guard byteCount <= ColumnLimits.rowBytes else {
      throw tooLarge("the bytes of a row", byteCount, ColumnLimits.rowBytes)
    }
    return text
  }

  func tooLarge(_ part: String, _ declared: Int, _ limit: Int) -> ColumnsError {
    .tooLarge(part: part, declared: declared, limit: limit, offset: offset)
  }
}
