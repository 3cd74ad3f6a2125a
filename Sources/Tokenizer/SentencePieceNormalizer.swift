/// What SentencePiece does to a text first (`normalizer.cc`): character rules, spaces, prefix.
struct SentencePieceNormalizer: Sendable {
  var characterMap: CharacterMap?
  /// Kept as they are, wherever they occur.
  var userDefined: AddedTokens
  var addsDummyPrefix: Bool
  var removesExtraSpaces: Bool
  /// What stands for a space: U+2581, or the space itself.
  var space: [UInt8]
  var treatsSpaceAsSuffix: Bool

  private static let plainSpace = UInt8(ascii: " ")

  /// Appends the normalized text.
  func append(_ text: UTF8Text, to output: inout [UInt8]) {
    guard !text.isEmpty else { return }
    let start = output.count
    var state = State(isAfterSpace: removesExtraSpaces, isAtStart: removesExtraSpaces)
    if !removesExtraSpaces { begin(&output) }
    userDefined.forEachPart(of: text) { part in
      let content = text[part.range] as UTF8Text
      if part.token != nil {
        append(replacement: content, &state, &output)
      } else {
        append(plain: content, &state, &output)
      }
    }
    guard removesExtraSpaces else { return end(&output) }
    // Nothing but spaces leaves nothing, not even a prefix.
    guard !state.isAtStart else { return }
    while output.count - start >= space.count, output.suffix(space.count).elementsEqual(space) {
      output.removeLast(space.count)
    }
    end(&output)
  }

  private struct State {
    var isAfterSpace: Bool
    /// Spaces before everything else are left out before the prefix is put.
    var isAtStart: Bool
  }

  private func begin(_ output: inout [UInt8]) {
    if addsDummyPrefix, !treatsSpaceAsSuffix { output.append(contentsOf: space) }
  }

  private func end(_ output: inout [UInt8]) {
    if addsDummyPrefix, treatsSpaceAsSuffix { output.append(contentsOf: space) }
  }

  private func append(plain text: UTF8Text, _ state: inout State, _ output: inout [UInt8]) {
    guard let characterMap else {
      var position = 0
      while position < text.count {
        let (_, byteCount) = text.scalar(at: position)
        append(
          replacement: text[position..<position + byteCount] as UTF8Text, &state, &output)
        position += byteCount
      }
      return
    }
    var position = 0
    while position < text.count {
      if let match = characterMap.longestMatch(text, at: position) {
        match.replacement.withUnsafeBufferPointer { append(replacement: $0, &state, &output) }
        position += match.byteCount
      } else {
        let (_, byteCount) = text.scalar(at: position)
        append(
          replacement: text[position..<position + byteCount] as UTF8Text, &state, &output)
        position += byteCount
      }
    }
  }

  /// What a rule, a user-defined symbol or a scalar has become.
  @inline(__always)
  private func append(replacement: UTF8Text, _ state: inout State, _ output: inout [UInt8]) {
    if state.isAtStart {
      if replacement.count == 1, replacement[0] == SentencePieceNormalizer.plainSpace { return }
      state.isAtStart = false
      begin(&output)
    }
    var position = 0
    if state.isAfterSpace {
      while position < replacement.count,
        replacement[position] == SentencePieceNormalizer.plainSpace
      { position += 1 }
    }
    guard position < replacement.count else { return }
    state.isAfterSpace =
      removesExtraSpaces
      && replacement[replacement.count - 1] == SentencePieceNormalizer.plainSpace
    while position < replacement.count {
      let byte = replacement[position]
      if byte == SentencePieceNormalizer.plainSpace {
        output.append(contentsOf: space)
      } else {
        output.append(byte)
      }
      position += 1
    }
  }
}
