/// Renders one conversation: walks the tree of a template.
struct Renderer {
  let template: ChatTemplate
  var output: [UInt8] = []
  /// Of the template's top, by the number of the name.
  private var top: [Value?]
  /// Those within it, innermost last; macros hold on to those around them.
  private var scopes: [Scope] = []
  private var scope = -1
  /// So many of `scopes` are kept, since a macro sees them.
  private var heldScopeCount = 0
  var macros: [MacroInstance] = []
  var namespaces: [Table] = []
  var iterators: [[Value]] = []
  var loops: [LoopState] = []
  var loopCount = 0
  private var depth = 0
  private var workLeft: Int

  private struct Scope {
    let parent: Int
    var variables: [(name: NameTable.ID, value: Value)] = []
  }

  struct MacroInstance {
    let macro: Macro
    /// Where it stands.
    let scope: Int
  }

  init(
    _ template: ChatTemplate, _ variables: [(name: String, value: TemplateValue)]
  ) throws(ChatTemplateError) {
    self.template = template
    top = Array(repeating: nil, count: template.names.texts.count)
    for function in GlobalFunction.allCases {
      if let id = template.names.existingID(of: function.rawValue) { top[id] = .function(function) }
    }
    var weight = 0
    for (name, value) in variables {
      guard let id = template.names.existingID(of: name) else { continue }
      let value = Value(value)
      let extent = value.extent
      guard extent.depth <= TemplateLimits.valueDepth else {
        throw ChatTemplateError(.tooDeep, line: 1)
      }
      weight += extent.weight
      top[id] = value
    }
    workLeft = TemplateLimits.work + weight * TemplateLimits.workPerInput
  }

  mutating func render() throws(ChatTemplateError) -> [UInt8] {
    _ = try execute(template.body)
    return output
  }

  // MARK: - Bounds

  mutating func charge(_ units: Int, _ line: Int) throws(ChatTemplateError) {
    let (left, overflows) = workLeft.subtractingReportingOverflow(units)
    workLeft = left
    guard !overflows, left >= 0 else { throw ChatTemplateError(.tooMuchWork, line: line) }
  }

  /// Counts a node, and its place in the recursion; ``leave()`` follows.
  mutating func enter(_ line: Int) throws(ChatTemplateError) {
    try charge(1, line)
    guard depth < TemplateLimits.callDepth else { throw ChatTemplateError(.tooDeep, line: line) }
    depth += 1
  }

  mutating func leave() { depth -= 1 }

  /// A list or text that was made, if it is not too large.
  mutating func made(_ value: Value, _ line: Int) throws(ChatTemplateError) -> Value {
    switch value {
    case .string(let text): try charge(text.count / 16, line)
    case .list(let list):
      try charge(list.elements.count, line)
      try check(list.extent, line)
    case .dictionary(let table):
      try charge(table.keys.count, line)
      try check(table.extent, line)
    default: break
    }
    return value
  }

  private func check(_ extent: Extent, _ line: Int) throws(ChatTemplateError) {
    guard extent.depth <= TemplateLimits.valueDepth else {
      throw ChatTemplateError(.tooDeep, line: line)
    }
  }

  mutating func write(_ text: [UInt8], _ line: Int) throws(ChatTemplateError) {
    try charge(text.count / 16, line)
    guard output.count + text.count <= TemplateLimits.outputBytes else {
      throw ChatTemplateError(.tooLarge("output", TemplateLimits.outputBytes), line: line)
    }
    output += text
  }

  // MARK: - Variables

  func variable(_ name: NameTable.ID) -> Value {
    var index = scope
    while index >= 0 {
      if let found = scopes[index].variables.last(where: { $0.name == name }) { return found.value }
      index = scopes[index].parent
    }
    return top[name] ?? .undefined(.name(template.names.texts[name]))
  }

  mutating func assign(_ value: Value, to name: NameTable.ID) {
    guard scope >= 0 else {
      top[name] = value
      return
    }
    if let index = scopes[scope].variables.lastIndex(where: { $0.name == name }) {
      scopes[scope].variables[index].value = value
    } else {
      scopes[scope].variables.append((name, value))
    }
  }

  /// Runs in a scope of its own, whose variables end with it.
  ///
  /// - Parameter parent: what it sees besides; nil: where this is.
  mutating func scoped<Result>(
    within parent: Int? = nil, _ run: (inout Renderer) throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    let outer = scope
    scopes.append(Scope(parent: parent ?? scope))
    scope = scopes.count - 1
    defer {
      if scope == scopes.count - 1, scopes.count > heldScopeCount { scopes.removeLast() }
      scope = outer
    }
    return try run(&self)
  }

  mutating func define(_ macro: Macro) -> Value {
    macros.append(MacroInstance(macro: macro, scope: scope))
    heldScopeCount = scopes.count
    return .macro(macros.count - 1)
  }

  /// What is written meanwhile.
  mutating func captured(
    _ run: (inout Renderer) throws(ChatTemplateError) -> Void
  ) throws(ChatTemplateError) -> [UInt8] {
    let outer = output
    output = []
    defer { output = outer }
    try run(&self)
    return output
  }
}

extension Value {
  init(_ value: TemplateValue) {
    switch value {
    case .null: self = .none
    case .bool(let flag): self = .bool(flag)
    case .integer(let number): self = .int(number)
    case .number(let number): self = .double(number)
    case .text(let text): self = .string(text)
    case .list(let elements): self = .list(elements.map(Value.init))
    case .object(let members):
      self = .dictionary(
        Table(zip(members.keys, members.values).map { (.string($0), Value($1)) }))
    }
  }
}
