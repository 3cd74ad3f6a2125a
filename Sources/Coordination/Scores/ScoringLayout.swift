/// A text and the tokens that continue it: the model reads the text, whose last tokens but one are
/// those of the continuation.
public struct ScoredText: Hashable, Sendable {
  /// All but the last token.
  public let input: [Int32]
  public let continuation: [Int32]

  /// - Precondition: the continuation has a token, and the input as many at least.
  public init(input: [Int32], continuation: [Int32]) {
    precondition(!continuation.isEmpty && continuation.count <= input.count)
    self.input = input
    self.continuation = continuation
  }
}

/// How texts are put together in leaves: those of a question begin alike, and what they share is
/// computed once where that is less.
///
/// Nothing here decides a bit of the result: a text's numbers do not depend on its neighbours.
public struct ScoringLayout: Sendable {
  public let leaves: [ScoreLeaf]
  /// Of the longest text, rounded up to whole blocks of 32.
  public let tokensPerText: Int
  /// Texts of this length for which a leaf has room.
  public let textsPerLeaf: Int
  /// Of each leaf, which text each of its spans is of.
  private let places: [[Int]]
  private let textCount: Int

  /// Tokens that tiles of attention hold, bf16: a text takes whole ones.
  static let blockTokens = 32
  /// Rows of a tile of the products.
  private static let rowTokens = 16

  /// - Parameters:
  ///   - questions: the texts of each.
  ///   - tokensPerLeaf: about; one text goes into a leaf, however long.
  /// - Precondition: there is a text.
  public init(_ questions: [[ScoredText]], tokensPerLeaf: Int) {
    let longest = questions.joined().map(\.input.count).max()
    guard let longest else { preconditionFailure("nothing is asked") }
    let blocks = ScoringLayout.blocks(longest, of: ScoringLayout.blockTokens)
    tokensPerText = blocks * ScoringLayout.blockTokens
    textsPerLeaf = max(1, tokensPerLeaf / tokensPerText)
    let room = textsPerLeaf * blocks
    var leaves: [ScoreLeaf] = []
    var places: [[Int]] = []
    var (groups, spans, taken) = ([ScoreGroup](), [Int](), 0)
    func close() {
      guard !groups.isEmpty else { return }
      leaves.append(ScoreLeaf(groups))
      places.append(spans)
      (groups, spans, taken) = ([], [], 0)
    }
    var first = 0
    for texts in questions {
      for part in ScoringLayout.groups(texts, room: room) {
        if taken + part.blocks > room { close() }
        groups.append(part.group)
        spans += part.texts.map { first + $0 }
        taken += part.blocks
      }
      first += texts.count
    }
    close()
    self.leaves = leaves
    self.places = places
    textCount = first
  }

  /// The scores of all texts, question by question.
  ///
  /// - Parameter spans: of every leaf, as its groups have them.
  public func scores(_ spans: [[SpanScore]]) -> [SpanScore] {
    var scores = Array(
      repeating: SpanScore(logLikelihood: 0, isGreedy: false), count: textCount)
    for (leaf, values) in zip(places, spans) {
      precondition(leaf.count == values.count, "a score for every span")
      for (text, score) in zip(leaf, values) { scores[text] = score }
    }
    return scores
  }

  // MARK: Groups

  private struct Part {
    let group: ScoreGroup
    /// Of each span, its text's number in the question.
    let texts: [Int]
    /// That its texts take in a leaf.
    let blocks: Int

    init(_ group: ScoreGroup, _ texts: [Int]) {
      self.group = group
      self.texts = texts
      blocks = group.lengths.reduce(0) {
        $0 + ScoringLayout.blocks($1, of: ScoringLayout.blockTokens)
      }
    }
  }

  private static func groups(_ texts: [ScoredText], room: Int) -> [Part] {
    // Texts of which only the last token differs are one input.
    var inputs: [[Int32]] = []
    var numbers: [[Int32]: Int] = [:]
    let inputOfText = texts.map { text in
      if let number = numbers[text.input] { return number }
      numbers[text.input] = inputs.count
      inputs.append(text.input)
      return inputs.count - 1
    }
    func part(_ range: Range<Int>, sharing shared: Int) -> Part {
      let chosen = texts.indices.filter { range.contains(inputOfText[$0]) }
      let spans = chosen.map { index in
        let text = texts[index]
        return ScoreSpan(
          ofText: inputOfText[index] - range.lowerBound,
          after: text.input.count - text.continuation.count, text.continuation)
      }
      let first = inputs[range.lowerBound]
      let group =
        range.count == 1
        ? ScoreGroup(beginning: first, spans: spans)
        : ScoreGroup(
          beginning: Array(first.prefix(shared)),
          branches: inputs[range].map { Array($0.dropFirst(shared)) }, spans: spans)
      return Part(group, chosen)
    }
    func separate() -> [Part] { inputs.indices.map { part($0..<$0 + 1, sharing: 0) } }
    let shared = sharedCount(inputs)
    guard inputs.count > 1, isLess(inputs, sharing: shared) else { return separate() }
    // As many at a time as one leaf has room for.
    var parts: [Part] = []
    var (start, taken) = (0, 0)
    for (index, input) in inputs.enumerated() {
      let count = blocks(input.count, of: blockTokens)
      if taken + count > room {
        parts.append(part(start..<index, sharing: shared))
        (start, taken) = (index, 0)
      }
      taken += count
    }
    parts.append(part(start..<inputs.count, sharing: shared))
    return parts
  }

  private static func sharedCount(_ inputs: [[Int32]]) -> Int {
    inputs.dropFirst().reduce(inputs[0].count) { shared, input in
      zip(inputs[0].prefix(shared), input).prefix { $0 == $1 }.count
    }
  }

  /// Whether fewer rows are computed.
  private static func isLess(_ inputs: [[Int32]], sharing shared: Int) -> Bool {
    func rows(_ count: Int) -> Int { blocks(count, of: rowTokens) }
    let separate = inputs.reduce(0) { $0 + rows($1.count) }
    return inputs.reduce(rows(shared)) { $0 + rows($1.count - shared) } < separate
  }

  private static func blocks(_ count: Int, of size: Int) -> Int { (count + size - 1) / size }
}
