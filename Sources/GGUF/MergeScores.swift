internal import Tokenizer

/// Scores with which merging by score, as SentencePiece and llama.cpp do it, equals merging by
/// ranked pairs.
///
/// By score any two neighbours merge whose texts together are a token. Let every token that can be
/// made so be what the ranked pairs make of its own text, and the rank of its last merge its
/// score, negated. As long as nothing merges across its ends, the pairs do the same inside of a
/// text as they do on their own; so the only two neighbours that ever make this token are those of
/// that last merge, and both ways choose the same merges in the same order.
struct MergeScores {
  private(set) var scores: [Float] = []

  /// - Throws: ``GGUFError/tokenizer(path:reason:)`` where there are no such scores.
  init(_ source: TokenizerSource) throws {
    let contents = source.contents
    if contents.merges.isEmpty, contents.tokens.contains(where: { $0.score != nil }) {
      scores = contents.tokens.map { $0.score ?? 0 }
      return
    }
    guard contents.merges.count + contents.tokens.count < 1 << 24 else {
      throw source.refusal("it has too many merges")
    }
    let simulation = MergeSimulation(contents)
    for (id, token) in contents.tokens.enumerated() {
      let isSingle = token.text.unicodeScalars.dropFirst().isEmpty
      guard token.kind == .normal, !isSingle else {
        // What is no result of a merge is never asked for its score; last, as SentencePiece has it.
        let isReserved = token.kind != .normal
        scores.append(isReserved ? 0 : -Float(contents.merges.count + id))
        continue
      }
      let crossesWords =
        source.traits.splitsAtSpaces && token.text.unicodeScalars.dropFirst().contains("\u{2581}")
      if !crossesWords, let rank = simulation.rank(of: token.text) {
        scores.append(-Float(rank))
      } else if MergeScores.isJoinable(token.text, simulation) {
        throw source.refusal(
          "its merges never make the token \"\(token.text)\", merging by scores would")
      } else {
        scores.append(-Float(contents.merges.count + id))
      }
    }
  }

  /// Whether a text is made of two neighbours that can be there.
  private static func isJoinable(_ text: String, _ simulation: MergeSimulation) -> Bool {
    let scalars = Array(text.unicodeScalars)
    func canBeThere(_ part: ArraySlice<Unicode.Scalar>) -> Bool {
      var text = ""
      text.unicodeScalars.append(contentsOf: part)
      return part.count == 1 || simulation.isToken(text)
    }
    return (1..<scalars.count).contains { cut in
      canBeThere(scalars[..<cut]) && canBeThere(scalars[cut...])
    }
  }
}
