/// The rules of a SentencePiece normalizer (`precompiled_charsmap`): a double-array trie
/// (darts-clone) from byte strings to what replaces them.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  /// Strings that end with a zero byte.
  private let replacements: [UInt8]

  /// - Returns: nil when it is not such a map.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 4 else { return nil }
    let trieBytes = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    guard trieBytes < bytes.count - 4, trieBytes >= 4, trieBytes % 4 == 0 else { return nil }
    units = (0..<trieBytes / 4).map { index in
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 + index * 4, as: UInt32.self))
    }
    replacements = Array(bytes[(4 + trieBytes)...])
    // A rule may begin at any character of a replacement, and at no other byte.
    guard replacements.last == 0, String(validating: replacements, as: UTF8.self) != nil else {
      return nil
    }
  }

  /// The longest rule at a position: how many bytes it takes, and what stands for them.
  func longestMatch(
    _ text: UTF8Text, at start: Int
  ) -> (byteCount: Int, replacement: ArraySlice<UInt8>)? {
    var longest: (byteCount: Int, value: Int)?
    var node = offset(units[0])
    var position = start
    while position < text.count {
      node ^= Int(text[position])
      guard node < units.count else { break }
      let unit = units[node]
      guard unit & (1 << 31 | 0xFF) == UInt32(text[position]) else { break }
      node ^= offset(unit)
      guard node < units.count else { break }
      position += 1
      if unit >> 8 & 1 == 1 { longest = (position - start, Int(units[node] & 0x7FFF_FFFF)) }
    }
    guard let longest, longest.value < replacements.count,
      !UTF8.isContinuation(replacements[longest.value])
    else { return nil }
    let rest = replacements[longest.value...]
    return (longest.byteCount, rest.prefix { $0 != 0 })
  }

  private func offset(_ unit: UInt32) -> Int {
    Int(unit >> 10) << Int((unit & 1 << 9) >> 6)
  }
}
