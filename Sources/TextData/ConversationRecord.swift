internal import ChatTemplate
internal import Columns
internal import Tokenizer

/// A record that may be a conversation, and where it stands.
struct ConversationRecord {
  private let value: Result<TemplateValue, TokenizerError>
  let place: String

  /// - Parameter bytes: a JSON object.
  init(_ bytes: UnsafeRawBufferPointer, place: String) {
    self.place = place
    value = Result { () throws(TokenizerError) in
      var reader = JSONReader(bytes, path: place, form: .python)
      return try TemplateValue(&reader)
    }
  }

  /// - Parameters:
  ///   - cells: of a row of a table, all of them UTF-8.
  ///   - names: of their columns.
  init(_ cells: [Cell], _ names: [String], place: String) {
    self.place = place
    var members = TemplateValue.Members()
    for (cell, name) in zip(cells, names) {
      members.set(TemplateValue(cell), for: Array(name.utf8))
    }
    value = .success(.object(members))
  }

  /// - Parameter field: where the user says that the text is.
  /// - Returns: nil: it is none; empty: it has no messages.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  func text(field: String, _ format: ChatFormat?) throws -> [UInt8]? {
    let members: TemplateValue.Members?
    switch value {
    case .success(let value): members = value.members
    case .failure:
      throw TextDataError.brokenConversation(
        place: place, reason: "it holds a number beyond 64 bits or is nested too deeply")
    }
    guard let members else { return nil }
    let conversation: Conversation
    do {
      guard let found = try Conversation(members, field: field) else { return nil }
      conversation = found
    } catch {
      throw TextDataError.brokenConversation(place: place, reason: error.reason)
    }
    guard !conversation.messages.isEmpty else { return [] }
    guard let format else {
      throw TextDataError.noChatTemplate(place: place, folder: "the model")
    }
    return try format.text(of: conversation, place: place)
  }
}

extension TemplateValue {
  /// Of structures those fields that are there, in the order of their names.
  fileprivate init(_ cell: Cell) {
    switch cell {
    case .null: self = .null
    case .text(let text): self = .text(text)
    case .texts(let texts): self = .list(texts.map { .text($0) })
    case .records(let records):
      self = .list(
        records.map { record in
          var members = Members()
          for (name, text) in record.sorted(by: { $0.key < $1.key }) {
            members.set(.text(text), for: Array(name.utf8))
          }
          return .object(members)
        })
    }
  }
}

extension Cell {
  /// Whether all texts are that they hold.
  var isUTF8: Bool {
    func isValid(_ text: [UInt8]) -> Bool {
      text.withUnsafeBytes { UTF8Validation.firstInvalidOffset(in: $0) } == nil
    }
    return switch self {
    case .null: true
    case .text(let text): isValid(text)
    case .texts(let texts): texts.allSatisfy(isValid)
    case .records(let records): records.allSatisfy { $0.values.allSatisfy(isValid) }
    }
  }
}
