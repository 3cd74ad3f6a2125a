internal import Columns
internal import FlapCore
internal import Tokenizer

/// Which text a record makes, whatever file it comes from: the one place that knows.
struct RecordText {
  /// The key, or the column, of the text.
  let field: String
  private let key: [UInt8]

  init(field: String) {
    self.field = field
    key = Array(field.utf8)
  }

  /// The text of a JSON object.
  ///
  /// - Returns: nil where it is empty or null.
  func text(
    ofObject bytes: UnsafeRawBufferPointer, _ place: RecordPlace
  ) throws(TextDataError) -> [UInt8]? {
    try reading(place) { () throws(TokenizerError) in
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
  }

  /// The text that an element of a JSON array is itself.
  func text(
    ofString bytes: UnsafeRawBufferPointer, _ place: RecordPlace
  ) throws(TextDataError) -> [UInt8]? {
    try reading(place) { () throws(TokenizerError) in
      var reader = JSONReader(bytes, path: place.path, form: .python)
      try reader.readString()
      let text = reader.text
      try reader.atEnd()
      return .text(text)
    }
  }

  /// Which of a table's columns make a row's text: those that `text(ofRow:_:)` is given.
  func columns(among names: [String], path: String) throws(TextDataError) -> [Int] {
    guard let index = names.firstIndex(of: field) else {
      throw missing(names, RecordPlace(path: path, unit: .table, number: 0))
    }
    return [index]
  }

  /// The text of a row of a table.
  ///
  /// - Parameter cells: of `columns(among:path:)`, in that order.
  /// - Returns: nil where it is empty or null.
  func text(ofRow cells: [Cell], _ place: RecordPlace) throws(TextDataError) -> [UInt8]? {
    let text: [UInt8]
    switch cells[0] {
    case .null: return nil
    case .text(let bytes): text = bytes
    case .texts(let lines): text = RecordText.joined(lines)
    case .records:
      throw .noTextInField(place: "\(place)", field: field, type: "a list of structures")
    }
    guard text.withUnsafeBytes({ UTF8Validation.firstInvalidOffset(in: $0) }) == nil else {
      throw .invalidUTF8Row(place: "\(place)")
    }
    return text.isEmpty ? nil : text
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

  private func reading(
    _ place: RecordPlace, _ body: () throws(TokenizerError) -> Found
  ) throws(TextDataError) -> [UInt8]? {
    let found: Found
    do {
      found = try body()
    } catch {
      var position = 0
      if case .malformedJSON(_, let offset) = error { position = offset }
      throw .notJSON(place: "\(place)", isLine: place.unit == .line, offset: position)
    }
    switch found {
    case .text(let text): return text.isEmpty ? nil : text
    case .other(let type):
      throw .noTextInField(place: "\(place)", field: field, type: type)
    case .nothing(let names): throw missing(names, place)
    }
  }

  /// The fields of records of conversations, which a chat template makes a text of.
  private static let conversations = ["messages", "conversations", "conversation"]

  private func missing(_ names: [String], _ place: RecordPlace) -> TextDataError {
    if let name = names.first(where: { RecordText.conversations.contains($0) }) {
      return .conversation(place: "\(place)", field: name)
    }
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
