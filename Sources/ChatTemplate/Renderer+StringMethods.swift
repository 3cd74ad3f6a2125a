/// Methods of text.
extension Renderer {
  mutating func call(
    _ name: String, of text: [UInt8], _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    try charge(text.count / 16, line)
    switch name {
    case "strip", "lstrip", "rstrip":
      let values = try arguments.bound(to: ["chars"], of: name, line)
      return .string(
        try trimmed(text, values[0], atStart: name != "rstrip", atEnd: name != "lstrip", line))
    case "split", "rsplit": return try split(text, name, arguments, line)
    case "splitlines":
      let values = try arguments.bound(to: ["keepends"], of: name, line)
      let lines = PythonText.lines(text, keepsEnds: values[0]?.isTrue ?? false)
      return try made(.list(lines.map(Value.string)), line)
    case "startswith", "endswith": return try startsOrEnds(text, name, arguments, line)
    case "replace":
      let values = try arguments.bound(to: ["old", "new", "count"], required: 2, of: name, line)
      return try replacing(
        text, try string(values[0]!, line), try string(values[1]!, line),
        try integer(values[2], else: -1, line), line)
    case "removeprefix", "removesuffix":
      let values = try arguments.bound(to: ["part"], required: 1, of: name, line)
      let part = try string(values[0]!, line)
      if name == "removeprefix" {
        return .string(text.starts(with: part) ? Array(text[part.count...]) : text)
      }
      return .string(PythonText.ends(text, with: part) ? Array(text.dropLast(part.count)) : text)
    case "find", "rfind", "index", "rindex", "count":
      return try search(text, name, arguments, line)
    case "partition", "rpartition": return try partition(text, name, arguments, line)
    case "join":
      let values = try arguments.bound(to: ["iterable"], required: 1, of: name, line)
      var result: [UInt8] = []
      for (index, element) in try elements(of: values[0]!, line).enumerated() {
        if index > 0 { result += text }
        result += try string(element, line)
        try charge(text.count / 16, line)
      }
      return try made(.string(result), line)
    case "upper", "lower", "title", "capitalize", "isalpha", "isalnum", "isdigit", "isdecimal",
      "isnumeric", "isspace", "isascii", "isupper", "islower":
      _ = try arguments.bound(to: [], of: name, line)
      return PythonText.called(name, text)
    default: throw unsupported("\(name) of a text", line)
    }
  }

  func trimmed(
    _ text: [UInt8], _ characters: Value?, atStart: Bool = true, atEnd: Bool = true, _ line: Int
  ) throws(ChatTemplateError) -> [UInt8] {
    var scalars: Set<UInt32>?
    if let characters, !characters.isNone {
      scalars = Set(PythonText.scalars(try string(characters, line)))
    }
    return Array(PythonText.trimmed(text[...], of: scalars, atStart: atStart, atEnd: atEnd))
  }

  /// The work of a search, whose worst case is the product of the lengths.
  mutating func chargeSearch(
    _ text: [UInt8], _ wanted: [UInt8], _ line: Int
  ) throws(ChatTemplateError) {
    try charge((1 + text.count / 16) * (1 + wanted.count / 64), line)
  }

  mutating func replacing(
    _ text: [UInt8], _ old: [UInt8], _ new: [UInt8], _ limit: Int, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    try chargeSearch(text, old, line)
    // So long can the result be.
    try charge(new.count / 16 * (text.count / max(1, old.count) + 1) / 16, line)
    return try made(
      .string(PythonText.replacing(old, with: new, in: text, limit: limit)), line)
  }

  private mutating func split(
    _ text: [UInt8], _ name: String, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(to: ["sep", "maxsplit"], of: name, line)
    let limit = try integer(values[1], else: -1, line)
    guard let separator = values[0], !separator.isNone else {
      guard name == "split" || limit < 0 else {
        throw unsupported("rsplit without a separator", line)
      }
      return try made(
        .list(PythonText.splitWords(text, limit: limit).map(Value.string)), line)
    }
    let bytes = try string(separator, line)
    guard !bytes.isEmpty else { throw failed("an empty separator", line) }
    try chargeSearch(text, bytes, line)
    let parts =
      name == "split"
      ? PythonText.split(text, by: bytes, limit: limit)
      : PythonText.splitFromEnd(text, by: bytes, limit: limit)
    return try made(.list(parts.map(Value.string)), line)
  }

  private mutating func startsOrEnds(
    _ text: [UInt8], _ name: String, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard arguments.positional.count == 1 else {
      throw arguments.positional.isEmpty
        ? failed("\(name) is given nothing", line) : unsupported("\(name) with a place", line)
    }
    var wanted = [arguments.positional[0]]
    if case .list(let list) = wanted[0], list.kind == .tuple { wanted = list.elements }
    for value in wanted {
      let part = try string(value, line)
      try charge(part.count / 16, line)
      if name == "startswith" ? text.starts(with: part) : PythonText.ends(text, with: part) {
        return .bool(true)
      }
    }
    return .bool(false)
  }

  private mutating func search(
    _ text: [UInt8], _ name: String, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard arguments.positional.count == 1 else {
      throw arguments.positional.isEmpty
        ? failed("\(name) is given nothing", line) : unsupported("\(name) with a place", line)
    }
    let wanted = try string(arguments.positional[0], line)
    try chargeSearch(text, wanted, line)
    if name == "count" {
      let count =
        wanted.isEmpty
        ? PythonText.scalarCount(text[...]) + 1
        : PythonText.split(text, by: wanted, limit: -1).count - 1
      return .int(count)
    }
    let isFirst = name == "find" || name == "index"
    let place =
      isFirst ? PythonText.find(wanted, in: text) : PythonText.findLast(wanted, in: text)
    guard let place else {
      if name.hasSuffix("index") { throw failed("\(name): there is no such text", line) }
      return .int(-1)
    }
    return .int(PythonText.scalarCount(text[..<place]))
  }

  private mutating func partition(
    _ text: [UInt8], _ name: String, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(to: ["sep"], required: 1, of: name, line)
    let separator = try string(values[0]!, line)
    guard !separator.isEmpty else { throw failed("an empty separator", line) }
    try chargeSearch(text, separator, line)
    let isFirst = name == "partition"
    let place =
      isFirst ? PythonText.find(separator, in: text) : PythonText.findLast(separator, in: text)
    guard let place else {
      let empty = Value.string([])
      return .tuple(isFirst ? [.string(text), empty, empty] : [empty, empty, .string(text)])
    }
    return .tuple([
      .string(Array(text[..<place])), .string(separator),
      .string(Array(text[(place + separator.count)...])),
    ])
  }
}

extension PythonText {
  static func ends(_ text: [UInt8], with part: [UInt8]) -> Bool {
    text.count >= part.count && text[(text.count - part.count)...].elementsEqual(part)
  }

  static func findLast(_ wanted: [UInt8], in text: [UInt8]) -> Int? {
    find(wanted.reversed(), in: text.reversed()).map { text.count - $0 - wanted.count }
  }

  /// Methods without arguments.
  static func called(_ name: String, _ text: [UInt8]) -> Value {
    func all(_ holds: (Unicode.Scalar) -> Bool) -> Value {
      .bool(!text.isEmpty && String(decoding: text, as: UTF8.self).unicodeScalars.allSatisfy(holds))
    }
    switch name {
    case "upper": return .string(uppercased(text))
    case "lower": return .string(lowercased(text))
    case "title": return .string(titled(text))
    case "capitalize": return .string(capitalized(text))
    case "isalpha": return all(isLetter)
    case "isalnum": return all { isLetter($0) || $0.properties.numericType != nil }
    case "isdigit":
      return all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
    case "isdecimal": return all { $0.properties.numericType == .decimal }
    case "isnumeric": return all { $0.properties.numericType != nil }
    case "isspace": return all { isWhitespace($0.value) }
    case "isascii": return .bool(text.allSatisfy { $0 < 0x80 })
    case "isupper": return .bool(isCased(text, upper: true))
    default: return .bool(isCased(text, upper: false))
    }
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
