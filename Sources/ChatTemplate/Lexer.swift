/// Cuts a template into tokens, as `jinja2.lexer` does with `trim_blocks` and `lstrip_blocks`: the
/// line end after a block or comment goes, and so does white space before one on its line.
struct Lexer {
  let source: [UInt8]
  var position = 0
  var line = 1
  /// Whether what was read last ended with a line end; the beginning counts as such.
  private var isAtLineStart = true
  var tokens: [Token] = []

  static func tokens(of source: [UInt8]) throws(ChatTemplateError) -> [Token] {
    var lexer = Lexer(source: normalized(source))
    try lexer.run()
    return lexer.tokens
  }

  private init(source: [UInt8]) { self.source = source }

  /// Line ends as LF, without the last one (`keep_trailing_newline` is off).
  private static func normalized(_ source: [UInt8]) -> [UInt8] {
    var text = unifiedLineEnds(source)
    if text.last == UInt8(ascii: "\n") { text.removeLast() }
    return text
  }

  static func unifiedLineEnds(_ source: [UInt8]) -> [UInt8] {
    guard source.contains(UInt8(ascii: "\r")) else { return source }
    var text: [UInt8] = []
    for (index, byte) in source.enumerated() {
      if byte == UInt8(ascii: "\n"), index > 0, source[index - 1] == UInt8(ascii: "\r") { continue }
      text.append(byte == UInt8(ascii: "\r") ? UInt8(ascii: "\n") : byte)
    }
    return text
  }

  func failure(_ what: String) -> ChatTemplateError { ChatTemplateError(.syntax(what), line: line) }

  func follows(_ text: StaticString, at position: Int? = nil) -> Bool {
    let start = position ?? self.position
    let count = text.utf8CodeUnitCount
    guard start + count <= source.count else { return false }
    return UnsafeBufferPointer(start: text.utf8Start, count: count)
      .elementsEqual(source[start..<start + count])
  }

  mutating func emit(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

  /// Steps over bytes and counts their lines.
  mutating func advance(to end: Int) {
    for byte in source[position..<end] where byte == UInt8(ascii: "\n") { line += 1 }
    isAtLineStart = end > position ? source[end - 1] == UInt8(ascii: "\n") : isAtLineStart
    position = end
  }

  private enum Mark { case block, variable, comment }

  private mutating func run() throws(ChatTemplateError) {
    while let (start, mark) = nextMark() {
      let sign = start + 2 < source.count ? source[start + 2] : 0
      let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
      emitData(upTo: start, sign: hasSign ? sign : 0, strips: mark != .variable)
      advance(to: start + (hasSign ? 3 : 2))
      switch mark {
      case .comment: try skipComment()
      case .variable: try readTag(isBlock: false)
      case .block:
        if let end = rawBegin() {
          advance(to: end)
          try readRaw()
        } else {
          try readTag(isBlock: true)
        }
      }
    }
    emitData(upTo: source.count, sign: UInt8(ascii: "+"), strips: false)
    emit(.end)
  }

  private func nextMark() -> (Int, Mark)? {
    var index = position
    while index + 1 < source.count {
      if source[index] == UInt8(ascii: "{") {
        switch source[index + 1] {
        case UInt8(ascii: "%"): return (index, .block)
        case UInt8(ascii: "{"): return (index, .variable)
        case UInt8(ascii: "#"): return (index, .comment)
        default: break
        }
      }
      index += 1
    }
    return nil
  }

  /// - Parameters:
  ///   - sign: of the mark that follows: `-` takes all white space before it, `+` none.
  ///   - strips: whether white space between a line's beginning and the mark goes.
  private mutating func emitData(upTo end: Int, sign: UInt8, strips: Bool) {
    var kept = end
    if sign == UInt8(ascii: "-") {
      kept = position + PythonText.trimmedEnd(source[position..<end])
    } else if sign != UInt8(ascii: "+"), strips {
      let lineStart = source[position..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
      if lineStart != nil || isAtLineStart {
        let start = lineStart ?? position
        if PythonText.trimmedEnd(source[start..<end]) == 0 { kept = start }
      }
    }
    if kept > position { emit(.data(Array(source[position..<kept]))) }
    advance(to: end)
  }

  /// Past the end mark of a block or comment: `-` takes white space after it, `+` nothing, and else
  /// a line end goes.
  private mutating func skipEnd(_ close: StaticString) -> Bool {
    let sign = position < source.count ? source[position] : 0
    let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
    guard follows(close, at: position + (hasSign ? 1 : 0)) else { return false }
    var end = position + (hasSign ? 3 : 2)
    if sign == UInt8(ascii: "-") {
      end = PythonText.skipWhitespace(source, from: end)
    } else if !hasSign, end < source.count, source[end] == UInt8(ascii: "\n") {
      end += 1
    }
    advance(to: end)
    return true
  }

  private mutating func skipComment() throws(ChatTemplateError) {
    while position < source.count {
      if skipEnd("#}") { return }
      advance(to: position + 1)
    }
    throw failure("a comment without its end, #}")
  }

  /// Where `raw %}` ends, if that stands here.
  private func rawBegin() -> Int? {
    var index = PythonText.skipWhitespace(source, from: position)
    guard follows("raw", at: index) else { return nil }
    index = PythonText.skipWhitespace(source, from: index + 3)
    if follows("-%}", at: index) { return PythonText.skipWhitespace(source, from: index + 3) }
    return follows("%}", at: index) ? index + 2 : nil
  }

  private mutating func readRaw() throws(ChatTemplateError) {
    var index = position
    while index < source.count {
      if follows("{%", at: index) {
        let sign = index + 2 < source.count ? source[index + 2] : 0
        let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
        let name = PythonText.skipWhitespace(source, from: index + (hasSign ? 3 : 2))
        let close = PythonText.skipWhitespace(source, from: name + 6)
        if follows("endraw", at: name),
          follows("%}", at: close) || follows("-%}", at: close) || follows("+%}", at: close)
        {
          emitData(upTo: index, sign: hasSign ? sign : 0, strips: true)
          advance(to: close)
          _ = skipEnd("%}")
          return
        }
      }
      index += 1
    }
    throw failure("a raw block without its end, {% endraw %}")
  }

  /// The tokens of `{% … %}` or `{{ … }}` after its beginning.
  private mutating func readTag(isBlock: Bool) throws(ChatTemplateError) {
    emit(isBlock ? .blockBegin : .variableBegin)
    var open: [Token.Sign] = []
    while true {
      if open.isEmpty {
        let line = line
        if isBlock {
          if skipEnd("%}") { return tokens.append(Token(kind: .blockEnd, line: line)) }
        } else if follows("-}}") {
          advance(to: PythonText.skipWhitespace(source, from: position + 3))
          return tokens.append(Token(kind: .variableEnd, line: line))
        } else if follows("}}") {
          advance(to: position + 2)
          return tokens.append(Token(kind: .variableEnd, line: line))
        }
      }
      guard position < source.count else {
        throw failure(isBlock ? "a block without its end, %}" : "an expression without its end, }}")
      }
      let next = PythonText.skipWhitespace(source, from: position)
      if next > position {
        advance(to: next)
      } else {
        try readToken(&open)
      }
    }
  }
}
