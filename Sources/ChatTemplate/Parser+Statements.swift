extension Parser {
  /// Reads until one of some tags, whose name stays the current token.
  ///
  /// - Parameter ends: none: until the end of the template.
  mutating func statements(until ends: [String]) throws(ChatTemplateError) -> [Statement] {
    var body: [Statement] = []
    while true {
      let line = line
      switch current.kind {
      case .data(let text):
        body.append(Statement(kind: .data(text), line: line))
        advance()
      case .variableBegin:
        advance()
        let value = try tuple()
        body.append(Statement(kind: .output(value), line: line))
        try expect(.variableEnd)
      case .blockBegin:
        advance()
        if case .name(let name) = current.kind, ends.contains(name) { return body }
        body.append(
          try nested { parser throws(ChatTemplateError) in
            try parser.statement()
          })
        try expect(.blockEnd)
      case .end:
        guard ends.isEmpty else {
          throw failure("it ends before {% \(ends.joined(separator: " %} or {% ")) %}")
        }
        return body
      default: throw unexpected
      }
    }
  }

  /// The statements of a block from the end of its tag to its end, which is taken.
  private mutating func body(until ends: String...) throws(ChatTemplateError) -> [Statement] {
    // A colon is allowed, as Python has it.
    _ = take(.colon)
    try expect(.blockEnd)
    return try statements(until: ends)
  }

  private mutating func statement() throws(ChatTemplateError) -> Statement {
    let line = line
    let name = try expectName()
    let kind: Statement.Kind
    switch name {
    case "if": kind = try condition()
    case "for": kind = try loop()
    case "set": kind = try assignment()
    case "macro": kind = .macro(try macro())
    case "call": kind = try callBlock(line: line)
    case "filter": kind = try filterBlock(line: line)
    case "with": kind = try withBlock()
    case "generation":
      kind = .generation(try functionBody(until: "endgeneration"))
    case "break", "continue":
      guard loopCount > 0 else { throw failure("\(name) outside a loop") }
      kind = name == "break" ? .breakLoop : .continueLoop
    case "include", "import", "from", "extends", "block", "autoescape", "print", "do", "trans",
      "debug":
      throw ChatTemplateError(.unsupported("{% \(name) %}"), line: line)
    default: throw ChatTemplateError(.syntax("there is no tag \(name)"), line: line)
    }
    return Statement(kind: kind, line: line)
  }

  private mutating func closedBody(until end: String) throws(ChatTemplateError) -> [Statement] {
    let statements = try body(until: end)
    advance()
    return statements
  }

  /// A body that is rendered as a function of its own: a loop around it is not its.
  private mutating func functionBody(until end: String) throws(ChatTemplateError) -> [Statement] {
    let outer = loopCount
    defer { loopCount = outer }
    loopCount = 0
    return try closedBody(until: end)
  }

  private mutating func condition() throws(ChatTemplateError) -> Statement.Kind {
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(allowsConditional: false)
      branches.append((test, try body(until: "elif", "else", "endif")))
      let end = try expectName()
      if end == "endif" { return .condition(branches, otherwise: []) }
      if end == "else" {
        return .condition(branches, otherwise: try closedBody(until: "endif"))
      }
    }
  }

  private mutating func loop() throws(ChatTemplateError) -> Statement.Kind {
    let target = try target(isLoop: true)
    guard takeName("in") else { throw failure("in expected, not \(current)") }
    let sequence = try tuple(allowsConditional: false, end: "recursive")
    let filter = takeName("if") ? try expression() : nil
    if isName("recursive") {
      throw ChatTemplateError(.unsupported("a recursive loop"), line: line)
    }
    loopCount += 1
    let statements = try body(until: "endfor", "else")
    loopCount -= 1
    var otherwise: [Statement] = []
    if try expectName() == "else" { otherwise = try closedBody(until: "endfor") }
    return .loop(
      Statement.Loop(
        target: target, sequence: sequence, filter: filter, body: statements, otherwise: otherwise))
  }

  private mutating func assignment() throws(ChatTemplateError) -> Statement.Kind {
    let target = try target(isLoop: false)
    if take(.assign) { return .assignment(target, try tuple()) }
    let filter = current.kind == .sign(.pipe) ? try filters(of: nil) : nil
    return .blockAssignment(target, filter: filter, body: try closedBody(until: "endset"))
  }

  /// Names, maybe in parentheses, or attributes of namespaces.
  private mutating func target(isLoop: Bool) throws(ChatTemplateError) -> Target {
    var targets: [Target] = []
    var isTuple = false
    while !(isLoop && isName("in")), targets.isEmpty || isTuple {
      if case .sign(.assign) = current.kind { break }
      if case .blockEnd = current.kind { break }
      targets.append(try simpleTarget(isLoop: isLoop))
      guard take(.comma) else { break }
      isTuple = true
    }
    guard let first = targets.first else { throw unexpected }
    return isTuple ? .tuple(targets) : first
  }

  private mutating func simpleTarget(isLoop: Bool) throws(ChatTemplateError) -> Target {
    if take(.leftParenthesis) {
      let inner = try nested { parser throws(ChatTemplateError) in
        try parser.target(isLoop: isLoop)
      }
      try expect(.rightParenthesis)
      return inner
    }
    let name = try expectName()
    guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
      throw failure("nothing can be assigned to \(name)")
    }
    if isLoop, name == "loop" { throw failure("loop is the name of the loop itself") }
    guard !isLoop, take(.dot) else { return .name(names.id(of: name)) }
    return .member(names.id(of: name), try expectName())
  }

  private mutating func signature() throws(ChatTemplateError) -> [Macro.Parameter] {
    var parameters: [Macro.Parameter] = []
    try expect(.leftParenthesis)
    while current.kind != .sign(.rightParenthesis) {
      if !parameters.isEmpty { try expect(.comma) }
      let name = try expectName()
      let usual = take(.assign) ? try expression() : nil
      if usual == nil, parameters.last?.usual != nil {
        throw failure("a parameter without a default after one with it")
      }
      parameters.append(
        Macro.Parameter(name: names.id(of: name), text: name, usual: usual))
    }
    try expect(.rightParenthesis)
    return parameters
  }

  private mutating func macro() throws(ChatTemplateError) -> Macro {
    let name = try expectName()
    // The macro is a variable.
    _ = names.id(of: name)
    let parameters = try signature()
    return Macro(
      name: name, parameters: parameters, body: try functionBody(until: "endmacro"))
  }

  private mutating func callBlock(line: Int) throws(ChatTemplateError) -> Statement.Kind {
    let parameters = current.kind == .sign(.leftParenthesis) ? try signature() : []
    let call = try expression()
    guard case .call = call.kind else {
      throw ChatTemplateError(.syntax("a call expected"), line: line)
    }
    _ = names.id(of: "caller")
    let body = try functionBody(until: "endcall")
    return .call(Macro(name: "caller", parameters: parameters, body: body), call)
  }

  private mutating func filterBlock(line: Int) throws(ChatTemplateError) -> Statement.Kind {
    let filter = try filters(of: nil, isPipeTaken: true)
    return .filtered(filter, body: try closedBody(until: "endfilter"))
  }

  private mutating func withBlock() throws(ChatTemplateError) -> Statement.Kind {
    var assignments: [(Target, Expression)] = []
    while current.kind != .blockEnd, current.kind != .sign(.colon) {
      if !assignments.isEmpty { try expect(.comma) }
      let name = try expectName()
      try expect(.assign)
      assignments.append((.name(names.id(of: name)), try expression()))
    }
    return .with(assignments, body: try closedBody(until: "endwith"))
  }
}
