/// A byte-pair vocabulary: what the symbols of a piece are at first, and how they merge.
struct BytePairModel: Sendable {
  enum Alphabet: Sendable {
    /// Every byte is a symbol, by its value; nil where the vocabulary lacks it.
    case bytes([Int32?])
    case scalars(ScalarAlphabet)
  }

  var alphabet: Alphabet
  var merges: MergeTable
  /// Pieces that are tokens without asking the merges (`ignore_merges`).
  var wholePieces: ByteStringTable?
}

/// Every scalar is a symbol; what is no token falls back to bytes or to the unknown token.
struct ScalarAlphabet: Sendable {
  enum Fallback: Sendable {
    /// `tokenizers`: at once, before anything merges.
    case early
    /// SentencePiece: at the end, so that scalars that are no tokens can still merge.
    case late
  }

  var tokens: ScalarTable
  /// `<0x00>` … `<0xFF>`; nil where one is missing. Empty without byte fallback.
  var byteTokens: [Int32?]
  /// Nil: what is unknown leaves no token.
  var unknown: Int32?
  /// Whether neighbouring unknown scalars are one token.
  var fusesUnknown: Bool
  var fallback: Fallback

  /// The byte tokens of a scalar; nil when one of them is missing.
  func byteTokens(of scalar: UTF8Text) -> [Int32]? {
    guard !byteTokens.isEmpty else { return nil }
    var ids: [Int32] = []
    for byte in scalar {
      guard let id = byteTokens[Int(byte)] else { return nil }
      ids.append(id)
    }
    return ids
  }

  /// Sets the symbols of a piece, as `BPE::merge_word` of the `tokenizers` package does.
  func load(_ piece: UTF8Text, into symbols: inout [Int32]) {
    symbols.removeAll(keepingCapacity: true)
    var hasUnknown = false
    var position = 0
    while position < piece.count {
      let (value, byteCount) = piece.scalar(at: position)
      let scalar = piece[position..<position + byteCount] as UTF8Text
      position += byteCount
      if let id = tokens[value] {
        if hasUnknown, let unknown { symbols.append(unknown) }
        hasUnknown = false
        symbols.append(id)
      } else if fallback == .late {
        symbols.append(~Int32(value))
      } else if let ids = byteTokens(of: scalar) {
        // An unknown token that waits comes later: so it is there.
        symbols.append(contentsOf: ids)
      } else {
        if hasUnknown, !fusesUnknown, let unknown { symbols.append(unknown) }
        hasUnknown = true
      }
    }
    if hasUnknown, let unknown { symbols.append(unknown) }
  }
}
