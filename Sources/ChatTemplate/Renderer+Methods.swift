/// Methods of dictionaries, lists and loops.
extension Renderer {
  mutating func call(
    _ name: String, of receiver: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    switch receiver {
    case .string(let text): return try call(name, of: text, arguments, line)
    case .dictionary(let table): return try call(name, of: table, arguments, line)
    case .list(let list):
      if name == "copy" { return receiver }
      let value = try arguments.bound(to: ["value"], required: 1, of: name, line)[0]!
      try charge(min(list.extent.weight, value.extent.weight * list.elements.count), line)
      if name == "count" { return .int(list.elements.count { $0 == value }) }
      guard let place = list.elements.firstIndex(of: value) else {
        throw failed("index: there is no such element", line)
      }
      return .int(place)
    case .loop(let id):
      guard let loop = loops.last(where: { $0.id == id }), !arguments.positional.isEmpty else {
        throw failed("nothing to cycle through", line)
      }
      return arguments.positional[loop.index % arguments.positional.count]
    default: throw failed("a \(receiver.typeName) has no method \(name)", line)
    }
  }

  private mutating func call(
    _ name: String, of table: Table, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard name == "get" else {
      _ = try arguments.bound(to: [], of: name, line)
      switch name {
      case "items": return try made(.list(List(table.items, .view)), line)
      case "keys": return try made(.list(List(table.keys, .view)), line)
      case "values": return try made(.list(List(table.values, .view)), line)
      default: return .dictionary(table)
      }
    }
    guard arguments.named.isEmpty else { throw failed("get takes no names", line) }
    let values = try arguments.bound(to: ["key", "default"], required: 1, of: name, line)
    try charge(values[0]!.extent.weight, line)
    guard values[0]!.isHashable else { throw failed("a \(values[0]!.typeName) is no key", line) }
    return table[values[0]!] ?? values[1] ?? .none
  }
}
