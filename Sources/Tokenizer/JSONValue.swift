/// A small JSON value; large tables are streamed with ``JSONReader`` instead.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members[key]
  }

  var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  package var bool: Bool? {
    guard case .bool(let flag) = self else { return nil }
    return flag
  }

  var array: [JSONValue]? {
    guard case .array(let elements) = self else { return nil }
    return elements
  }

  var object: [String: JSONValue]? {
    guard case .object(let members) = self else { return nil }
    return members
  }

  /// A token id.
  var id: Int32? {
    guard case .number(let number) = self, let id = Int32(exactly: number), id >= 0 else {
      return nil
    }
    return id
  }

  /// What to call it in an error: its type name as these files write it.
  var typeName: String { self["type"]?.string ?? "without a type" }
}
