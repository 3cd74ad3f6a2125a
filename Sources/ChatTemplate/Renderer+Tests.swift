/// What stands behind `is`.
extension Renderer {
  mutating func test(
    _ value: Value, _ name: TestName, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    guard case .known(let known) = name else {
      guard case .unknown(let name) = name else { return false }
      throw unsupported("the test \(name)", line)
    }
    if let comparison = known.comparison {
      let other = try arguments.bound(to: ["other"], required: 1, of: known.rawValue, line)[0]!
      return try compare(comparison, value, other, line)
    }
    switch known {
    case .divisibleby:
      let divisor = try arguments.bound(to: ["num"], required: 1, of: known.rawValue, line)[0]!
      return try isDivisible(value, divisor, line)
    case .sameas:
      let other = try arguments.bound(to: ["other"], required: 1, of: known.rawValue, line)[0]!
      return try isSame(value, other, line)
    default:
      _ = try arguments.bound(to: [], of: "the test \(known.rawValue)", line)
      return try test(value, known, line)
    }
  }

  private mutating func test(
    _ value: Value, _ known: TestName.Known, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch known {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .none: return value.isNone
    case .boolean: if case .bool = value { return true }
    case .true: if case .bool(true) = value { return true }
    case .false: if case .bool(false) = value { return true }
    case .integer: if case .int = value { return true }
    case .float: if case .double = value { return true }
    case .number: return value.number != nil
    case .string: if case .string = value { return true }
    case .mapping: if case .dictionary = value { return true }
    case .sequence: return value.isSequence
    case .iterable: return value.isIterable
    case .callable:
      switch value {
      case .undefined, .function, .macro, .method, .loop: return true
      default: return false
      }
    case .even: return try isDivisible(value, .int(2), line)
    // A fraction is neither.
    case .odd: return try arithmetic(.modulo, value, .int(2), line) == .int(1)
    case .lower, .upper:
      return PythonText.isCased(try text(of: value, line), upper: known == .upper)
    case .filter, .test:
      guard case .string(let text) = value else { return false }
      let name = String(decoding: text, as: UTF8.self)
      return known == .filter
        ? FilterName.Known(rawValue: name) != nil : TestName.Known(rawValue: name) != nil
    default: break
    }
    return false
  }

  private mutating func isDivisible(
    _ value: Value, _ divisor: Value, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    try arithmetic(.modulo, value, divisor, line) == .int(0)
  }

  /// Python's `is`, where it is certain.
  private func isSame(
    _ left: Value, _ right: Value, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch (left, right) {
    case (.none, _), (_, .none): return left.isNone && right.isNone
    case (.bool(let left), .bool(let right)): return left == right
    case (.bool, _), (_, .bool): return false
    default: throw unsupported("sameas of other values than true, false and none", line)
    }
  }
}

extension TestName.Known {
  fileprivate var comparison: Expression.Comparison? {
    switch self {
    case .eq, .equalto, .equalSign: .equal
    case .ne, .notEqualSign: .notEqual
    case .lt, .lessthan, .lessSign: .less
    case .le, .lessOrEqualSign: .lessOrEqual
    case .gt, .greaterthan, .greaterSign: .greater
    case .ge, .greaterOrEqualSign: .greaterOrEqual
    case .in: .contained
    default: nil
    }
  }
}

extension Value {
  /// Whether it has a length and items (`sequence`).
  fileprivate var isSequence: Bool {
    switch self {
    case .undefined, .string, .dictionary: true
    case .list(let list): list.kind != .view
    default: false
    }
  }

  fileprivate var isIterable: Bool {
    switch self {
    case .undefined, .string, .list, .dictionary, .iterator, .loop: true
    default: false
    }
  }
}
