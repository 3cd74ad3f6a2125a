/// The token that stands before a continuation without a context: the tokenizer's beginning of text,
/// where it has none its end (`HFLM.prefix_token_id` of lm-evaluation-harness).
public struct PrefixToken: Hashable, Sendable {
  public let id: Int32
  /// A text that begins with it gets no other beginning.
  public let text: String

  public init(id: Int32, text: String) {
    self.id = id
    self.text = text
  }
}
