/// A text as it is read.
struct TextDocument {
  /// Valid UTF-8.
  let bytes: [UInt8]
  /// Whether it is a conversation that a chat template wrote, special tokens and all: the tokenizer
  /// adds none.
  var isConversation = false
}
