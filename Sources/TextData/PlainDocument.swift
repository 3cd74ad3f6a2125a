/// A file that is one text.
struct PlainDocument: ~Copyable, DocumentSource {
  private var buffer: TextBuffer
  private let keepsLineEnds: Bool
  private var isRead = false
  private var changedLineEndCount = 0

  init(_ buffer: consuming TextBuffer, keepsLineEnds: Bool) {
    self.buffer = buffer
    self.keepsLineEnds = keepsLineEnds
  }

  mutating func next() throws -> TextDocument? {
    guard !isRead else { return nil }
    isRead = true
    while try buffer.readMore() {}
    try buffer.validate(0..<buffer.count)
    var text = buffer.takeAll()
    if !keepsLineEnds {
      let changed: Int
      (text, changed) = LineEnds.unified(text)
      changedLineEndCount += changed
    }
    guard !text.isEmpty else { throw TextDataError.empty(path: buffer.path) }
    return TextDocument(bytes: text)
  }

  mutating func takeChangedLineEndCount() -> Int {
    defer { changedLineEndCount = 0 }
    return changedLineEndCount
  }
}
