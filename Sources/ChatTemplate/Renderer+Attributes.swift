/// What stands behind a dot: a method of Python's type first, else an item of that name.
extension Renderer {
  mutating func attribute(
    _ attribute: Expression.Attribute, of value: Value, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let name = attribute.name
    switch value {
    case .undefined(let undefined): throw failed("\(undefined)", line)
    case .dictionary(let table):
      if Methods.ofDictionary.contains(name) { return .method(of: value, name) }
      if Methods.changing.contains(name) { return .undefined(.forbidden(name)) }
      if let found = table[attribute.key] { return found }
    case .string:
      if Methods.ofString.contains(name) { return .method(of: value, name) }
    case .list(let list):
      switch list.kind {
      case .list, .tuple, .range:
        if name == "index" || name == "count" { return .method(of: value, name) }
        if list.kind == .list {
          if name == "copy" { return .method(of: value, name) }
          if Methods.changing.contains(name) { return .undefined(.forbidden(name)) }
        }
      case .view: break
      }
    case .namespace(let index):
      if let found = namespaces[index][attribute.key] { return found }
    case .loop(let id):
      if let found = try loopAttribute(name, id, line) { return found }
    case .macro(let index) where name == "name": return .text(macros[index].macro.name)
    case .bool, .int, .double:
      if ["real", "imag", "numerator", "denominator", "is_integer"].contains(name) {
        throw unsupported("\(name) of a number", line)
      }
    default: break
    }
    return .undefined(.member(name, of: value.typeName))
  }

  private func loopAttribute(
    _ name: String, _ id: Int, _ line: Int
  ) throws(ChatTemplateError) -> Value? {
    guard let loop = loops.last(where: { $0.id == id }) else {
      throw failed("a loop that is over", line)
    }
    let (index, count) = (loop.index, loop.items.count)
    switch name {
    case "index": return .int(index + 1)
    case "index0": return .int(index)
    case "revindex": return .int(count - index)
    case "revindex0": return .int(count - index - 1)
    case "first": return .bool(index == 0)
    case "last": return .bool(index == count - 1)
    case "length": return .int(count)
    case "depth": return .int(1)
    case "depth0": return .int(0)
    case "previtem": return index > 0 ? loop.items[index - 1] : .undefined(.element)
    case "nextitem": return index + 1 < count ? loop.items[index + 1] : .undefined(.element)
    case "cycle": return .method(of: .loop(id), name)
    case "changed": throw unsupported("loop.changed", line)
    default: return nil
    }
  }
}

/// Names of methods.
enum Methods {
  static let ofDictionary: Set<String> = ["get", "items", "keys", "values", "copy"]
  /// Those that Jinja's immutable sandbox forbids.
  static let changing: Set<String> = [
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
    "sort", "update",
  ]
  static let ofString: Set<String> = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find",
    "format", "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit",
    "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join",
    "ljust", "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
  ]
}
