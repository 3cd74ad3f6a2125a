/// How text between added tokens is cut before the model sees it.
enum PreTokenizer: Sendable {
  case none
  case metaspace(Metaspace)
  case byteLevel(ByteLevelSplit)
}

/// Spaces become another scalar, one is put first, and each may begin a piece.
struct Metaspace: Hashable, Sendable {
  enum PrependScheme: String, Sendable {
    case always
    /// At the start of the whole text only.
    case first
    case never
  }

  var replacement: [UInt8]
  var prependScheme: PrependScheme
  var splits: Bool

  /// Appends the text with its spaces replaced.
  func append(_ text: UTF8Text, isFirst: Bool, to output: inout [UInt8]) {
    let begins = text.starts(with: replacement) || text.first == UInt8(ascii: " ")
    let prepends = prependScheme == .always || prependScheme == .first && isFirst
    if prepends, !begins { output.append(contentsOf: replacement) }
    for byte in text {
      if byte == UInt8(ascii: " ") {
        output.append(contentsOf: replacement)
      } else {
        output.append(byte)
      }
    }
  }

  /// Cuts before every replacement.
  func forEachPiece(of text: UTF8Text, _ body: (UTF8Text) -> Void) {
    var start = 0
    var position = 1
    while splits, position < text.count {
      if text[position] == replacement[0],
        (text[position...] as Slice).starts(with: replacement)
      {
        body(text[start..<position])
        start = position
      }
      position += 1
    }
    body(text[start..<text.count])
  }
}

/// Words by a pattern, and bytes as the model's alphabet.
struct ByteLevelSplit: Sendable {
  /// Every number is a word of its own, before the pattern is asked (`Digits`).
  var isolatesDigits = false
  /// Nil: the text stays one word.
  var pattern: WordPattern?
  /// Puts a space before a text that does not begin with one.
  var addsPrefixSpace = false
  var classes = ScalarClasses()

  func forEachWord(of text: UTF8Text, _ body: (UTF8Text) -> Void) {
    guard isolatesDigits else { return forEachPatternWord(of: text, body) }
    var start = 0
    var position = 0
    while position < text.count {
      let (value, byteCount) = text.scalar(at: position)
      if classes[value] == ScalarClasses.number {
        forEachPatternWord(of: text[start..<position], body)
        start = position + byteCount
        forEachPatternWord(of: text[position..<start], body)
      }
      position += byteCount
    }
    forEachPatternWord(of: text[start..<text.count], body)
  }

  private func forEachPatternWord(of text: UTF8Text, _ body: (UTF8Text) -> Void) {
    guard !text.isEmpty else { return }
    guard let pattern else { return body(text) }
    var position = 0
    while position < text.count {
      let end = pattern.end(of: text, from: position, classes)
      body(text[position..<end])
      position = end
    }
  }
}
