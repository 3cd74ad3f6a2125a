internal import Tokenizer

/// Byte-pair merging of single tokens' texts, by the ranks of a `tokenizer.json`.
struct MergeSimulation {
  private struct Merge {
    let rank: Int
    let result: Int32
  }

  private let ids: [String: Int32]
  private let merges: [UInt64: Merge]

  init(_ contents: TokenizerContents) {
    let ids = Dictionary(
      contents.tokens.enumerated().map { ($1.text, Int32($0)) },
      uniquingKeysWith: { first, _ in first })
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(contents.merges.count)
    for (rank, pair) in contents.merges.enumerated() {
      guard let left = ids[pair[0]], let right = ids[pair[1]], let result = ids[pair[0] + pair[1]]
      else { continue }
      let key = MergeSimulation.key(left, right)
      if merges[key] == nil { merges[key] = Merge(rank: rank, result: result) }
    }
    self.ids = ids
    self.merges = merges
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  func isToken(_ text: String) -> Bool { ids[text] != nil }

  /// The rank of the last merge that makes a token of its own text; nil when merging the text does
  /// not end in that one token.
  func rank(of text: String) -> Int? {
    var symbols: [Int32] = []
    for scalar in text.unicodeScalars {
      guard let id = ids[String(scalar)] else { return nil }
      symbols.append(id)
    }
    var last: Int?
    while symbols.count > 1 {
      var best: (position: Int, merge: Merge)?
      for position in 0..<symbols.count - 1 {
        let key = MergeSimulation.key(symbols[position], symbols[position + 1])
        guard let merge = merges[key], merge.rank < best?.merge.rank ?? .max else { continue }
        best = (position, merge)
      }
      guard let best else { return nil }
      symbols[best.position] = best.merge.result
      symbols.remove(at: best.position + 1)
      last = best.merge.rank
    }
    return last
  }
}
