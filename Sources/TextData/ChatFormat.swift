internal import ChatTemplate
public import SystemPackage

/// How a model writes conversations as text: its chat template, and the special tokens that it names.
///
/// Whether they can be read shows with the first conversation: who has none needs no template.
public struct ChatFormat: Sendable {
  struct Contents: Sendable {
    let path: String
    let template: ChatTemplate
    /// For conversations with tools, where the model has one of its own.
    let toolTemplate: ChatTemplate?
    /// `bos_token` and the like.
    let tokens: [(name: String, value: TemplateValue)]
  }

  private let contents: Result<Contents, any Error>

  /// Reads the template as transformers does: `chat_template.jinja` and
  /// `additional_chat_templates/`, or else `chat_template` of `tokenizer_config.json` or
  /// `chat_template.json`.
  ///
  /// - Parameters:
  ///   - folder: of a Hugging Face checkpoint.
  ///   - template: a file with another template.
  public init(folder: FilePath, template: FilePath? = nil) {
    contents = Result { try ChatFormatFiles(folder: folder).contents(template) }
  }

  private init(failing error: TextDataError) { contents = .failure(error) }

  /// A SentencePiece model sees text where special tokens stand.
  static let withoutTokenizerJSON = ChatFormat(
    failing: .conversationWithoutTokenizerJSON(place: ""))

  /// The text of a conversation, with all special tokens in it, as
  /// `apply_chat_template(…, tokenize=False)` gives it.
  ///
  /// - Parameter place: of the record, for errors.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  func text(of conversation: Conversation, place: String) throws -> [UInt8] {
    let contents: Contents
    do {
      contents = try self.contents.get()
    } catch let error as TextDataError {
      throw error.placed(place)
    }
    let hasTools = conversation.tools != .null
    let template = hasTools ? contents.toolTemplate ?? contents.template : contents.template
    let variables: [(name: String, value: TemplateValue)] =
      contents.tokens + [
        ("messages", .list(conversation.messages)), ("tools", conversation.tools),
        ("documents", .null), ("add_generation_prompt", .bool(false)),
      ]
    do {
      return try template.render(variables)
    } catch {
      throw error.isRaised
        ? TextDataError.refusedConversation(place: place, message: error.oneLine)
        : TextDataError.failedTemplate(path: contents.path, place: place, reason: error.oneLine)
    }
  }
}

extension TextDataError {
  /// One that shows with the first conversation tells where that is.
  fileprivate func placed(_ place: String) -> TextDataError {
    switch self {
    case .noChatTemplate(_, let folder): .noChatTemplate(place: place, folder: folder)
    case .conversationWithoutTokenizerJSON: .conversationWithoutTokenizerJSON(place: place)
    default: self
    }
  }
}

extension ChatTemplateError {
  /// Templates are free to say several lines.
  var oneLine: String {
    description.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
