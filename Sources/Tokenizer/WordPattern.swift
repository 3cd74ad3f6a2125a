/// The regular expressions that byte-level vocabularies split text with, recognised by their text
/// and written out as scanners: the first alternative that matches wins, and every scalar is
/// matched by one.
enum WordPattern: Hashable, Sendable {
  /// Llama 3 and Qwen 2, 2.5, 3, which differ in how many numbers stay together.
  case letterRuns(numbersPerWord: Int)
  /// GPT-2, the built-in pattern of the pre-tokenizer ByteLevel.
  case gpt2

  /// - Returns: nil when the pattern is not one of these.
  init?(pattern: String) {
    switch pattern {
    case WordPattern.llama3Text: self = .letterRuns(numbersPerWord: 3)
    case WordPattern.qwen2Text: self = .letterRuns(numbersPerWord: 1)
    case WordPattern.gpt2Text: self = .gpt2
    default: return nil
    }
  }

  private static let llama3Text = letterRunsText(numbers: #"\p{N}{1,3}"#)
  private static let qwen2Text = letterRunsText(numbers: #"\p{N}"#)
  private static let gpt2Text =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private static func letterRunsText(numbers: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Where the word that begins at `start` ends.
  @inline(__always)
  func end(of text: UTF8Text, from start: Int, _ classes: ScalarClasses) -> Int {
    let scanner = WordScanner(text: text, classes: classes)
    return switch self {
    case .letterRuns(let numbersPerWord):
      scanner.letterRunsEnd(from: start, numbersPerWord: numbersPerWord)
    case .gpt2: scanner.gpt2End(from: start)
    }
  }
}

/// The alternatives of the patterns over one text.
private struct WordScanner {
  let text: UTF8Text
  let classes: ScalarClasses

  @inline(__always)
  func letterRunsEnd(from start: Int, numbersPerWord: Int) -> Int {
    let (value, byteCount) = text.scalar(at: start)
    let kind = classes[value]
    let second = start + byteCount
    if value == 0x27, let end = contractionEnd(from: second, ignoringCase: true) { return end }
    if kind == ScalarClasses.letter { return runEnd(of: ScalarClasses.letter, from: second) }
    if kind == ScalarClasses.number { return numbersEnd(from: second, most: numbersPerWord - 1) }
    if kind & ScalarClasses.newline == 0 {
      let end = runEnd(of: ScalarClasses.letter, from: second)
      if end > second { return end }
    }
    if kind == 0 { return newlinesEnd(from: othersEnd(from: second)) }
    if value == 0x20 {
      let end = othersEnd(from: second)
      if end > second { return newlinesEnd(from: end) }
    }
    return spacesEnd(from: start, endsAfterNewlines: true)
  }

  @inline(__always)
  func gpt2End(from start: Int) -> Int {
    let (value, byteCount) = text.scalar(at: start)
    let second = start + byteCount
    if value == 0x27, let end = contractionEnd(from: second, ignoringCase: false) { return end }
    var first = start
    if value == 0x20, second < text.count { first = second }
    let (head, headByteCount) = text.scalar(at: first)
    let kind = classes[head]
    let rest = first + headByteCount
    if kind == 0 { return othersEnd(from: rest) }
    if kind & ScalarClasses.space == 0 { return runEnd(of: kind, from: rest) }
    return spacesEnd(from: start, endsAfterNewlines: false)
  }

  /// `\p{L}*` or `\p{N}*`.
  @inline(__always)
  private func runEnd(of kind: UInt8, from start: Int) -> Int {
    var position = start
    while position < text.count {
      let (value, byteCount) = text.scalar(at: position)
      guard classes[value] == kind else { break }
      position += byteCount
    }
    return position
  }

  private func numbersEnd(from start: Int, most: Int) -> Int {
    var position = start
    for _ in 0..<most where position < text.count {
      let (value, byteCount) = text.scalar(at: position)
      guard classes[value] == ScalarClasses.number else { break }
      position += byteCount
    }
    return position
  }

  /// `[^\s\p{L}\p{N}]*`
  private func othersEnd(from start: Int) -> Int { runEnd(of: 0, from: start) }

  /// `[\r\n]*`
  private func newlinesEnd(from start: Int) -> Int {
    var position = start
    while position < text.count, text[position] == 0x0A || text[position] == 0x0D { position += 1 }
    return position
  }

  /// `\s*[\r\n]+` (where asked), `\s+(?!\S)`, `\s+`: a run of spaces goes up to its last line end;
  /// without one its last space is left to what follows, if something does.
  private func spacesEnd(from start: Int, endsAfterNewlines: Bool) -> Int {
    var position = start
    var last = start
    var newlinesEnd = start
    while position < text.count {
      let (value, byteCount) = text.scalar(at: position)
      let kind = classes[value]
      guard kind & ScalarClasses.space != 0 else { break }
      last = position
      position += byteCount
      if kind & ScalarClasses.newline != 0 { newlinesEnd = position }
    }
    if endsAfterNewlines, newlinesEnd > start { return newlinesEnd }
    return position == text.count || last == start ? position : last
  }

  /// The end of `s|t|re|ve|m|ll|d` after an apostrophe.
  private func contractionEnd(from start: Int, ignoringCase: Bool) -> Int? {
    guard let first = letter(at: start, ignoringCase) else {
      // U+017F, the long s, is an s where case does not count.
      let isLongS = start + 1 < text.count && text[start] == 0xC5 && text[start + 1] == 0xBF
      return ignoringCase && isLongS ? start + 2 : nil
    }
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 1
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return letter(at: start + 1, ignoringCase) == UInt8(ascii: "e") ? start + 2 : nil
    case UInt8(ascii: "l"):
      return letter(at: start + 1, ignoringCase) == UInt8(ascii: "l") ? start + 2 : nil
    default: return nil
    }
  }

  /// An ASCII letter, small where case does not count.
  private func letter(at position: Int, _ ignoringCase: Bool) -> UInt8? {
    guard position < text.count, text[position] < 0x80 else { return nil }
    let byte = text[position]
    let isCapital = (0x41...0x5A).contains(byte)
    return isCapital && ignoringCase ? byte | 0x20 : byte
  }
}
