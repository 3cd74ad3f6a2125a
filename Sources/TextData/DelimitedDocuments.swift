internal import Columns

/// Texts in a column of rows: `.csv` and `.tsv` (RFC 4180), read as Python's `csv` reads them. The
/// first row names the columns.
struct DelimitedDocuments: ~Copyable, DocumentSource {
  private var buffer: TextBuffer
  private let separator: UInt8
  private let record: RecordText
  /// Those that the record wants.
  private var columns: [Int] = []
  private var names: [String] = []
  private var columnCount = 0
  private var row = 0
  /// Of the file, at the beginning of the next row.
  private var line = 1

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ buffer: consuming TextBuffer, separator: UInt8, _ record: RecordText) throws {
    self.buffer = buffer
    self.separator = separator
    self.record = record
    let header = (try nextRow()?.fields ?? []).map { String(decoding: $0, as: UTF8.self) }
    columnCount = header.count
    columns = try record.columns(among: header, path: self.buffer.path)
    names = columns.map { header[$0] }
  }

  mutating func next() throws -> TextDocument? {
    while true {
      let start = line
      guard let found = try nextRow() else { return nil }
      row += 1
      guard found.fields.count == columnCount else {
        throw TextDataError.raggedRow(
          place: "\(buffer.path), line \(start)", fieldCount: found.fields.count,
          columnCount: columnCount)
      }
      let cells = columns.map { Cell.text(found.fields[$0]) }
      let place = RecordPlace(path: buffer.path, unit: .line, number: start)
      if let text = try record.text(ofRow: cells, names, place) { return text }
    }
  }

  private struct Row {
    /// Empty where it is not wanted.
    var fields: [[UInt8]] = []
    var byteCount = 0
    var lineCount = 0
    /// Of an empty line.
    var isBlank = false
  }

  /// - Returns: nil at the end.
  private mutating func nextRow() throws -> Row? {
    // Of the header all.
    let wanted = columnCount == 0 ? nil : columns
    while true {
      if buffer.count == 0, !(try buffer.readMore()) { return nil }
      let isLast = buffer.isAtEnd
      let parsed = buffer.withBytes(0..<buffer.count) { bytes in
        Parser(bytes: bytes, separator: separator, isLast: isLast).row(wanted)
      }
      switch parsed {
      case .row(let row):
        buffer.use(row.byteCount)
        line += row.lineCount
        if !row.isBlank { return row }
      case .needsMore: _ = try buffer.readMore()
      case .openQuote(let lineCount):
        throw TextDataError.openQuote(place: "\(buffer.path), line \(line + lineCount)")
      }
    }
  }

  private enum Parsed {
    case row(Row)
    case needsMore
    /// The file ends within quotes that begin so many lines further.
    case openQuote(lineCount: Int)
  }

  /// One row at the beginning of some bytes.
  private struct Parser {
    let bytes: UnsafeRawBufferPointer
    let separator: UInt8
    /// Whether nothing comes after them.
    let isLast: Bool

    func row(_ wanted: [Int]?) -> Parsed {
      var row = Row()
      var position = 0
      while true {
        let isWanted = wanted?.contains(row.fields.count) ?? true
        var field: [UInt8] = []
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
          let openedAt = row.lineCount
          var start = position + 1
          // Up to the quote that is not doubled.
          while true {
            guard let quote = index(of: UInt8(ascii: "\""), from: start, countingLinesIn: &row)
            else { return isLast ? .openQuote(lineCount: openedAt) : .needsMore }
            guard quote + 1 < bytes.count || isLast else { return .needsMore }
            let isDoubled = quote + 1 < bytes.count && bytes[quote + 1] == UInt8(ascii: "\"")
            if isWanted { field.append(contentsOf: bytes[start..<quote + (isDoubled ? 1 : 0)]) }
            position = quote + (isDoubled ? 2 : 1)
            guard isDoubled else { break }
            start = position
          }
        }
        // What is not quoted, or comes behind the quotes.
        let start = position
        while position < bytes.count, !isEnd(bytes[position]) { position += 1 }
        if isWanted { field.append(contentsOf: bytes[start..<position]) }
        guard position < bytes.count || isLast else { return .needsMore }
        row.fields.append(field)
        if position < bytes.count, bytes[position] == separator {
          position += 1
          continue
        }
        row.isBlank = position == 0
        guard position < bytes.count else {
          row.byteCount = position
          return .row(row)
        }
        let isReturn = bytes[position] == UInt8(ascii: "\r")
        position += 1
        if isReturn {
          guard position < bytes.count || isLast else { return .needsMore }
          if position < bytes.count, bytes[position] == UInt8(ascii: "\n") { position += 1 }
        }
        row.byteCount = position
        row.lineCount += 1
        return .row(row)
      }
    }

    private func isEnd(_ byte: UInt8) -> Bool {
      byte == separator || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }

    private func index(
      of byte: UInt8, from start: Int, countingLinesIn row: inout Row
    ) -> Int? {
      var position = start
      while position < bytes.count {
        if bytes[position] == byte { return position }
        if bytes[position] == UInt8(ascii: "\n") { row.lineCount += 1 }
        position += 1
      }
      return nil
    }
  }
}
