/// The tokens of words met before; it forgets all when full, which changes no result.
struct WordCache {
  private var words = ByteStringTable(capacity: 1 << 10)
  private var tokens: [Int32] = []
  /// Where a word's tokens begin; its end is the next one's begin.
  private var starts: [Int32] = [0]

  /// Longer words seldom come again.
  static let wordByteLimit = 64
  static let wordCountLimit = 1 << 17

  /// - Returns: whether the word is known, and then its tokens were appended.
  @inline(__always)
  func append(_ word: UTF8Text, hash: UInt64, to ids: inout [Int32]) -> Bool {
    guard let index = words.value(of: word, hash: hash) else { return false }
    let start = Int(starts[Int(index)])
    let end = Int(starts[Int(index) + 1])
    for position in start..<end { ids.append(tokens[position]) }
    return true
  }

  mutating func insert(_ word: UTF8Text, hash: UInt64, _ ids: ArraySlice<Int32>) {
    if words.count == WordCache.wordCountLimit {
      words.removeAll()
      tokens.removeAll(keepingCapacity: true)
      starts = [0]
    }
    words.insert(word, hash: hash, value: Int32(words.count))
    tokens.append(contentsOf: ids)
    starts.append(Int32(tokens.count))
  }
}
