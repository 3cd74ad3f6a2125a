/// Python's `str` and `repr`.
extension Value {
  /// - Throws: what a value says that has no text worth rendering.
  func appendText(to text: inout [UInt8]) throws(TextFailure) {
    switch self {
    case .undefined: break
    case .string(let bytes): text += bytes
    default: try appendRepresentation(to: &text)
    }
  }

  struct TextFailure: Error { let typeName: String }

  private func appendRepresentation(to text: inout [UInt8]) throws(TextFailure) {
    switch self {
    case .undefined: text += "Undefined".utf8
    case .none: text += "None".utf8
    case .bool(let flag): text += (flag ? "True" : "False").utf8
    case .int(let number): text += String(number).utf8
    case .double(let number): text += PythonNumber.text(number).utf8
    case .string(let bytes): Value.appendRepresentation(of: bytes, to: &text)
    case .list(let list):
      guard list.kind == .list || list.kind == .tuple else {
        throw TextFailure(typeName: typeName)
      }
      let isTuple = list.kind == .tuple
      text.append(isTuple ? UInt8(ascii: "(") : UInt8(ascii: "["))
      for (index, element) in list.elements.enumerated() {
        if index > 0 { text += ", ".utf8 }
        try element.appendRepresentation(to: &text)
      }
      if isTuple, list.elements.count == 1 { text.append(UInt8(ascii: ",")) }
      text.append(isTuple ? UInt8(ascii: ")") : UInt8(ascii: "]"))
    case .dictionary(let table):
      text.append(UInt8(ascii: "{"))
      for (index, (key, value)) in zip(table.keys, table.values).enumerated() {
        if index > 0 { text += ", ".utf8 }
        try key.appendRepresentation(to: &text)
        text += ": ".utf8
        try value.appendRepresentation(to: &text)
      }
      text.append(UInt8(ascii: "}"))
    default: throw TextFailure(typeName: typeName)
    }
  }

  /// A text in quotes: single ones, unless it has such and no double ones.
  private static func appendRepresentation(of bytes: [UInt8], to text: inout [UInt8]) {
    let (single, double) = (UInt8(ascii: "'"), UInt8(ascii: "\""))
    let quote = bytes.contains(single) && !bytes.contains(double) ? double : single
    text.append(quote)
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\n": text += #"\n"#.utf8
      case "\r": text += #"\r"#.utf8
      case "\t": text += #"\t"#.utf8
      case "\\": text += #"\\"#.utf8
      default:
        if scalar.value == quote {
          text += [UInt8(ascii: "\\"), quote]
        } else if isPrintable(scalar) {
          text.append(contentsOf: UTF8.encode(scalar)!)
        } else {
          appendEscape(scalar.value, to: &text)
        }
      }
    }
    text.append(quote)
  }

  private static func appendEscape(_ value: UInt32, to text: inout [UInt8]) {
    let (letter, digitCount) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
    let digits = String(value, radix: 16)
    text += "\\\(letter)\(String(repeating: "0", count: digitCount - digits.count))\(digits)".utf8
  }

  /// `str.isprintable`.
  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }
}
