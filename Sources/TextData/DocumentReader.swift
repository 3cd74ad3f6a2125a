internal import SystemPackage
internal import Tokenizer

/// The texts of one file, one after another: valid UTF-8, none empty.
struct DocumentReader: ~Copyable {
  private let file: TextFile
  private let field: [UInt8]
  private let fieldName: String
  private let chatFormat: ChatFormat?
  private var stream: ByteStream
  private var bytes: [UInt8]
  /// What of `bytes` was handed out already, and where they begin in the text.
  private var done: Int
  private var offset = 0
  private var line = 0
  private var isAtEnd = false
  private let keepsLineEnds: Bool
  private var changedLineEndCount = 0

  /// - Parameters:
  ///   - sampling: tells the key of the text in a line of JSON, and what becomes of line ends.
  ///   - chatFormat: writes conversations as text; nil: they are refused.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile, _ sampling: TextSampling, _ chatFormat: ChatFormat? = nil) throws {
    var stream = try ByteStream(file)
    var bytes: [UInt8] = []
    while bytes.count < TextLimits.binaryProbeBytes, try stream.read(into: &bytes) {}
    guard !bytes.isEmpty else { throw TextDataError.empty(path: file.path.string) }
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw TextDataError.utf16(path: file.path.string)
    }
    if let zero = bytes.prefix(TextLimits.binaryProbeBytes).firstIndex(of: 0) {
      throw TextDataError.binary(path: file.path.string, offset: zero)
    }
    self.file = file
    self.chatFormat = chatFormat
    field = Array(sampling.textField.utf8)
    fieldName = sampling.textField
    keepsLineEnds = sampling.keepsLineEnds
    // A byte order mark is no part of the text.
    done = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    self.bytes = bytes
    self.stream = stream
  }

  private var path: String { file.path.string }

  /// - Returns: nil at the end.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func next() throws -> TextDocument? {
    switch file.form {
    case .plain: return try nextPlain().map { TextDocument(bytes: $0) }
    case .jsonLines:
      while let range = try nextLine() {
        line += 1
        if let document = try document(ofLine: range) { return document }
      }
      return nil
    }
  }

  /// Line ends that became another kind since this was asked last. Those of strings in JSON stay: who
  /// wrote them named each.
  mutating func takeChangedLineEndCount() -> Int {
    defer { changedLineEndCount = 0 }
    return changedLineEndCount
  }

  private mutating func nextPlain() throws -> [UInt8]? {
    guard !isAtEnd || done < bytes.count else { return nil }
    while try read() {}
    try validate(done..<bytes.count)
    bytes.removeFirst(done)
    let text: [UInt8]
    if keepsLineEnds {
      text = bytes
    } else {
      let changed: Int
      (text, changed) = LineEnds.unified(bytes)
      changedLineEndCount += changed
    }
    bytes = []
    done = 0
    return text.isEmpty ? nil : text
  }

  /// The next line without its end; nil at the end of the file.
  private mutating func nextLine() throws -> Range<Int>? {
    var searched = done
    while true {
      if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { done = end + 1 }
        return done..<end
      }
      searched = bytes.count - done
      bytes.removeFirst(done)
      offset += done
      done = 0
      guard try read() else { break }
    }
    guard !bytes.isEmpty else { return nil }
    defer { done = bytes.count }
    return 0..<bytes.count
  }

  private mutating func read() throws -> Bool {
    guard !isAtEnd else { return false }
    isAtEnd = !(try stream.read(into: &bytes))
    guard bytes.count - done <= TextLimits.documentBytes else {
      throw TextDataError.documentTooLarge(path: path, limitBytes: TextLimits.documentBytes)
    }
    return !isAtEnd
  }

  private func validate(_ range: Range<Int>) throws(TextDataError) {
    let invalid = bytes.withUnsafeBytes {
      UTF8Validation.firstInvalidOffset(in: UnsafeRawBufferPointer(rebasing: $0[range]))
    }
    if let invalid {
      throw .invalidUTF8(path: path, offset: offset + range.lowerBound + invalid)
    }
  }

  /// - Returns: nil for a blank line and an empty text.
  private func document(ofLine range: Range<Int>) throws -> TextDocument? {
    try validate(range)
    guard bytes[range].contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else {
      return nil
    }
    let found = bytes.withUnsafeBytes { bytes in
      Result { () throws(TokenizerError) in
        try self.text(ofObject: UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
    let text: [UInt8]?
    switch found {
    case .success(let value): text = value
    case .failure(let error):
      var position = 0
      if case .malformedJSON(_, let offset) = error { position = offset }
      throw TextDataError.notJSON(path: path, line: line, offset: position)
    }
    if let text { return text.isEmpty ? nil : TextDocument(bytes: text) }
    let record = bytes.withUnsafeBytes {
      ConversationRecord(
        UnsafeRawBufferPointer(rebasing: $0[range]), place: "\(path), line \(line)")
    }
    guard let text = try record.text(field: fieldName, chatFormat) else {
      throw TextDataError.missingField(path: path, line: line, field: fieldName)
    }
    return text.isEmpty ? nil : TextDocument(bytes: text, isConversation: true)
  }

  /// - Returns: nil where the object lacks the field, or it holds neither a string nor null.
  private func text(
    ofObject bytes: UnsafeRawBufferPointer
  ) throws(TokenizerError) -> [UInt8]? {
    var text: [UInt8]?
    var reader = JSONReader(bytes, path: path, form: .python)
    try reader.object { reader, key throws(TokenizerError) in
      guard key == field, try reader.next() == UInt8(ascii: "\"") else {
        if case .null = try reader.value(), key == field { text = [] }
        return
      }
      try reader.readString()
      text = reader.text
    }
    try reader.atEnd()
    return text
  }
}
