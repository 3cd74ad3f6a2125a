/// What a call is given.
struct Arguments {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []

  /// The values of parameters, nil for those not given.
  ///
  /// - Parameter required: so many of the first have no default.
  func bound(
    to parameters: [String], required: Int = 0, of callee: String, _ line: Int
  ) throws(ChatTemplateError) -> [Value?] {
    guard positional.count <= parameters.count else {
      throw ChatTemplateError(
        .failed("\(callee) takes \(parameters.count) arguments, not \(positional.count)"),
        line: line)
    }
    var values = positional.map(Optional.some)
    values += Array(repeating: nil, count: parameters.count - positional.count)
    for (name, value) in named {
      guard let place = parameters.firstIndex(of: name), values[place] == nil else {
        throw ChatTemplateError(.failed("\(callee) takes no further \(name)"), line: line)
      }
      values[place] = value
    }
    if let missing = values.prefix(required).firstIndex(where: { $0 == nil }) {
      throw ChatTemplateError(
        .failed("\(callee) is given no \(parameters[missing])"), line: line)
    }
    return values
  }
}

extension Renderer {
  mutating func evaluate(
    _ list: ArgumentList, _ line: Int
  ) throws(ChatTemplateError) -> Arguments {
    var arguments = Arguments()
    for expression in list.positional { arguments.positional.append(try evaluate(expression)) }
    for (name, expression) in list.named {
      arguments.named.append((name, try evaluate(expression)))
    }
    if let spread = list.spread {
      arguments.positional += try elements(of: try evaluate(spread), line)
    }
    if let spread = list.namedSpread {
      guard case .dictionary(let table) = try evaluate(spread) else {
        throw failed("a dict expected behind **", line)
      }
      try charge(table.keys.count, line)
      for (key, value) in zip(table.keys, table.values) {
        guard case .string(let name) = key else { throw failed("a text expected as name", line) }
        arguments.named.append((String(decoding: name, as: UTF8.self), value))
      }
    }
    return arguments
  }

  func integer(_ value: Value?, else usual: Int, _ line: Int) throws(ChatTemplateError) -> Int {
    guard let value else { return usual }
    guard let number = value.integer else { throw noNumber(value, line) }
    return number
  }

  func string(_ value: Value, _ line: Int) throws(ChatTemplateError) -> [UInt8] {
    guard case .string(let text) = value else {
      if case .undefined(let undefined) = value { throw failed("\(undefined)", line) }
      throw failed("a text expected, not \(value.typeName)", line)
    }
    return text
  }
}
