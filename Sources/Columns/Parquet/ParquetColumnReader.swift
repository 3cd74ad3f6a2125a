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
    if leaf.isList { return try nextList().map { .texts($0.compactMap(\.self)) } }
    guard try fillChunk() else { return nil }
    return try page!.next().text.map { .text($0) } ?? .null
  }

  /// The list of the next row, with its nulls; nil at the end.
  mutating func nextList() throws(ColumnsError) -> [[UInt8]?]? {
    try fillChunk() ? try list() : nil
  }

  /// - Returns: whether there is another value.
  private mutating func fillChunk() throws(ColumnsError) -> Bool {
    while true {
      if try fillPage() { return true }
      guard nextChunk < chunks.count else { return false }
      pages = try ParquetPages(chunks[nextChunk], leaf, bytes)
      nextChunk += 1
    }
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
  private mutating func list() throws(ColumnsError) -> [[UInt8]?] {
    var texts: [[UInt8]?] = []
    var byteCount = 0
    var isFirst = true
    while try fillPage() {
      if !isFirst, try page!.beginsRow() { break }
      isFirst = false
      let (text, definition) = try page!.next()
      // Of an empty list, and of one that is null, there is a value without an element.
      guard definition >= leaf.elementDefinition else { continue }
      byteCount += text?.count ?? 0
      guard byteCount <= ColumnLimits.rowBytes else {
        throw page!.tooLarge("the bytes of a row", byteCount, ColumnLimits.rowBytes)
      }
      guard texts.count < ColumnLimits.valuesPerRow else {
        throw page!.tooLarge("a row", texts.count + 1, ColumnLimits.valuesPerRow)
      }
      texts.append(text)
    }
    return texts
  }
}

/// The rows of a column of lists of structures: a reader for each field goes from row to row.
struct ParquetRecordReader: ColumnReader {
  let fields: [String]
  var readers: [ParquetColumnReader]

  mutating func next() throws(ColumnsError) -> Cell? {
    var records: [[String: [UInt8]]] = []
    for index in fields.indices {
      guard let texts = try readers[index].nextList() else {
        guard index == 0 else { throw .damaged(part: "a column of structures", offset: 0) }
        return nil
      }
      if index == 0 { records = Array(repeating: [:], count: texts.count) }
      guard texts.count == records.count else {
        throw .damaged(part: "a column of structures", offset: 0)
      }
      for (row, text) in texts.enumerated() { records[row][fields[index]] = text }
    }
    return .records(records)
  }
}
