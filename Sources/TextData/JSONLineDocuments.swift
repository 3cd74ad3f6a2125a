/// Texts of records that are a line of JSON each.
struct JSONLineDocuments: ~Copyable, DocumentSource {
  private var buffer: TextBuffer
  private let record: RecordText
  private var line = 0

  init(_ buffer: consuming TextBuffer, _ record: RecordText) {
    self.buffer = buffer
    self.record = record
  }

  mutating func next() throws -> TextDocument? {
    while let byteCount = try buffer.nextLine() {
      line += 1
      let text = try text(ofLine: 0..<byteCount)
      buffer.useLine(byteCount)
      if let text { return text }
    }
    return nil
  }

  /// - Returns: nil for a blank line and an empty text.
  private func text(ofLine range: Range<Int>) throws -> TextDocument? {
    try buffer.validate(range)
    return try buffer.withBytes(range) { bytes in
      guard bytes.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return nil }
      return try record.text(
        ofObject: bytes, RecordPlace(path: buffer.path, unit: .line, number: line))
    }
  }
}
