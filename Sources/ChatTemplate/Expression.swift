/// An expression of a template, with the depth of its tree, which is bounded: reading, evaluating and
/// freeing it recur.
final class Expression: Sendable {
  indirect enum Kind: Sendable {
    case constant(Value)
    case name(NameTable.ID)
    case list([Expression])
    case tuple([Expression])
    case dictionary([(key: Expression, value: Expression)])
    case attribute(Expression, Attribute)
    case item(Expression, Expression)
    case slice(Expression, from: Expression?, to: Expression?, by: Expression?)
    case call(Expression, ArgumentList)
    /// Without an operand: of a block.
    case filter(FilterName, Expression?, ArgumentList)
    case test(TestName, Expression, ArgumentList)
    case not(Expression)
    case negated(Expression)
    case positive(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case arithmetic(Arithmetic, Expression, Expression)
    case concatenation([Expression])
    case comparison(Expression, [(operation: Comparison, operand: Expression)])
    case conditional(test: Expression, Expression, else: Expression?)
  }

  enum Arithmetic: Sendable { case add, subtract, multiply, divide, floorDivide, modulo, power }

  enum Comparison: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contained, notContained
  }

  struct Attribute: Sendable {
    let name: String
    /// The name as a key.
    let key: Value

    init(_ name: String) {
      self.name = name
      key = .text(name)
    }
  }

  let kind: Kind
  let line: Int
  let depth: Int

  init(_ kind: Kind, line: Int) {
    self.kind = kind
    self.line = line
    depth = 1 + (kind.children.lazy.map(\.depth).max() ?? 0)
  }
}

/// What stands in the parentheses of a call.
struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// `*list` and `**dictionary`.
  var spread: Expression?
  var namedSpread: Expression?

  var expressions: [Expression] {
    positional + named.map(\.value) + [spread, namedSpread].compactMap { $0 }
  }
}

extension Expression.Kind {
  fileprivate var children: [Expression] {
    switch self {
    case .constant, .name: []
    case .list(let elements), .tuple(let elements), .concatenation(let elements): elements
    case .dictionary(let members): members.flatMap { [$0.key, $0.value] }
    case .attribute(let operand, _), .not(let operand), .negated(let operand),
      .positive(let operand):
      [operand]
    case .item(let operand, let index): [operand, index]
    case .slice(let operand, let from, let to, let step):
      [operand, from, to, step].compactMap { $0 }
    case .call(let callee, let arguments): [callee] + arguments.expressions
    case .filter(_, let operand, let arguments):
      [operand].compactMap { $0 } + arguments.expressions
    case .test(_, let operand, let arguments): [operand] + arguments.expressions
    case .and(let left, let right), .or(let left, let right), .arithmetic(_, let left, let right):
      [left, right]
    case .comparison(let first, let rest): [first] + rest.map(\.operand)
    case .conditional(let test, let value, let other): [test, value, other].compactMap { $0 }
    }
  }
}
