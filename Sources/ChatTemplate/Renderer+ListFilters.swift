/// Filters that go through something.
extension Renderer {
  mutating func listFilter(
    _ value: Value, _ filter: FilterName.Known, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let name = filter.rawValue
    switch filter {
    // What is not true, none too, has no elements for these.
    case .map: return try mapped(value.isTrue ? value : .list([]), arguments, line)
    case .select, .reject, .selectattr, .rejectattr:
      return try selected(value.isTrue ? value : .list([]), filter, arguments, line)
    case .sort: return try sorted(value, arguments, line)
    case .dictsort: return try sortedItems(value, arguments, line)
    case .unique, .min, .max: return try distinguished(value, filter, arguments, line)
    case .sum:
      let values = try arguments.bound(to: ["attribute", "start"], of: name, line)
      var sum = values[1] ?? .int(0)
      for element in try elements(of: value, line) {
        sum = try arithmetic(.add, sum, try key(of: element, values[0], line), line)
      }
      return sum
    case .first:
      _ = try arguments.bound(to: [], of: name, line)
      if case .iterator(let index) = value {
        guard !iterators[index].isEmpty else { return .undefined(.element) }
        try charge(iterators[index].count, line)
        return iterators[index].removeFirst()
      }
      return try elements(of: value, line).first ?? .undefined(.element)
    case .last:
      _ = try arguments.bound(to: [], of: name, line)
      if case .iterator = value { throw failed("an iterator has no last element", line) }
      return try elements(of: value, line).last ?? .undefined(.element)
    case .list:
      _ = try arguments.bound(to: [], of: name, line)
      return try made(.list(try elements(of: value, line)), line)
    case .reverse:
      _ = try arguments.bound(to: [], of: name, line)
      if case .string(let text) = value {
        try charge(text.count / 16, line)
        return .string(Array(PythonText.characters(text).reversed().joined()))
      }
      return try iterator(try elements(of: value, line).reversed(), line)
    default:
      _ = try arguments.bound(to: [], of: name, line)
      if value.isUndefined { return try iterator([], line) }
      guard case .dictionary(let table) = value else {
        throw failed("items of a \(value.typeName): a dict expected", line)
      }
      return try iterator(table.items, line)
    }
  }

  // MARK: - Members of elements

  /// What a path such as `function.name` or `0` leads to.
  mutating func member(
    _ path: Value, of element: Value, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    guard case .string(let text) = path else { return try item(of: element, at: path, line) }
    var value = element
    for part in PythonText.split(text, by: [UInt8(ascii: ".")], limit: -1) {
      let index =
        !part.isEmpty && part.allSatisfy(Lexer.isDigit)
        ? Int(String(decoding: part, as: UTF8.self)) : nil
      value = try item(of: value, at: index.map(Value.int) ?? .string(part), line)
    }
    return value
  }

  private mutating func key(
    of element: Value, _ path: Value?, _ line: Int, ignoringCase: Bool = false
  ) throws(ChatTemplateError) -> Value {
    var key = element
    if let path, !path.isNone { key = try member(path, of: element, line) }
    guard ignoringCase, case .string(let text) = key else { return key }
    try charge(text.count / 16, line)
    return .string(PythonText.lowercased(text))
  }

  // MARK: - map, select

  private mutating func mapped(
    _ value: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let elements = try elements(of: value, line)
    var results: [Value] = []
    if arguments.positional.isEmpty,
      let path = arguments.named.first(where: { $0.name == "attribute" })?.value
    {
      let usual = arguments.named.first { $0.name == "default" }?.value
      for element in elements {
        let value = try member(path, of: element, line)
        results.append(value.isUndefined ? usual ?? value : value)
      }
      return try iterator(results, line)
    }
    let (name, rest) = try nameAndRest(arguments, line)
    for element in elements {
      try enter(line)
      defer { leave() }
      results.append(try filtered(element, FilterName(name), rest, line))
    }
    return try iterator(results, line)
  }

  private func nameAndRest(
    _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> (String, Arguments) {
    guard let first = arguments.positional.first else {
      throw failed("the name of a filter or test expected", line)
    }
    var rest = arguments
    rest.positional.removeFirst()
    return (String(decoding: try string(first, line), as: UTF8.self), rest)
  }

  private mutating func selected(
    _ value: Value, _ filter: FilterName.Known, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    var arguments = arguments
    var path: Value?
    if filter == .selectattr || filter == .rejectattr {
      guard !arguments.positional.isEmpty else { throw failed("an attribute expected", line) }
      path = arguments.positional.removeFirst()
    }
    var testName: TestName?
    if !arguments.positional.isEmpty {
      let (name, rest) = try nameAndRest(arguments, line)
      (testName, arguments) = (TestName(name), rest)
    }
    let keepsTrue = filter == .select || filter == .selectattr
    var results: [Value] = []
    for element in try elements(of: value, line) {
      let tested =
        try path.map { path throws(ChatTemplateError) in
          try member(path, of: element, line)
        } ?? element
      let holds =
        if let testName { try test(tested, testName, arguments, line) } else { tested.isTrue }
      if holds == keepsTrue { results.append(element) }
    }
    return try iterator(results, line)
  }

  // MARK: - Order

  private mutating func sorted(
    _ value: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(
      to: ["reverse", "case_sensitive", "attribute"], of: "sort", line)
    if case .string(let path)? = values[2], path.contains(UInt8(ascii: ",")) {
      throw unsupported("an order by several attributes", line)
    }
    let elements = try elements(of: value, line)
    var keys: [Value] = []
    for element in elements {
      keys.append(
        try key(of: element, values[2], line, ignoringCase: !(values[1]?.isTrue ?? false)))
    }
    let places = try order(of: keys, isReversed: values[0]?.isTrue ?? false, line)
    return try made(.list(places.map { elements[$0] }), line)
  }

  /// The places of keys in their order, equal ones as they stood.
  private mutating func order(
    of keys: [Value], isReversed: Bool, _ line: Int
  ) throws(ChatTemplateError) -> [Int] {
    let areTexts = keys.allSatisfy { if case .string = $0 { true } else { false } }
    let areNumbers = keys.allSatisfy { $0.number.map { !$0.isNaN } ?? false }
    guard areTexts || areNumbers || keys.count < 2 else {
      throw unsupported("an order of other values than texts or numbers", line)
    }
    // Each is compared with about log n others.
    let weight = keys.reduce(0) { $0 + $1.extent.weight }
    try charge(weight * (Int.bitWidth - keys.count.leadingZeroBitCount), line)
    return keys.indices.sorted { left, right in
      let order = Value.order(keys[left], keys[right]) ?? 0
      return order == 0 ? left < right : isReversed ? order > 0 : order < 0
    }
  }

  private mutating func sortedItems(
    _ value: Value, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(to: ["case_sensitive", "by", "reverse"], of: "dictsort", line)
    guard case .dictionary(let table) = value else {
      throw failed("dictsort of a \(value.typeName): a dict expected", line)
    }
    var isByValue = false
    if let by = values[1] {
      switch String(decoding: try string(by, line), as: UTF8.self) {
      case "key": break
      case "value": isByValue = true
      default: throw failed("dictsort goes by key or value", line)
      }
    }
    var keys: [Value] = []
    for element in isByValue ? table.values : table.keys {
      keys.append(
        try key(of: element, nil, line, ignoringCase: !(values[0]?.isTrue ?? false)))
    }
    let items = table.items
    let places = try order(of: keys, isReversed: values[2]?.isTrue ?? false, line)
    return try made(.list(places.map { items[$0] }), line)
  }

  private mutating func distinguished(
    _ value: Value, _ filter: FilterName.Known, _ arguments: Arguments, _ line: Int
  ) throws(ChatTemplateError) -> Value {
    let values = try arguments.bound(
      to: ["case_sensitive", "attribute"], of: filter.rawValue, line)
    let elements = try elements(of: value, line)
    var keys: [Value] = []
    for element in elements {
      keys.append(
        try key(of: element, values[1], line, ignoringCase: !(values[0]?.isTrue ?? false)))
    }
    guard filter == .unique else {
      // Of equal ones Python takes the first for both.
      var places = try order(of: keys, isReversed: filter == .max, line)[...]
      return places.popFirst().map { elements[$0] } ?? .undefined(.element)
    }
    var seen: Set<Value> = []
    var kept: [Value] = []
    for (key, element) in zip(keys, elements) {
      try charge(key.extent.weight, line)
      guard key.isHashable else { throw failed("a \(key.typeName) cannot be hashed", line) }
      if seen.insert(key).inserted { kept.append(element) }
    }
    return try iterator(kept, line)
  }
}
