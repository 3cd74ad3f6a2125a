/// The rows of a column of strings, page after page.
struct ParquetColumnReader: ColumnReader {
  private let leaf: ParquetLeaf
  private let chunks: [ParquetFooter.ColumnChunk]
  private let bytes: UnsafeRawBufferPointer
  private var nextChunk = 0
  private var pages: ParquetPages?
  private var page: ParquetPage?

  init(leaf: ParquetLeaf, chunks: [ParquetFooter.ColumnChunk], bytes: UnsafeRawBufferPointer) {
    self.leaf = leaf
    self.chunks = chunks
    self.bytes = bytes
  }

  mutating func next() throws(ColumnsError) -> Cell? {
    while true {
      if try fillPage() { break }
      guard nextChunk < chunks.count else { return nil }
      pages = try ParquetPages(chunks[nextChunk], leaf, bytes)
      nextChunk += 1
    }
    return leaf.isList ? try list() : try page!.next().map { .text($0) } ?? .null
  }

  /// - Returns: whether the chunk has another value.
  private mutating func fillPage() throws(ColumnsError) -> Bool {
    while (page?.remainingCount ?? 0) == 0 {
      // Held once, or else its dictionary would be copied.
      page = nil
      guard let next = try pages?.next() else { return false }
      page = next
    }
    return true
  }

  /// A row's values: up to the next that begins another row; a row ends with its chunk.
  private mutating func list() throws(ColumnsError) -> Cell {
    var texts: [[UInt8]] = []
    var byteCount = 0
    var isFirst = true
    while try fillPage() {
      if !isFirst, try page!.beginsRow() { break }
      isFirst = false
      guard let text = try page!.next() else { continue }
      byteCount += text.count
      guard byteCount <= ColumnLimits.rowBytes else {
        throw page!.tooLarge("the bytes of a row", byteCount, ColumnLimits.rowBytes)
      }
      guard texts.count < ColumnLimits.valuesPerRow else {
        throw page!.tooLarge("a row", texts.count + 1, ColumnLimits.valuesPerRow)
      }
      texts.append(text)
    }
    return .texts(texts)
  }
}
