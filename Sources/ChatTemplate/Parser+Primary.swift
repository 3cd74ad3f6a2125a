extension Parser {
  mutating func primary() throws(ChatTemplateError) -> Expression {
    let line = line
    switch current.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return try make(.constant(.bool(true)), line: line)
      case "false", "False": return try make(.constant(.bool(false)), line: line)
      case "none", "None": return try make(.constant(.none), line: line)
      default: return try make(.name(names.id(of: name)), line: line)
      }
    case .string(var text):
      advance()
      // Strings side by side are one.
      while case .string(let more) = current.kind {
        text += more
        advance()
      }
      return try make(.constant(.string(text)), line: line)
    case .integer(let number):
      advance()
      return try make(.constant(.int(number)), line: line)
    case .float(let number):
      advance()
      return try make(.constant(.double(number)), line: line)
    case .sign(.leftParenthesis):
      advance()
      let value = try tuple(isInParentheses: true)
      try expect(.rightParenthesis)
      return value
    case .sign(.leftBracket): return try list()
    case .sign(.leftBrace): return try dictionary()
    default: throw unexpected
    }
  }

  private mutating func list() throws(ChatTemplateError) -> Expression {
    let line = line
    try expect(.leftBracket)
    var elements: [Expression] = []
    while current.kind != .sign(.rightBracket) {
      if !elements.isEmpty { try expect(.comma) }
      if current.kind == .sign(.rightBracket) { break }
      elements.append(try expression())
    }
    try expect(.rightBracket)
    return try make(.list(elements), line: line)
  }

  private mutating func dictionary() throws(ChatTemplateError) -> Expression {
    let line = line
    try expect(.leftBrace)
    var members: [(key: Expression, value: Expression)] = []
    while current.kind != .sign(.rightBrace) {
      if !members.isEmpty { try expect(.comma) }
      if current.kind == .sign(.rightBrace) { break }
      let key = try expression()
      try expect(.colon)
      members.append((key, try expression()))
    }
    try expect(.rightBrace)
    return try make(.dictionary(members), line: line)
  }

  /// What follows an operand: `.name`, `[index]`, `(arguments)`.
  mutating func postfix(of operand: Expression) throws(ChatTemplateError) -> Expression {
    var value = operand
    while true {
      let line = line
      switch current.kind {
      case .sign(.dot):
        advance()
        switch current.kind {
        case .name(let name): value = try make(.attribute(value, .init(name)), line: line)
        case .integer(let index):
          value = try make(
            .item(value, try make(.constant(.int(index)), line: line)), line: line)
        default: throw failure("a name or number expected, not \(current)")
        }
        advance()
      case .sign(.leftBracket):
        advance()
        value = try subscripted(value, line: line)
        try expect(.rightBracket)
      case .sign(.leftParenthesis): value = try make(.call(value, try arguments()), line: line)
      default: return value
      }
    }
  }

  private mutating func subscripted(
    _ operand: Expression, line: Int
  ) throws(ChatTemplateError) -> Expression {
    var from: Expression?
    if current.kind != .sign(.colon) {
      let index = try expression()
      if current.kind == .sign(.rightBracket) { return try make(.item(operand, index), line: line) }
      if current.kind == .sign(.comma) {
        throw ChatTemplateError(.unsupported("an index of several values"), line: line)
      }
      from = index
    }
    try expect(.colon)
    func isBound(_ kind: Token.Kind) -> Bool {
      kind != .sign(.colon) && kind != .sign(.rightBracket)
    }
    let to = isBound(current.kind) ? try expression() : nil
    var step: Expression?
    if take(.colon), isBound(current.kind) { step = try expression() }
    return try make(.slice(operand, from: from, to: to, by: step), line: line)
  }

  mutating func arguments() throws(ChatTemplateError) -> ArgumentList {
    var list = ArgumentList()
    try expect(.leftParenthesis)
    var isFirst = true
    while current.kind != .sign(.rightParenthesis) {
      if !isFirst {
        try expect(.comma)
        if current.kind == .sign(.rightParenthesis) { break }
      }
      isFirst = false
      if take(.multiply) {
        guard list.spread == nil, list.namedSpread == nil else { throw unexpected }
        list.spread = try expression()
      } else if take(.power) {
        guard list.namedSpread == nil else { throw unexpected }
        list.namedSpread = try expression()
      } else if case .name(let name) = current.kind, following.kind == .sign(.assign) {
        guard list.namedSpread == nil, !list.named.contains(where: { $0.name == name }) else {
          throw unexpected
        }
        advance()
        advance()
        list.named.append((name, try expression()))
      } else {
        guard list.spread == nil, list.namedSpread == nil, list.named.isEmpty else {
          throw failure("an argument without a name after one with it")
        }
        list.positional.append(try expression())
      }
    }
    try expect(.rightParenthesis)
    return list
  }

  mutating func filtersAndTests(
    of operand: Expression
  ) throws(ChatTemplateError) -> Expression {
    var value = operand
    while true {
      let line = line
      switch current.kind {
      case .sign(.pipe): value = try filters(of: value)
      case .name("is"): value = try test(of: value)
      case .sign(.leftParenthesis): value = try make(.call(value, try arguments()), line: line)
      default: return value
      }
    }
  }

  /// `| name(arguments) | …`.
  ///
  /// - Parameter operand: nil for a block, whose text is the operand.
  mutating func filters(
    of operand: Expression?, isPipeTaken: Bool = false
  ) throws(ChatTemplateError) -> Expression {
    var value = operand
    var isPipeTaken = isPipeTaken
    while isPipeTaken || current.kind == .sign(.pipe) {
      if !isPipeTaken { advance() }
      isPipeTaken = false
      let line = line
      let name = try dottedName()
      let list =
        current.kind == .sign(.leftParenthesis) ? try arguments() : ArgumentList()
      value = try make(.filter(FilterName(name), value, list), line: line)
    }
    guard let value else { throw unexpected }
    return value
  }

  private mutating func dottedName() throws(ChatTemplateError) -> String {
    var name = try expectName()
    while take(.dot) { name += "." + (try expectName()) }
    return name
  }

  private mutating func test(of operand: Expression) throws(ChatTemplateError) -> Expression {
    let line = line
    advance()
    let isNegated = takeName("not")
    let name = try dottedName()
    var list = ArgumentList()
    switch current.kind {
    case .sign(.leftParenthesis): list = try arguments()
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw failure("tests with is cannot be chained")
    case .name, .string, .integer, .float, .sign(.leftBracket), .sign(.leftBrace):
      list.positional = [try postfix(of: try primary())]
    default: break
    }
    let value = try make(.test(TestName(name), operand, list), line: line)
    return isNegated ? try make(.not(value), line: line) : value
  }
}
