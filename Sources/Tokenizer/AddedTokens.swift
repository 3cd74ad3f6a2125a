/// Tokens that are found in the text before the model sees it: of those that begin leftmost, the
/// longest (`AddedVocabulary` of the `tokenizers` package).
struct AddedTokens: Sendable {
  struct Token: Hashable, Sendable {
    var content: [UInt8]
    var id: Int32
    /// Takes the white space before it, or after it, along.
    var stripsLeft = false
    var stripsRight = false
    /// Does not match inside a word.
    var isSingleWord = false
  }

  /// A part of the text: an added token, or what lies between two.
  struct Part {
    let range: Range<Int>
    let token: Int32?
  }

  private var tokens: [Token]
  /// By first byte, longest first; of equal contents the first one only.
  private var candidates: [[Int]]
  /// The first bytes in use, when they are few.
  private let firstBytes: [UInt8]

  init(_ tokens: [Token] = []) {
    self.tokens = tokens
    candidates = Array(repeating: [], count: 256)
    for (index, token) in tokens.enumerated() {
      guard let first = token.content.first else { continue }
      candidates[Int(first)].append(index)
    }
    for byte in candidates.indices {
      candidates[byte].sort { (tokens[$0].content.count, $1) > (tokens[$1].content.count, $0) }
    }
    let candidates = candidates
    firstBytes = (0...255).filter { !candidates[Int($0)].isEmpty }
  }

  var isEmpty: Bool { firstBytes.isEmpty }

  /// Splits a text; parts without a token are never empty.
  func forEachPart(of text: UTF8Text, _ body: (Part) -> Void) {
    var done = 0
    var position = 0
    while let (found, token) = firstMatch(in: text, from: position) {
      var start = found
      var end = found + token.content.count
      position = end
      if token.isSingleWord, !stands(start..<end, aloneIn: text) { continue }
      if token.stripsLeft { start = max(done, spacesStart(text, start)) }
      if token.stripsRight { end = spacesEnd(text, end) }
      if done < start { body(Part(range: done..<start, token: nil)) }
      // White space that the one before took along can leave nothing of a token of spaces.
      if start < end { body(Part(range: start..<end, token: token.id)) }
      if start <= end { done = end }
    }
    if done < text.count { body(Part(range: done..<text.count, token: nil)) }
  }

  private func firstMatch(in text: UTF8Text, from start: Int) -> (Int, Token)? {
    guard !isEmpty else { return nil }
    let only = firstBytes.count == 1 ? firstBytes[0] : nil
    var position = start
    while position < text.count {
      let byte = text[position]
      if let only {
        if byte != only {
          position += 1
          continue
        }
      }
      for index in candidates[Int(byte)] where matches(tokens[index].content, text, position) {
        return (position, tokens[index])
      }
      position += 1
    }
    return nil
  }

  private func matches(_ content: [UInt8], _ text: UTF8Text, _ position: Int) -> Bool {
    guard content.count <= text.count - position else { return false }
    for index in content.indices where text[position + index] != content[index] { return false }
    return true
  }

  private func stands(_ range: Range<Int>, aloneIn text: UTF8Text) -> Bool {
    (range.lowerBound == 0 || !isWordScalar(text.scalar(before: range.lowerBound).value))
      && (range.upperBound == text.count || !isWordScalar(text.scalar(at: range.upperBound).value))
  }

  private func spacesStart(_ text: UTF8Text, _ end: Int) -> Int {
    var start = end
    while start > 0 {
      let (value, byteCount) = text.scalar(before: start)
      guard isSpace(value) else { break }
      start -= byteCount
    }
    return start
  }

  private func spacesEnd(_ text: UTF8Text, _ start: Int) -> Int {
    var end = start
    while end < text.count {
      let (value, byteCount) = text.scalar(at: end)
      guard isSpace(value) else { break }
      end += byteCount
    }
    return end
  }

  private func isSpace(_ value: UInt32) -> Bool {
    Unicode.Scalar(value)?.properties.isWhitespace ?? false
  }

  /// `\w` of Unicode Technical Standard 18, annex C.
  private func isWordScalar(_ value: UInt32) -> Bool {
    guard let properties = Unicode.Scalar(value)?.properties else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: false
    }
  }
}
