public import FlapCore

/// Continuations of texts whose likelihood is asked for: questions with choices, as many as go through
/// the model together.
public struct ScoreWork: Hashable, Sendable {
  /// From 0, among those that a run gives out together.
  public let number: Int
  public let leaves: [ScoreLeaf]
  /// Of the plan that was broadcast, by which the model is pruned; nil: it is dense.
  public let plan: Digest?

  public init(number: Int, _ leaves: [ScoreLeaf], plan: Digest? = nil) {
    self.number = number
    self.leaves = leaves
    self.plan = plan
  }

  /// In the order of the report.
  public var spans: some Sequence<ScoreSpan> {
    leaves.lazy.flatMap(\.groups).flatMap(\.spans)
  }

  /// That go through the model.
  public var tokenCount: Int { leaves.reduce(0) { $0 + $1.tokenCount } }
}

/// What goes through a product together. A text's numbers do not depend on what is in its leaf besides.
public struct ScoreLeaf: Hashable, Sendable {
  public let groups: [ScoreGroup]

  public init(_ groups: [ScoreGroup]) { self.groups = groups }

  public var tokenCount: Int { groups.reduce(0) { $0 + $1.tokenCount } }
}

/// Texts that begin alike, and what is asked of them.
public struct ScoreGroup: Hashable, Sendable {
  /// Token ids.
  public let beginning: [Int32]
  /// What each text has beyond the beginning; none: the beginning is the only text.
  public let branches: [[Int32]]
  public let spans: [ScoreSpan]

  /// - Precondition: every text has a token, and every span lies in one.
  public init(beginning: [Int32], branches: [[Int32]] = [], spans: [ScoreSpan]) {
    self.beginning = beginning
    self.branches = branches
    self.spans = spans
    precondition(isWhole)
  }

  /// Tokens of each text.
  public var lengths: [Int] { ScoreGroup.lengths(beginning, branches) }

  static func lengths(_ beginning: [Int32], _ branches: [[Int32]]) -> [Int] {
    branches.isEmpty ? [beginning.count] : branches.map { beginning.count + $0.count }
  }

  public var tokenCount: Int { branches.reduce(beginning.count) { $0 + $1.count } }

  private var isWhole: Bool {
    let lengths = lengths
    return lengths.allSatisfy { $0 > 0 }
      && spans.allSatisfy { lengths.indices.contains($0.text) && $0.lies(in: lengths[$0.text]) }
  }
}

/// Tokens that follow each other in a text, or continue it: the last of them need not be in it.
public struct ScoreSpan: Hashable, Sendable {
  /// Its number in the group.
  public let text: Int
  /// The position of the token before the first.
  public let position: Int
  public let tokens: [Int32]

  public init(ofText text: Int, after position: Int, _ tokens: [Int32]) {
    self.text = text
    self.position = position
    self.tokens = tokens
  }

  /// - Parameter length: of the text.
  public func lies(in length: Int) -> Bool {
    !tokens.isEmpty && position >= 0 && position <= length - tokens.count
  }
}
