/// Reads tokens into statements (`jinja2.parser`).
struct Parser {
  private let tokens: [Token]
  private var position = 0
  var names = NameTable()
  /// Loops around the statement being read, within its macro.
  var loopCount = 0
  private var nesting = 0

  /// - Parameter tokens: with `end` as the last.
  init(_ tokens: [Token]) { self.tokens = tokens }

  mutating func template() throws(ChatTemplateError) -> [Statement] {
    try statements(until: [])
  }

  // MARK: - The stream

  var current: Token { tokens[position] }
  var following: Token { tokens[min(position + 1, tokens.count - 1)] }
  var line: Int { current.line }

  mutating func advance() {
    if position + 1 < tokens.count { position += 1 }
  }

  func failure(_ what: String) -> ChatTemplateError { ChatTemplateError(.syntax(what), line: line) }

  var unexpected: ChatTemplateError { failure("unexpected \(current)") }

  func isName(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func takeName(_ name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func take(_ sign: Token.Sign) -> Bool {
    guard current.kind == .sign(sign) else { return false }
    advance()
    return true
  }

  mutating func expect(_ sign: Token.Sign) throws(ChatTemplateError) {
    guard take(sign) else { throw failure("\(sign.rawValue) expected, not \(current)") }
  }

  mutating func expect(_ kind: Token.Kind) throws(ChatTemplateError) {
    guard current.kind == kind else {
      throw failure("\(Token(kind: kind, line: 0)) expected, not \(current)")
    }
    advance()
  }

  mutating func expectName() throws(ChatTemplateError) -> String {
    guard case .name(let name) = current.kind else {
      throw failure("a name expected, not \(current)")
    }
    advance()
    return name
  }

  /// Bounds the recursion of the reader.
  mutating func nested<Result>(
    _ read: (inout Parser) throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= TemplateLimits.nesting else { throw ChatTemplateError(.tooDeep, line: line) }
    return try read(&self)
  }

  func make(_ kind: Expression.Kind, line: Int) throws(ChatTemplateError) -> Expression {
    let expression = Expression(kind, line: line)
    guard expression.depth <= TemplateLimits.treeDepth else {
      throw ChatTemplateError(.tooDeep, line: line)
    }
    return expression
  }
}
