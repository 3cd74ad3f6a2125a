extension Lexer {
  /// Reads a name, a number, a string or a sign.
  ///
  /// - Parameter open: the brackets that are open: no tag ends within one.
  mutating func readToken(_ open: inout [Token.Sign]) throws(ChatTemplateError) {
    let byte = source[position]
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
    case UInt8(ascii: "'"), UInt8(ascii: "\""): try readString(quote: byte)
    case UInt8(ascii: "_"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      let end = source[position...].firstIndex { !Lexer.isNameByte($0) } ?? source.count
      emit(.name(String(decoding: source[position..<end], as: UTF8.self)))
      position = end
    case 0x80...: throw ChatTemplateError(.unsupported("a name beyond ASCII"), line: line)
    default:
      let signs = Token.Sign.allCases.lazy
      guard let sign = signs.first(where: { source[position...].starts(with: $0.rawValue.utf8) })
      else {
        throw failure("unexpected \(String(decoding: [byte], as: UTF8.self))")
      }
      try balance(sign, &open)
      emit(.sign(sign))
      position += sign.rawValue.utf8.count
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "_"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private func balance(
    _ sign: Token.Sign, _ open: inout [Token.Sign]
  ) throws(ChatTemplateError) {
    let closed: Token.Sign
    switch sign {
    case .leftBrace, .leftBracket, .leftParenthesis: return open.append(sign)
    case .rightBrace: closed = .leftBrace
    case .rightBracket: closed = .leftBracket
    case .rightParenthesis: closed = .leftParenthesis
    default: return
    }
    guard open.popLast() == closed else { throw failure("unexpected \(sign.rawValue)") }
  }

  private mutating func readNumber() throws(ChatTemplateError) {
    func digits(_ start: Int) -> Int {
      var index = start
      while index < source.count,
        Lexer.isDigit(source[index])
          || source[index] == UInt8(ascii: "_") && index > start && index + 1 < source.count
            && Lexer.isDigit(source[index + 1])
      { index += 1 }
      return index
    }
    if source[position] == UInt8(ascii: "0"), position + 1 < source.count,
      [UInt8(ascii: "x"), UInt8(ascii: "o"), UInt8(ascii: "b")].contains(
        source[position + 1] | 0x20)
    {
      throw ChatTemplateError(.unsupported("a number that is not decimal"), line: line)
    }
    var end = digits(position)
    var isFloat = false
    // A dot after a dot (`x.0.1`) belongs to no number.
    let follows = tokens.last?.kind == .sign(.dot)
    if !follows, end + 1 < source.count, source[end] == UInt8(ascii: "."),
      Lexer.isDigit(source[end + 1])
    {
      end = digits(end + 1)
      isFloat = true
    }
    if !follows, end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
      var exponent = end + 1
      if exponent < source.count,
        source[exponent] == UInt8(ascii: "+") || source[exponent] == UInt8(ascii: "-")
      {
        exponent += 1
      }
      if exponent < source.count, Lexer.isDigit(source[exponent]) {
        end = digits(exponent)
        isFloat = true
      }
    }
    let text = String(
      decoding: source[position..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    if isFloat, let number = Double(text) {
      emit(.float(number))
    } else if !isFloat, let number = Int(text), text == "0" || text.first != "0" {
      emit(.integer(number))
    } else {
      throw failure("\(text) is no number, or one too large")
    }
    position = end
  }

  static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private mutating func readString(quote: UInt8) throws(ChatTemplateError) {
    let start = line
    var index = position + 1
    var text: [UInt8] = []
    while index < source.count, source[index] != quote {
      guard source[index] == UInt8(ascii: "\\") else {
        text.append(source[index])
        index += 1
        continue
      }
      index += 1
      try readEscape(&index, into: &text)
    }
    guard index < source.count else { throw failure("a string without its end") }
    tokens.append(Token(kind: .string(text), line: start))
    advance(to: index + 1)
  }

  /// What Python's `unicode-escape` knows.
  private func readEscape(
    _ index: inout Int, into text: inout [UInt8]
  ) throws(ChatTemplateError) {
    guard index < source.count else { throw failure("a string without its end") }
    let byte = source[index]
    index += 1
    switch byte {
    case UInt8(ascii: "\n"): break
    case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(byte)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "a"): text.append(0x07)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "v"): text.append(0x0B)
    case UInt8(ascii: "x"): try readScalar(&index, digitCount: 2, into: &text)
    case UInt8(ascii: "u"): try readScalar(&index, digitCount: 4, into: &text)
    case UInt8(ascii: "U"): try readScalar(&index, digitCount: 8, into: &text)
    case UInt8(ascii: "N"), UInt8(ascii: "0")...UInt8(ascii: "7"):
      throw ChatTemplateError(.unsupported("an escape by name or in octal"), line: line)
    default:
      // Python keeps the backslash of what it does not know.
      text += [UInt8(ascii: "\\"), byte]
    }
  }

  private func readScalar(
    _ index: inout Int, digitCount: Int, into text: inout [UInt8]
  ) throws(ChatTemplateError) {
    let end = index + digitCount
    guard end <= source.count,
      let number = UInt32(String(decoding: source[index..<end], as: UTF8.self), radix: 16),
      source[index] != UInt8(ascii: "+"), let scalar = Unicode.Scalar(number)
    else { throw failure("an escape in a string that is none") }
    text.append(contentsOf: UTF8.encode(scalar)!)
    index = end
  }
}
