/// A value while a template is rendered: Python's, as far as templates see it.
///
/// What has an identity (namespaces, iterators, macros, loops) is a number in the ``Renderer``: so
/// no value holds itself.
enum Value: Sendable {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  /// Valid UTF-8.
  case string([UInt8])
  case list(List)
  case dictionary(Table)
  case namespace(Int)
  /// What can be gone through once, such as the result of the filter `map`.
  case iterator(Int)
  case macro(Int)
  case loop(Int)
  case function(GlobalFunction)
  indirect case method(of: Value, String)
}

/// What is not there, for the error that tells of it.
enum Undefined: Hashable, Sendable {
  case name(String)
  case member(String, of: String)
  /// Of `a if b` without an else.
  case branch
  case element
  case argument(String)
  /// What Jinja's sandbox forbids.
  case forbidden(String)
}

struct List: Sendable {
  enum Kind: Hashable, Sendable {
    case list
    case tuple
    case range
    /// Of a dictionary's keys, values or items.
    case view
  }

  let kind: Kind
  let elements: [Value]
  let extent: Extent

  init(_ elements: [Value], _ kind: Kind = .list) {
    self.kind = kind
    self.elements = elements
    extent = Extent(of: elements)
  }
}

/// How large a value is that holds others, as a tree: a few lists that hold one another several
/// times unfold into more than any memory.
struct Extent: Sendable {
  private(set) var depth = 1
  private(set) var weight = 1

  init(of elements: [Value]) {
    for element in elements { add(element.extent) }
  }

  mutating func add(_ element: Extent) {
    depth = max(depth, element.depth + 1)
    let (sum, overflows) = weight.addingReportingOverflow(element.weight)
    weight = overflows ? .max : sum
  }

  fileprivate init(depth: Int, weight: Int) {
    self.depth = depth
    self.weight = weight
  }
}

extension Value {
  var extent: Extent {
    switch self {
    case .string(let text): Extent(depth: 0, weight: 1 + text.count / 16)
    case .list(let list): list.extent
    case .dictionary(let table): table.extent
    case .method(let receiver, _):
      Extent(depth: receiver.extent.depth + 1, weight: receiver.extent.weight)
    default: Extent(depth: 0, weight: 1)
    }
  }

  static func text(_ text: String) -> Value { .string(Array(text.utf8)) }

  static func list(_ elements: [Value]) -> Value { .list(List(elements)) }

  static func tuple(_ elements: [Value]) -> Value { .list(List(elements, .tuple)) }

  /// Python's name of the type, for errors.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .bool: "bool"
    case .int: "int"
    case .double: "float"
    case .string: "str"
    case .list(let list):
      switch list.kind {
      case .list: "list"
      case .tuple: "tuple"
      case .range: "range"
      case .view: "a view of a dict"
      }
    case .dictionary: "dict"
    case .namespace: "namespace"
    case .iterator: "an iterator"
    case .macro: "macro"
    case .loop: "loop"
    case .function: "function"
    case .method: "method"
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  var isNone: Bool { if case .none = self { true } else { false } }

  /// Python's truth.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let flag): flag
    case .int(let number): number != 0
    case .double(let number): number != 0
    case .string(let text): !text.isEmpty
    case .list(let list): !list.elements.isEmpty
    case .dictionary(let table): !table.keys.isEmpty
    default: true
    }
  }

  /// An int, where Python takes one: a bool is one, too.
  var integer: Int? {
    switch self {
    case .bool(let flag): flag ? 1 : 0
    case .int(let number): number
    default: nil
    }
  }

  var number: Double? {
    switch self {
    case .bool(let flag): flag ? 1 : 0
    case .int(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }
}

extension Undefined: CustomStringConvertible {
  var description: String {
    switch self {
    case .name(let name): "\(name) is undefined"
    case .member(let name, let owner): "\(owner) has no \(name)"
    case .branch: "a condition without else gave no value"
    case .element: "there is no such element"
    case .argument(let name): "the parameter \(name) was not given"
    case .forbidden(let name): "\(name) changes its list or dict, which the sandbox forbids"
    }
  }
}
