/// What stands behind a pipe.
extension Renderer {
  mutating func filtered(
    _ value: Value, _ name: FilterName, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard case .known(let known) = name else {
      guard case .unknown(let name) = name else { return value }
      throw unsupported("the filter \(name)", line)
    }
    switch known {
    case .trim, .upper, .lower, .title, .capitalize, .replace, .indent, .string, .safe, .join:
      return try textFilter(value, known, arguments, line)
    case .map, .select, .reject, .selectattr, .rejectattr, .sort, .dictsort, .unique, .min, .max,
      .sum, .first, .last, .list, .reverse, .items:
      return try listFilter(value, known, arguments, line)
    case .tojson: return try json(of: value, arguments, line)
    case .length, .count:
      _ = try arguments.bound(to: [], of: known.rawValue, line)
      return .int(try count(of: value, line))
    case .default, .d:
      let values = try arguments.bound(
        to: ["default_value", "boolean"], of: known.rawValue, line)
      let isMissing = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
      return isMissing ? values[0] ?? .string([]) : value
    case .attr:
      let name = try arguments.bound(to: ["name"], required: 1, of: known.rawValue, line)[0]!
      if case .dictionary = value { return .undefined(.element) }
      let text = String(decoding: try string(name, line), as: UTF8.self)
      return try attribute(.init(text), of: value, line)
    case .abs, .int, .float, .round: return try numberFilter(value, known, arguments, line)
    }
  }

  mutating func count(of value: Value, _ line: Int) throws(ChatTemplateError) -> Int {
    switch value {
    case .undefined: return 0
    case .string(let text):
      try charge(text.count / 16, line)
      return PythonText.scalarCount(text[...])
    case .list(let list): return list.elements.count
    case .dictionary(let table): return table.keys.count
    case .loop(let id): return loops.last { $0.id == id }?.items.count ?? 0
    default: throw failed("a \(value.typeName) has no length", line)
    }
  }

  private mutating func textFilter(
    _ value: Value, _ filter: FilterName.Known, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let name = filter.rawValue
    switch filter {
    case .join:
      let values = try arguments.bound(to: ["d", "attribute"], of: name, line)
      let separator =
        try values[0].map { value throws(ChatTemplateError) in
          try text(of: value, line)
        } ?? []
      var result: [UInt8] = []
      for (index, element) in try elements(of: value, line).enumerated() {
        if index > 0 { result += separator }
        let part =
          if let path = values[1], !path.isNone {
            try member(path, of: element, line)
          } else {
            element
          }
        result += try text(of: part, line)
        try charge(separator.count / 16, line)
      }
      return try made(.string(result), line)
    case .safe, .string:
      _ = try arguments.bound(to: [], of: name, line)
      return .string(try text(of: value, line))
    case .replace:
      let values = try arguments.bound(to: ["old", "new", "count"], required: 2, of: name, line)
      let limit = values[2].flatMap { $0.isNone ? nil : $0 }
      return try replacing(
        try text(of: value, line), try text(of: values[0]!, line), try text(of: values[1]!, line),
        try integer(limit, else: -1, line), line)
    case .trim:
      let values = try arguments.bound(to: ["chars"], of: name, line)
      return .string(try trimmed(try text(of: value, line), values[0], line))
    case .indent: return try indented(value, arguments, line)
    default:
      _ = try arguments.bound(to: [], of: name, line)
      let text = try text(of: value, line)
      try charge(text.count / 16, line)
      switch filter {
      case .upper: return .string(PythonText.uppercased(text))
      case .lower: return .string(PythonText.lowercased(text))
      case .title: return .string(PythonText.filterTitled(text))
      case .capitalize: return .string(PythonText.capitalized(text))
      default: throw unsupported("the filter \(name)", line)
      }
    }
  }

  private mutating func indented(
    _ value: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(to: ["width", "first", "blank"], of: "indent", line)
    var margin = Array("    ".utf8)
    if case .string(let text)? = values[0] {
      margin = text
    } else {
      let width = try integer(values[0], else: 4, line)
      try charge(max(0, width) / 16, line)
      margin = Array(repeating: UInt8(ascii: " "), count: max(0, width))
    }
    let lines = PythonText.lines(try string(value, line) + [UInt8(ascii: "\n")])
    var result: [UInt8] = []
    for (index, text) in lines.enumerated() {
      if index > 0 { result.append(UInt8(ascii: "\n")) }
      let isIndented =
        index == 0 ? values[1]?.isTrue ?? false : !text.isEmpty || values[2]?.isTrue ?? false
      if isIndented { result += margin }
      result += text
      try charge(1 + margin.count / 16, line)
    }
    return try made(.string(result), line)
  }

  private mutating func json(
    of value: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(
      to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson", line)
    try charge(value.extent.weight, line)
    var margin: [UInt8]?
    if let indent = values[1], !indent.isNone {
      if case .string(let text) = indent {
        margin = text
      } else {
        let width = min(max(0, try integer(indent, else: 0, line)), 64)
        margin = Array(repeating: UInt8(ascii: " "), count: width)
      }
    }
    var writer = JSONText(indentation: margin)
    writer.escapesNonASCII = values[0]?.isTrue ?? false
    writer.sortsKeys = values[3]?.isTrue ?? false
    if let separators = values[2], !separators.isNone {
      let texts = try elements(of: separators, line)
      guard texts.count == 2 else { throw failed("two separators expected", line) }
      writer.itemSeparator = try string(texts[0], line)
      writer.keySeparator = try string(texts[1], line)
    }
    do {
      try writer.append(value)
    } catch {
      if case .undefined(let undefined) = value { throw failed("\(undefined)", line) }
      throw failed("there is no JSON of \(error.what)", line)
    }
    return try made(.string(writer.bytes), line)
  }

  private mutating func numberFilter(
    _ value: Value, _ filter: FilterName.Known, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let name = filter.rawValue
    if case .undefined(let undefined) = value { throw failed("\(undefined)", line) }
    switch filter {
    case .abs:
      _ = try arguments.bound(to: [], of: name, line)
      if let number = value.integer, number != .min { return .int(abs(number)) }
      guard case .double(let number) = value else { throw noNumber(value, line) }
      return .double(number.magnitude)
    case .int:
      let values = try arguments.bound(to: ["default", "base"], of: name, line)
      guard values[1] == nil || values[1]?.integer == 10 else {
        throw unsupported("another base than 10", line)
      }
      if let number = value.integer { return .int(number) }
      let number = value.number ?? PythonNumber.parsed(value)
      if case .string = value, let exact = PythonNumber.parsedInteger(value) { return .int(exact) }
      guard let number, number.isFinite else { return values[0] ?? .int(0) }
      guard let whole = Int(exactly: number.rounded(.towardZero)) else {
        throw unsupported("a number beyond 64 bits", line)
      }
      return .int(whole)
    case .float:
      let values = try arguments.bound(to: ["default"], of: name, line)
      guard let number = value.number ?? PythonNumber.parsed(value) else {
        return values[0] ?? .double(0)
      }
      return .double(number)
    default:
      let values = try arguments.bound(to: ["precision", "method"], of: name, line)
      guard let number = value.number else { throw noNumber(value, line) }
      guard try integer(values[0], else: 0, line) == 0 else {
        throw unsupported("rounding to decimals", line)
      }
      let method =
        try values[1].map { value throws(ChatTemplateError) in
          try string(value, line)
        } ?? Array("common".utf8)
      switch String(decoding: method, as: UTF8.self) {
      case "common":
        return value.integer.map(Value.int) ?? .double(number.rounded(.toNearestOrEven))
      case "ceil": return .double(number.rounded(.up))
      case "floor": return .double(number.rounded(.down))
      default: throw failed("round knows common, ceil and floor", line)
      }
    }
  }
}

extension PythonNumber {
  /// `float(text)`.
  static func parsed(_ value: Value) -> Double? {
    guard case .string(let text) = value else { return nil }
    let trimmed = PythonText.trimmed(text[...])
    guard trimmed.allSatisfy({ Lexer.isDigit($0) || "+-.eE".utf8.contains($0) }) else { return nil }
    return Double(String(decoding: trimmed, as: UTF8.self))
  }

  /// `int(text)`.
  static func parsedInteger(_ value: Value) -> Int? {
    guard case .string(let text) = value else { return nil }
    return Int(String(decoding: PythonText.trimmed(text[...]), as: UTF8.self))
  }
}
