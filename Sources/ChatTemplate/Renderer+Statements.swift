/// Statements.
extension Renderer {
  enum Flow { case onward, breakLoop, continueLoop }

  /// Where a `for` is.
  struct LoopState {
    let id: Int
    let items: [Value]
    var index = 0
  }

  mutating func execute(_ statements: [Statement]) throws(ChatTemplateError) -> Flow {
    for statement in statements {
      let flow = try execute(statement)
      guard flow == .onward else { return flow }
    }
    return .onward
  }

  private mutating func execute(_ statement: Statement) throws(ChatTemplateError) -> Flow {
    let line = statement.line
    try enter(line)
    defer { leave() }
    switch statement.kind {
    case .data(let text): try write(text, line)
    case .output(let expression):
      let value = try evaluate(expression)
      try write(try text(of: value, line), line)
    case .condition(let branches, let otherwise):
      for branch in branches where try evaluate(branch.test).isTrue {
        return try execute(branch.body)
      }
      return try execute(otherwise)
    case .loop(let loop): return try execute(loop, line)
    case .assignment(let target, let expression):
      try assign(try evaluate(expression), to: target, line)
    case .macro(let macro):
      let instance = define(macro)
      if let id = template.names.existingID(of: macro.name) { assign(instance, to: id) }
    case .blockAssignment, .call, .filtered, .with, .generation:
      return try executeBlock(statement)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .onward
  }

  private mutating func executeBlock(_ statement: Statement) throws(ChatTemplateError) -> Flow {
    let line = statement.line
    switch statement.kind {
    case .blockAssignment(let target, let filter, let body):
      let (text, flow) = try rendered(body)
      guard flow == .onward else { return flow }
      let value =
        try filter.map { filter throws(ChatTemplateError) in
          try apply(filter, to: .string(text))
        } ?? .string(text)
      try assign(value, to: target, line)
    case .filtered(let filter, let body):
      let (text, flow) = try rendered(body)
      guard flow == .onward else { return flow }
      let value = try apply(filter, to: .string(text))
      try write(try self.text(of: value, line), line)
    case .call(let block, let call):
      let caller = define(block)
      let value = try evaluate(call, caller: caller)
      try write(try text(of: value, line), line)
    case .with(let assignments, let body):
      var values: [(Target, Value)] = []
      for (target, expression) in assignments { values.append((target, try evaluate(expression))) }
      return try scoped { renderer throws(ChatTemplateError) in
        for (target, value) in values { try renderer.assign(value, to: target, line) }
        return try renderer.execute(body)
      }
    case .generation(let body): try write(try rendered(body).text, line)
    default: break
    }
    return .onward
  }

  /// A body as text, in a scope of its own; the text of one that leaves its loop is lost.
  private mutating func rendered(
    _ body: [Statement]
  ) throws(ChatTemplateError) -> (text: [UInt8], flow: Flow) {
    var flow = Flow.onward
    let text = try captured { renderer throws(ChatTemplateError) in
      flow = try renderer.scoped { renderer throws(ChatTemplateError) in
        try renderer.execute(body)
      }
    }
    return (text, flow)
  }

  mutating func assign(
    _ value: Value, to target: Target, _ line: Int
  ) throws(ChatTemplateError) {
    switch target {
    case .name(let name): assign(value, to: name)
    case .tuple(let targets):
      let values = try elements(of: value, line)
      guard values.count == targets.count else {
        throw ChatTemplateError(
          .failed("\(values.count) values for \(targets.count) names"), line: line)
      }
      for (target, value) in zip(targets, values) { try assign(value, to: target, line) }
    case .member(let name, let member):
      guard case .namespace(let index) = variable(name) else {
        throw ChatTemplateError(
          .failed("\(template.names.texts[name]) is no namespace: nothing can be set in it"),
          line: line)
      }
      namespaces[index][.text(member)] = value
    }
  }

  private mutating func execute(
    _ loop: Statement.Loop, _ line: Int
  ) throws(ChatTemplateError) -> Flow {
    var items = try elements(of: try evaluate(loop.sequence), line)
    if let filter = loop.filter {
      var kept: [Value] = []
      for item in items {
        let isKept = try scoped { renderer throws(ChatTemplateError) in
          try renderer.assign(item, to: loop.target, line)
          return try renderer.evaluate(filter).isTrue
        }
        if isKept { kept.append(item) }
      }
      items = kept
    }
    loopCount += 1
    let state = LoopState(id: loopCount, items: items)
    let name = template.names.existingID(of: "loop")
    loops.append(state)
    defer { loops.removeLast() }
    // As in Jinja, whose else also follows where every round was cut short.
    var hasFinished = false
    iteration: for (index, item) in items.enumerated() {
      try charge(1, line)
      loops[loops.count - 1].index = index
      let flow = try scoped { renderer throws(ChatTemplateError) in
        if let name { renderer.assign(.loop(state.id), to: name) }
        try renderer.assign(item, to: loop.target, line)
        return try renderer.execute(loop.body)
      }
      if flow == .breakLoop { break iteration }
      if flow == .onward { hasFinished = true }
    }
    guard !hasFinished else { return .onward }
    return try scoped { renderer throws(ChatTemplateError) in
      try renderer.execute(loop.otherwise)
    }
  }
}
