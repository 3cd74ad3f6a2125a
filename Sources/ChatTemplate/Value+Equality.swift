/// Python's `==`, and the hash that goes with it.
extension Value: Hashable {
  static func == (left: Value, right: Value) -> Bool {
    switch (left, right) {
    case (.string(let left), .string(let right)): return left == right
    case (.undefined, .undefined), (.none, .none): return true
    case (.list(let left), .list(let right)):
      return left.kind == right.kind && left.elements == right.elements
    case (.dictionary(let left), .dictionary(let right)): return left == right
    case (.namespace(let left), .namespace(let right)), (.iterator(let left), .iterator(let right)),
      (.macro(let left), .macro(let right)), (.loop(let left), .loop(let right)):
      return left == right
    case (.function(let left), .function(let right)): return left == right
    case (.method(let left, let leftName), .method(let right, let rightName)):
      return leftName == rightName && left == right
    default:
      if let left = left.integer, let right = right.integer { return left == right }
      guard let left = left.number, let right = right.number else { return false }
      return left == right
    }
  }

  func hash(into hasher: inout Hasher) {
    switch self {
    case .string(let text): hasher.combine(text)
    case .list(let list): hasher.combine(list.elements)
    case .bool, .int, .double: hasher.combine(number)
    default: hasher.combine(typeName)
    }
  }

  /// Whether it can be the key of a dictionary.
  var isHashable: Bool {
    switch self {
    case .dictionary, .namespace, .iterator, .macro, .loop, .function, .method: false
    case .list(let list): list.kind == .tuple && list.elements.allSatisfy(\.isHashable)
    default: true
    }
  }
}

extension Value {
  /// Python's order of two values.
  ///
  /// - Returns: below, at or above 0; nil where it has none.
  static func order(_ left: Value, _ right: Value) -> Int? {
    switch (left, right) {
    case (.string(let left), .string(let right)):
      // The order of UTF-8 is that of scalars.
      return left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
    case (.list(let left), .list(let right)):
      guard left.kind == right.kind, left.kind == .list || left.kind == .tuple else { return nil }
      for (left, right) in zip(left.elements, right.elements) where left != right {
        return order(left, right)
      }
      return left.elements.count - right.elements.count
    default:
      if let left = left.integer, let right = right.integer {
        return left == right ? 0 : left < right ? -1 : 1
      }
      guard let left = left.number, let right = right.number, !left.isNaN, !right.isNaN else {
        return nil
      }
      return left == right ? 0 : left < right ? -1 : 1
    }
  }
}
