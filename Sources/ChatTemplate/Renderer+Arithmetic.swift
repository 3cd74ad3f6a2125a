/// Operators between two values.
extension Renderer {
  mutating func arithmetic(
    _ operation: Expression.Arithmetic, _ left: Value, _ right: Value, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)):
      return try made(.string(left + right), line)
    case (.add, .list(let left), .list(let right)):
      guard left.kind == right.kind, left.kind == .list || left.kind == .tuple else { break }
      return try made(.list(List(left.elements + right.elements, left.kind)), line)
    case (.multiply, .string(let text), let count) where count.integer != nil:
      return .string(try repeated(text, count.integer!, weight: 16, line))
    case (.multiply, let count, .string(let text)) where count.integer != nil:
      return .string(try repeated(text, count.integer!, weight: 16, line))
    case (.multiply, .list(let list), let count), (.multiply, let count, .list(let list)):
      guard list.kind == .list || list.kind == .tuple, let count = count.integer else { break }
      let elements = try repeated(list.elements, count, weight: 1, line)
      return try made(.list(List(elements, list.kind)), line)
    case (.modulo, .string, _): throw unsupported("% behind a text", line)
    default: break
    }
    if let left = left.integer, let right = right.integer {
      return try arithmetic(operation, left, right, line)
    }
    guard let first = left.number, let second = right.number else {
      for case .undefined(let undefined) in [left, right] { throw failed("\(undefined)", line) }
      throw failed(
        "a \(left.typeName) and a \(right.typeName) have no such operation", line)
    }
    return .double(try arithmetic(operation, first, second, line))
  }

  /// - Parameter weight: elements that count as one unit of work.
  private mutating func repeated<Element>(
    _ elements: [Element], _ count: Int, weight: Int, _ line: Int
  ) throws(ChatTemplateError) -> [Element] {
    guard count > 0, !elements.isEmpty else { return [] }
    let (total, overflows) = elements.count.multipliedReportingOverflow(by: count)
    try charge(overflows ? .max : total / weight, line)
    return Array(repeatElement(elements, count: count).joined())
  }

  private func arithmetic(
    _ operation: Expression.Arithmetic, _ left: Int, _ right: Int, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    var result: (partialValue: Int, overflow: Bool) = (0, true)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .power where right >= 0:
      result = (1, false)
      // A power of 0, 1 and -1 never overflows.
      let exponent = left.magnitude > 1 ? right : left == -1 ? right % 2 : min(right, 1)
      for _ in 0..<exponent where !result.overflow {
        result = result.partialValue.multipliedReportingOverflow(by: left)
        if result.overflow { break }
      }
    case .divide, .power:
      return .double(try arithmetic(operation, Double(left), Double(right), line))
    case .floorDivide, .modulo:
      guard right != 0 else { throw failed("division by zero", line) }
      let value =
        operation == .modulo
        ? PythonNumber.modulo(left, right) : PythonNumber.floorDivide(left, right)
      if let value { result = (value, false) }
    }
    guard !result.overflow else { throw unsupported("a number beyond 64 bits", line) }
    return .int(result.partialValue)
  }

  private func arithmetic(
    _ operation: Expression.Arithmetic, _ left: Double, _ right: Double, _ line: Int
  ) throws(ChatTemplateError) -> Double {
    switch operation {
    case .add: return left + right
    case .subtract: return left - right
    case .multiply: return left * right
    case .power: throw unsupported("a power of fractions", line)
    case .divide, .floorDivide, .modulo:
      guard right != 0 else { throw failed("division by zero", line) }
      if operation == .divide { return left / right }
      let rest = PythonNumber.modulo(left, right)
      return operation == .modulo ? rest : ((left - rest) / right).rounded()
    }
  }

  mutating func compare(
    _ first: Expression, _ rest: [(operation: Expression.Comparison, operand: Expression)],
    _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    var left = try evaluate(first)
    for (operation, operand) in rest {
      let right = try evaluate(operand)
      guard try compare(operation, left, right, line) else { return false }
      left = right
    }
    return true
  }

  mutating func compare(
    _ operation: Expression.Comparison, _ left: Value, _ right: Value, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    try charge(min(left.extent.weight, right.extent.weight), line)
    switch operation {
    case .equal: return left == right
    case .notEqual: return left != right
    case .contained: return try contains(right, left, line)
    case .notContained: return try !contains(right, left, line)
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      for case .undefined(let undefined) in [left, right] { throw failed("\(undefined)", line) }
      guard let order = Value.order(left, right) else {
        if left.number?.isNaN == true || right.number?.isNaN == true { return false }
        throw failed("a \(left.typeName) and a \(right.typeName) have no order", line)
      }
      switch operation {
      case .less: return order < 0
      case .lessOrEqual: return order <= 0
      case .greater: return order > 0
      default: return order >= 0
      }
    }
  }

  private mutating func contains(
    _ container: Value, _ element: Value, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch container {
    case .string(let text):
      guard case .string(let wanted) = element else {
        throw failed("a \(element.typeName) is in no text", line)
      }
      try chargeSearch(text, wanted, line)
      return PythonText.find(wanted, in: text) != nil
    case .dictionary(let table):
      try charge(element.extent.weight, line)
      guard element.isHashable else { throw failed("a \(element.typeName) is no key", line) }
      return table[element] != nil
    default:
      let elements = try elements(of: container, line)
      let weight = element.extent.weight
      let (work, overflows) = weight.multipliedReportingOverflow(by: elements.count)
      try charge(min(overflows ? .max : work, container.extent.weight), line)
      return elements.contains(element)
    }
  }
}
