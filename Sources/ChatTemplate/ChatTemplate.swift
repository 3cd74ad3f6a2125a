/// A chat template: the text of Jinja that a model's authors ship, which turns the messages of a
/// conversation into the one text that the model was trained on.
///
/// It understands what `apply_chat_template` of transformers understands (Jinja 3.1 in its immutable
/// sandbox with `trim_blocks`, `lstrip_blocks` and loop controls, `tojson`, `raise_exception`,
/// `{% generation %}`), as far as chat templates use it, and renders the same bytes. What it does not
/// know is refused by name and line. Templates come from strangers: their work, output and nesting
/// are bounded (``TemplateLimits``).
///
/// Two things differ on purpose. `strftime_now` gives a fixed date, so that results are the same on
/// every day (``TemplateDate``). And `safe` does nothing: no text is ever escaped for HTML.
public struct ChatTemplate: Sendable {
  let body: [Statement]
  let names: NameTable

  /// - Parameter source: valid UTF-8.
  /// - Throws: ``ChatTemplateError``.
  public init(_ source: [UInt8]) throws(ChatTemplateError) {
    guard source.count <= TemplateLimits.sourceBytes else {
      throw ChatTemplateError(.tooLarge("source", TemplateLimits.sourceBytes), line: 1)
    }
    var parser = Parser(try Lexer.tokens(of: source))
    body = try parser.template()
    names = parser.names
  }

  /// The text of a conversation.
  ///
  /// - Parameter variables: what the template can name, such as `messages`, `tools`, `bos_token`.
  /// - Returns: UTF-8.
  /// - Throws: ``ChatTemplateError``.
  public func render(
    _ variables: [(name: String, value: TemplateValue)]
  ) throws(ChatTemplateError) -> [UInt8] {
    var renderer = try Renderer(self, variables)
    return try renderer.render()
  }
}

/// Bounds on what a template may be and do.
public enum TemplateLimits {
  public static let sourceBytes = 1 << 20
  public static let outputBytes = 1 << 28
  /// Nodes visited; 16 bytes of text that is made count as one. Beside it, what is rendered may take
  /// ``workPerInput`` for each of its own units.
  static let work = 10_000_000
  static let workPerInput = 64
  /// Of expressions and blocks in the source.
  static let nesting = 64
  /// Of the tree that is made of them: chains of operators are deep, too.
  static let treeDepth = 200
  /// Of evaluation, through macros that call macros.
  static let callDepth = 400
  /// Of lists in lists.
  static let valueDepth = 100
  /// As in Jinja's sandbox.
  static let rangeCount = 100_000
}
