/// Expressions.
extension Renderer {
  mutating func evaluate(_ expression: Expression) throws(ChatTemplateError) -> Value {
    try enter(expression.line)
    defer { leave() }
    switch expression.kind {
    case .constant(let value): return value
    case .name(let name): return variable(name)
    case .attribute(let operand, let attribute):
      return try self.attribute(attribute, of: try evaluate(operand), expression.line)
    case .item(let operand, let index):
      let value = try evaluate(operand)
      return try item(of: value, at: try evaluate(index), expression.line)
    case .not(let operand): return .bool(!(try evaluate(operand).isTrue))
    case .and(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .or(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .conditional(let test, let value, let other):
      if try evaluate(test).isTrue { return try evaluate(value) }
      guard let other else { return .undefined(.branch) }
      return try evaluate(other)
    case .call: return try evaluate(expression, caller: nil)
    case .filter(let name, let operand, let arguments):
      guard let operand else { return .undefined(.branch) }
      let value = try evaluate(operand)
      return try filtered(value, name, try evaluate(arguments, expression.line), expression.line)
    case .test(let name, let operand, let arguments):
      let value = try evaluate(operand)
      return .bool(
        try test(value, name, try evaluate(arguments, expression.line), expression.line))
    case .comparison(let first, let rest):
      return .bool(try compare(first, rest, expression.line))
    default: return try evaluateOperation(expression)
    }
  }

  /// The rarer ones, apart, so that the recursion above has small frames.
  private mutating func evaluateOperation(
    _ expression: Expression
  ) throws(ChatTemplateError) -> Value {
    let line = expression.line
    switch expression.kind {
    case .list(let elements): return try made(.list(try evaluate(elements)), line)
    case .tuple(let elements): return try made(.tuple(try evaluate(elements)), line)
    case .dictionary(let members):
      var table = Table()
      for (key, value) in members {
        let key = try evaluate(key)
        guard key.isHashable else { throw failed("a \(key.typeName) cannot be a key", line) }
        table[key] = try evaluate(value)
      }
      return try made(.dictionary(table), line)
    case .slice(let operand, let from, let to, let step):
      return try slice(operand, from, to, step, line)
    case .negated(let operand):
      let value = try evaluate(operand)
      if let number = value.integer, number != .min { return .int(-number) }
      guard case .double(let number) = value else { throw noNumber(value, line) }
      return .double(-number)
    case .positive(let operand):
      let value = try evaluate(operand)
      if let number = value.integer { return .int(number) }
      guard case .double = value else { throw noNumber(value, line) }
      return value
    case .arithmetic(let operation, let left, let right):
      let left = try evaluate(left)
      return try arithmetic(operation, left, try evaluate(right), line)
    case .concatenation(let parts):
      var bytes: [UInt8] = []
      for part in parts {
        let value = try evaluate(part)
        bytes += try text(of: value, line)
      }
      return try made(.string(bytes), line)
    default: return .undefined(.branch)
    }
  }

  private mutating func evaluate(
    _ expressions: [Expression]
  ) throws(ChatTemplateError) -> [Value] {
    var values: [Value] = []
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  /// A filter of a block, or a chain of such.
  mutating func apply(
    _ filter: Expression, to value: Value
  ) throws(ChatTemplateError) -> Value {
    guard case .filter(let name, let operand, let arguments) = filter.kind else { return value }
    let value =
      try operand.map { operand throws(ChatTemplateError) in
        try apply(operand, to: value)
      } ?? value
    return try filtered(value, name, try evaluate(arguments, filter.line), filter.line)
  }

  // MARK: - Text, elements

  func failed(_ what: String, _ line: Int) -> ChatTemplateError {
    ChatTemplateError(.failed(what), line: line)
  }

  func unsupported(_ what: String, _ line: Int) -> ChatTemplateError {
    ChatTemplateError(.unsupported(what), line: line)
  }

  func noNumber(_ value: Value, _ line: Int) -> ChatTemplateError {
    if case .undefined(let undefined) = value { return failed("\(undefined)", line) }
    return failed("a \(value.typeName) is no number", line)
  }

  /// `str(value)`.
  mutating func text(of value: Value, _ line: Int) throws(ChatTemplateError) -> [UInt8] {
    if case .string(let text) = value { return text }
    try charge(value.extent.weight, line)
    var bytes: [UInt8] = []
    do {
      try value.appendText(to: &bytes)
    } catch {
      throw unsupported("the text of \(error.typeName)", line)
    }
    return bytes
  }

  /// What a loop goes through; an iterator is empty afterwards.
  mutating func elements(of value: Value, _ line: Int) throws(ChatTemplateError) -> [Value] {
    let elements: [Value]
    switch value {
    case .undefined: elements = []
    case .list(let list): elements = list.elements
    case .dictionary(let table): elements = table.keys
    case .string(let text): elements = PythonText.characters(text).map { .string(Array($0)) }
    case .iterator(let index):
      elements = iterators[index]
      iterators[index] = []
    default: throw failed("there is nothing to go through in \(value.typeName)", line)
    }
    try charge(elements.count, line)
    return elements
  }

  mutating func iterator(_ elements: [Value], _ line: Int) throws(ChatTemplateError) -> Value {
    guard case .list(let list) = try made(.list(elements), line) else { return .none }
    iterators.append(list.elements)
    return .iterator(iterators.count - 1)
  }

  // MARK: - Items

  mutating func item(
    of value: Value, at index: Value, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    switch value {
    case .undefined(let undefined): throw failed("\(undefined)", line)
    case .dictionary(let table):
      try charge(index.extent.weight, line)
      if index.isHashable, let found = table[index] { return found }
    case .list(let list) where list.kind != .view:
      if let index = index.integer {
        let place = index < 0 ? index + list.elements.count : index
        return list.elements.indices.contains(place) ? list.elements[place] : .undefined(.element)
      }
    case .string(let text):
      if let index = index.integer {
        try charge(text.count / 16, line)
        let characters = PythonText.characters(text)
        let place = index < 0 ? index + characters.count : index
        return characters.indices.contains(place)
          ? .string(Array(characters[place])) : .undefined(.element)
      }
    default: break
    }
    guard case .string(let name) = index else { return .undefined(.element) }
    let attribute = Expression.Attribute(String(decoding: name, as: UTF8.self))
    return try self.attribute(attribute, of: value, line)
  }

  private mutating func slice(
    _ operand: Expression, _ from: Expression?, _ to: Expression?, _ step: Expression?, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let value = try evaluate(operand)
    var bounds: [Int?] = []
    for bound in [from, to, step] {
      guard let bound else {
        bounds.append(nil)
        continue
      }
      let number = try evaluate(bound)
      guard number.isNone || number.integer != nil else { throw noNumber(number, line) }
      bounds.append(number.integer)
    }
    if bounds[2] == 0 { throw failed("a slice with step 0", line) }
    switch value {
    case .undefined(let undefined): throw failed("\(undefined)", line)
    case .list(let list) where list.kind != .view:
      let places = Renderer.places(list.elements.count, bounds)
      return try made(
        .list(List(places.map { list.elements[$0] }, list.kind == .tuple ? .tuple : list.kind)),
        line)
    case .string(let text):
      try charge(text.count / 16, line)
      let characters = PythonText.characters(text)
      return .string(Renderer.places(characters.count, bounds).flatMap { characters[$0] })
    default: throw unsupported("a slice of a \(value.typeName)", line)
    }
  }

  /// Python's `slice.indices`.
  ///
  /// - Parameter bounds: start, end, step.
  private static func places(_ count: Int, _ bounds: [Int?]) -> [Int] {
    let step = bounds[2] ?? 1
    func place(_ bound: Int?, else usual: Int) -> Int {
      guard let bound else { return usual }
      let (lowest, highest) = step < 0 ? (-1, count - 1) : (0, count)
      // A place beyond either end is that end.
      let place = bound < 0 ? (bound < -count ? -1 : bound + count) : bound
      return min(max(place, lowest), highest)
    }
    let start = place(bounds[0], else: step < 0 ? count - 1 : 0)
    let end = place(bounds[1], else: step < 0 ? -1 : count)
    guard count > 0, step < 0 ? start > end : start < end else { return [] }
    let clamped = max(-count - 1, min(step, count + 1))
    return Array(stride(from: start, to: end, by: clamped))
  }
}
