extension Parser {
  /// An expression, or several with commas between, which are a tuple.
  ///
  /// - Parameters:
  ///   - allowsConditional: whether `a if b else c` is read.
  ///   - end: a name that ends it.
  ///   - isInParentheses: whether it may be empty.
  mutating func tuple(
    allowsConditional: Bool = true, end: String? = nil, isInParentheses: Bool = false
  ) throws(ChatTemplateError) -> Expression {
    let line = line
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if !elements.isEmpty { try expect(.comma) }
      if isTupleEnd(end) { break }
      elements.append(allowsConditional ? try expression() : try nestedOr())
      guard current.kind == .sign(.comma) else { break }
      isTuple = true
    }
    if !isTuple {
      if let first = elements.first { return first }
      guard isInParentheses else { throw failure("an expression expected, not \(current)") }
    }
    return try make(.tuple(elements), line: line)
  }

  private func isTupleEnd(_ end: String?) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .sign(.rightParenthesis), .end: true
    case .name(let name): name == end
    default: false
    }
  }

  private mutating func nestedOr() throws(ChatTemplateError) -> Expression {
    try nested { parser throws(ChatTemplateError) in try parser.or() }
  }

  mutating func expression() throws(ChatTemplateError) -> Expression {
    try nested { parser throws(ChatTemplateError) in try parser.conditional() }
  }

  private mutating func conditional() throws(ChatTemplateError) -> Expression {
    var line = line
    var value = try or()
    while takeName("if") {
      let test = try or()
      let other = takeName("else") ? try expression() : nil
      value = try make(.conditional(test: test, value, else: other), line: line)
      line = self.line
    }
    return value
  }

  private mutating func or() throws(ChatTemplateError) -> Expression {
    let line = line
    var left = try and()
    while takeName("or") { left = try make(.or(left, try and()), line: line) }
    return left
  }

  private mutating func and() throws(ChatTemplateError) -> Expression {
    let line = line
    var left = try not()
    while takeName("and") { left = try make(.and(left, try not()), line: line) }
    return left
  }

  private mutating func not() throws(ChatTemplateError) -> Expression {
    let line = line
    guard takeName("not") else { return try comparison() }
    let operand = try nested { parser throws(ChatTemplateError) in try parser.not() }
    return try make(.not(operand), line: line)
  }

  private mutating func comparison() throws(ChatTemplateError) -> Expression {
    let line = line
    let first = try sum()
    var rest: [(operation: Expression.Comparison, operand: Expression)] = []
    while let operation = takeComparison() { rest.append((operation, try sum())) }
    return rest.isEmpty ? first : try make(.comparison(first, rest), line: line)
  }

  private mutating func takeComparison() -> Expression.Comparison? {
    let operation: Expression.Comparison
    switch current.kind {
    case .sign(.equal): operation = .equal
    case .sign(.notEqual): operation = .notEqual
    case .sign(.less): operation = .less
    case .sign(.lessOrEqual): operation = .lessOrEqual
    case .sign(.greater): operation = .greater
    case .sign(.greaterOrEqual): operation = .greaterOrEqual
    case .name("in"): operation = .contained
    case .name("not") where following.kind == .name("in"):
      operation = .notContained
      advance()
    default: return nil
    }
    advance()
    return operation
  }

  private mutating func sum() throws(ChatTemplateError) -> Expression {
    let line = line
    var left = try concatenation()
    while true {
      if take(.add) {
        left = try make(.arithmetic(.add, left, try concatenation()), line: line)
      } else if take(.subtract) {
        left = try make(.arithmetic(.subtract, left, try concatenation()), line: line)
      } else {
        return left
      }
    }
  }

  private mutating func concatenation() throws(ChatTemplateError) -> Expression {
    let line = line
    var parts = [try product()]
    while take(.tilde) { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try make(.concatenation(parts), line: line)
  }

  private mutating func product() throws(ChatTemplateError) -> Expression {
    let line = line
    var left = try power()
    while true {
      let operation: Expression.Arithmetic
      switch current.kind {
      case .sign(.multiply): operation = .multiply
      case .sign(.divide): operation = .divide
      case .sign(.floorDivide): operation = .floorDivide
      case .sign(.modulo): operation = .modulo
      default: return left
      }
      advance()
      left = try make(.arithmetic(operation, left, try power()), line: line)
    }
  }

  /// Other than in Python, the left one comes first.
  private mutating func power() throws(ChatTemplateError) -> Expression {
    let line = line
    var left = try unary(takesFilters: true)
    while take(.power) {
      left = try make(.arithmetic(.power, left, try unary(takesFilters: true)), line: line)
    }
    return left
  }

  private mutating func unary(takesFilters: Bool) throws(ChatTemplateError) -> Expression {
    let line = line
    var value: Expression
    if take(.subtract) {
      let operand = try nested { parser throws(ChatTemplateError) in
        try parser.unary(takesFilters: false)
      }
      value = try make(.negated(operand), line: line)
    } else if take(.add) {
      let operand = try nested { parser throws(ChatTemplateError) in
        try parser.unary(takesFilters: false)
      }
      value = try make(.positive(operand), line: line)
    } else {
      value = try primary()
    }
    value = try postfix(of: value)
    return takesFilters ? try filtersAndTests(of: value) : value
  }
}
