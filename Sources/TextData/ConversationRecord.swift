internal import ChatTemplate
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
