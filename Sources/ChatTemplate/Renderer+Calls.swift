/// Calls of macros, functions and methods.
extension Renderer {
  /// - Parameter caller: the macro of the body of `{% call %}`.
  mutating func evaluate(
    _ call: Expression, caller: Value?
  ) throws(ChatTemplateError) -> Value {
    guard case .call(let callee, let list) = call.kind else { return .undefined(.branch) }
    let function = try evaluate(callee)
    var arguments = try evaluate(list, call.line)
    if let caller { arguments.named.append(("caller", caller)) }
    switch function {
    case .function(let function): return try self.call(function, arguments, call.line)
    case .method(let receiver, let name):
      return try self.call(name, of: receiver, arguments, call.line)
    case .macro(let index): return try self.call(macro: index, arguments, call.line)
    case .undefined(let undefined): throw failed("\(undefined), and cannot be called", call.line)
    default: throw failed("a \(function.typeName) cannot be called", call.line)
    }
  }

  private mutating func call(
    macro index: Int, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let instance = macros[index]
    let macro = instance.macro
    var arguments = arguments
    var caller: Value?
    if let place = arguments.named.firstIndex(where: { $0.name == "caller" }),
      !macro.parameters.contains(where: { $0.text == "caller" })
    {
      caller = arguments.named.remove(at: place).value
    }
    let values = try arguments.bound(
      to: macro.parameters.map(\.text), of: "the macro \(macro.name)", line)
    let callerID = template.names.existingID(of: "caller")
    let text = try captured { renderer throws(ChatTemplateError) in
      try renderer.scoped(within: instance.scope) { renderer throws(ChatTemplateError) in
        if let callerID {
          renderer.assign(caller ?? .undefined(.name("caller")), to: callerID)
        }
        for (parameter, value) in zip(macro.parameters, values) {
          let value =
            if let value {
              value
            } else if let usual = parameter.usual {
              try renderer.evaluate(usual)
            } else {
              Value.undefined(.argument(parameter.text))
            }
          renderer.assign(value, to: parameter.name)
        }
        _ = try renderer.execute(macro.body)
      }
    }
    return .string(text)
  }

  private mutating func call(
    _ function: GlobalFunction, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    switch function {
    case .range: return try range(arguments, line)
    case .dict: return try made(.dictionary(try table(of: arguments, line)), line)
    case .namespace:
      let table = try table(of: arguments, line)
      _ = try made(.dictionary(table), line)
      namespaces.append(table)
      return .namespace(namespaces.count - 1)
    case .raiseException:
      let values = try arguments.bound(to: ["message"], required: 1, of: function.rawValue, line)
      let message = try text(of: values[0]!, line)
      throw ChatTemplateError(.raised(String(decoding: message, as: UTF8.self)), line: line)
    case .strftimeNow:
      let values = try arguments.bound(to: ["format"], required: 1, of: function.rawValue, line)
      let format = try string(values[0]!, line)
      guard let text = TemplateDate.text(format) else {
        throw unsupported("the date format \(String(decoding: format, as: UTF8.self))", line)
      }
      return .string(text)
    case .lipsum, .cycler, .joiner: throw unsupported(function.rawValue, line)
    }
  }

  private mutating func table(
    of arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Table {
    var table = Table()
    guard arguments.positional.count <= 1 else { throw failed("one dict at most expected", line) }
    if let first = arguments.positional.first {
      if case .dictionary(let given) = first {
        table = given
      } else {
        for pair in try elements(of: first, line) {
          guard case .list(let pair) = pair, pair.elements.count == 2, pair.elements[0].isHashable
          else { throw failed("pairs of keys and values expected", line) }
          table[pair.elements[0]] = pair.elements[1]
        }
      }
    }
    for (name, value) in arguments.named { table[.text(name)] = value }
    return table
  }

  private mutating func range(
    _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard arguments.named.isEmpty, (1...3).contains(arguments.positional.count) else {
      throw failed("range takes one to three numbers", line)
    }
    var numbers: [Int] = []
    for value in arguments.positional { numbers.append(try integer(value, else: 0, line)) }
    let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
    let step = numbers.count == 3 ? numbers[2] : 1
    guard step != 0 else { throw failed("a range with step 0", line) }
    guard step < 0 ? start > end : start < end else { return .list(List([], .range)) }
    let (distance, overflows) = end.subtractingReportingOverflow(start)
    guard !overflows,
      (distance.magnitude - 1) / step.magnitude < UInt(TemplateLimits.rangeCount)
    else { throw failed("a range of more than \(TemplateLimits.rangeCount) numbers", line) }
    let values = stride(from: start, to: end, by: step).map(Value.int)
    return try made(.list(List(values, .range)), line)
  }
}
