internal import Columns
internal import FlapCore
internal import Tokenizer

/// Which text a record makes, whatever file it comes from: the one place that knows.
struct RecordText {
  /// The key, or the column, of the text.
  let field: String
  private let key: [UInt8]
  /// Writes conversations as text; nil: they are refused.
  private let chatFormat: ChatFormat?

  init(field: String, _ chatFormat: ChatFormat?) {
    self.field = field
    self.chatFormat = chatFormat
    key = Array(field.utf8)
  }

  /// The text of a JSON object, or what the chat template makes of a conversation.
  ///
  /// - Returns: nil where it is empty or null.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  func text(
    ofObject bytes: UnsafeRawBufferPointer, _ place: RecordPlace
  ) throws -> TextDocument? {
    let found = try reading(place) { () throws(TokenizerError) in
      var found: Found?
      var names: [String] = []
      var reader = JSONReader(bytes, path: place.path, form: .python)
      try reader.object { reader, name throws(TokenizerError) in
        guard name == key else {
          if names.count < RecordText.namedFieldLimit { names.append(PlainText.quotable(name)) }
          try reader.skipValue()
          return
        }
        found = try self.found(&reader)
      }
      try reader.atEnd()
      return found ?? .nothing(names)
    }
    if case .text(let text) = found { return text.isEmpty ? nil : TextDocument(bytes: text) }
    // The field may hold a conversation itself.
    if let text = try ConversationRecord(bytes, place: "\(place)").text(field: field, chatFormat) {
      return text.isEmpty ? nil : TextDocument(bytes: text, isConversation: true)
    }
    switch found {
    case .other(let type):
      throw TextDataError.noTextInField(place: "\(place)", field: field, type: type)
    case .nothing(let names): throw missing(names, place)
    case .text: return nil
    }
  }

  /// The text that an element of a JSON array is itself.
  func text(
    ofString bytes: UnsafeRawBufferPointer, _ place: RecordPlace
  ) throws(TextDataError) -> TextDocument? {
    let text = try reading(place) { () throws(TokenizerError) in
      var reader = JSONReader(bytes, path: place.path, form: .python)
      try reader.readString()
      let text = reader.text
      try reader.atEnd()
      return text
    }
    return text.isEmpty ? nil : TextDocument(bytes: text)
  }

  /// Which of a table's columns make a row's text: those that `text(ofRow:_:)` is given.
  func columns(among names: [String], path: String) throws(TextDataError) -> [Int] {
    if let index = names.firstIndex(of: field) { return [index] }
    guard let wanted = Conversation.fields(among: names) else {
      throw missing(names, RecordPlace(path: path, unit: .table, number: 0))
    }
    return names.indices.filter { wanted.contains(names[$0]) }
  }

  /// The text of a row of a table.
  ///
  /// - Parameter cells: of `columns(among:path:)`, in that order, and the names of those.
  /// - Returns: nil where it is empty or null.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  func text(
    ofRow cells: [Cell], _ names: [String], _ place: RecordPlace
  ) throws -> TextDocument? {
    guard cells.allSatisfy(\.isUTF8) else { throw TextDataError.invalidUTF8Row(place: "\(place)") }
    if names == [field] {
      switch cells[0] {
      case .null: return nil
      case .text(let text): return text.isEmpty ? nil : TextDocument(bytes: text)
      case .texts(let lines):
        let text = RecordText.joined(lines)
        return text.isEmpty ? nil : TextDocument(bytes: text)
      case .records: break
      }
    }
    let record = ConversationRecord(cells, names, place: "\(place)")
    guard let text = try record.text(field: field, chatFormat) else {
      throw TextDataError.noTextInField(
        place: "\(place)", field: names[0], type: "a list of structures that is no conversation")
    }
    return text.isEmpty ? nil : TextDocument(bytes: text, isConversation: true)
  }

  /// One text of several: a list of strings are its lines.
  static func joined(_ lines: [[UInt8]]) -> [UInt8] {
    Array(lines.joined(separator: CollectionOfOne(UInt8(ascii: "\n"))))
  }

  private static let namedFieldLimit = 30

  private enum Found {
    case text([UInt8])
    /// Of a type that is no text.
    case other(String)
    /// The field is not there; those that are.
    case nothing([String])
  }

  private func found(_ reader: inout JSONReader) throws(TokenizerError) -> Found {
    switch try reader.next() {
    case UInt8(ascii: "\""):
      try reader.readString()
      return .text(reader.text)
    case UInt8(ascii: "["):
      var lines: [[UInt8]] = []
      var isText = true
      try reader.array { reader throws(TokenizerError) in
        guard try reader.next() == UInt8(ascii: "\"") else {
          if case .null = try reader.value() { return }
          isText = false
          return
        }
        try reader.readString()
        lines.append(reader.text)
      }
      return isText
        ? .text(RecordText.joined(lines)) : .other("a list of other things than strings")
    default:
      switch try reader.value() {
      case .null: return .text([])
      case .object: return .other("an object")
      case .bool: return .other("true or false")
      default: return .other("a number")
      }
    }
  }

  private func reading<Read>(
    _ place: RecordPlace, _ body: () throws(TokenizerError) -> Read
  ) throws(TextDataError) -> Read {
    do {
      return try body()
    } catch {
      var position = 0
      if case .malformedJSON(_, let offset) = error { position = offset }
      throw .notJSON(place: "\(place)", isLine: place.unit == .line, offset: position)
    }
  }

  private func missing(_ names: [String], _ place: RecordPlace) -> TextDataError {
    return .missingField(
      place: "\(place)", isTable: place.unit == .table, field: field,
      available: names.prefix(RecordText.namedFieldLimit).map { PlainText.line($0, limit: 60) })
  }
}

/// Where a record is, for errors.
struct RecordPlace: CustomStringConvertible {
  enum Unit: String {
    case line
    case row
    case record
    /// All of them.
    case table
  }

  let path: String
  let unit: Unit
  /// From 1.
  let number: Int

  var description: String { unit == .table ? path : "\(path), \(unit.rawValue) \(number)" }
}
