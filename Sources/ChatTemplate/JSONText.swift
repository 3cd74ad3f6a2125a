/// JSON as Python's `json.dumps` writes it.
struct JSONText {
  var escapesNonASCII = false
  /// What a level is set off by; nil: all stands on one line.
  var indentation: [UInt8]?
  var itemSeparator: [UInt8]
  var keySeparator = Array(": ".utf8)
  var sortsKeys = false

  private(set) var bytes: [UInt8] = []

  init(indentation: [UInt8]? = nil) {
    self.indentation = indentation
    itemSeparator = Array((indentation == nil ? ", " : ",").utf8)
  }

  /// Why a value has no JSON.
  struct Failure: Error { let what: String }

  mutating func append(_ value: Value, level: Int = 0) throws(Failure) {
    switch value {
    case .none: bytes += "null".utf8
    case .bool(let flag): bytes += (flag ? "true" : "false").utf8
    case .int(let number): bytes += String(number).utf8
    case .double(let number): bytes += JSONText.text(number).utf8
    case .string(let text): append(text)
    case .list(let list) where list.kind == .list || list.kind == .tuple:
      try append("[", list.elements.count, "]", level) {
        (writer, index, level) throws(Failure) in
        try writer.append(list.elements[index], level: level)
      }
    case .dictionary(let table):
      var members = Array(zip(table.keys, table.values))
      if sortsKeys {
        guard members.allSatisfy({ Value.order($0.0, members[0].0) != nil }) else {
          throw Failure(what: "keys of different types")
        }
        members.sort { Value.order($0.0, $1.0) ?? 0 < 0 }
      }
      try append("{", members.count, "}", level) { (writer, index, level) throws(Failure) in
        writer.append(try JSONText.key(members[index].0))
        writer.bytes += writer.keySeparator
        try writer.append(members[index].1, level: level)
      }
    default: throw Failure(what: value.typeName)
    }
  }

  private mutating func append(
    _ open: String, _ count: Int, _ close: String, _ level: Int,
    _ element: (inout JSONText, Int, Int) throws(Failure) -> Void
  ) throws(Failure) {
    bytes += open.utf8
    for index in 0..<count {
      if index > 0 { bytes += itemSeparator }
      appendLineEnd(level + 1)
      try element(&self, index, level + 1)
    }
    if count > 0 { appendLineEnd(level) }
    bytes += close.utf8
  }

  private mutating func appendLineEnd(_ level: Int) {
    guard let indentation else { return }
    bytes.append(UInt8(ascii: "\n"))
    for _ in 0..<level { bytes += indentation }
  }

  private static func key(_ value: Value) throws(Failure) -> [UInt8] {
    switch value {
    case .string(let text): text
    case .none: Array("null".utf8)
    case .bool(let flag): Array((flag ? "true" : "false").utf8)
    case .int(let number): Array(String(number).utf8)
    case .double(let number): Array(text(number).utf8)
    default: throw Failure(what: "a key of type \(value.typeName)")
    }
  }

  private static func text(_ number: Double) -> String {
    guard number.isFinite else {
      return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity"
    }
    return PythonNumber.text(number)
  }

  private mutating func append(_ text: [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\"": bytes += #"\""#.utf8
      case "\\": bytes += #"\\"#.utf8
      case "\n": bytes += #"\n"#.utf8
      case "\r": bytes += #"\r"#.utf8
      case "\t": bytes += #"\t"#.utf8
      case "\u{8}": bytes += #"\b"#.utf8
      case "\u{C}": bytes += #"\f"#.utf8
      default:
        if scalar.value < 0x20 || escapesNonASCII && scalar.value > 0x7E {
          // 0x7F is ASCII; Python leaves it.
          if scalar.value == 0x7F {
            bytes.append(0x7F)
          } else {
            for unit in UTF16.encode(scalar)! { appendEscape(unit) }
          }
        } else {
          bytes.append(contentsOf: UTF8.encode(scalar)!)
        }
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func appendEscape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    bytes += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
  }
}
