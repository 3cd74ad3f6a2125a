/// Which tokens of a leaf go through which experts, and with what gates.
///
/// What an expert computes with lies in gathered rows: its tokens one after another in their order,
/// from a multiple of 16 on, so that no operand tile holds rows of two experts.
public struct Routing: Sendable {
  /// A token on its way through one expert.
  public struct Visit: Sendable {
    /// The token's, among the rows of the leaf's matrices.
    package let row: Int
    public let gate: Float
  }

  /// [expert], in the order of the tokens.
  public let visits: [[Visit]]
  /// The places of the experts among those that compute; nil: a mean is all that is left of one, and it
  /// gathers nothing.
  package let places: [Int?]
  /// The first gathered row of each expert, and behind the last.
  public let firstRows: [Int]

  /// - Parameters:
  ///   - choices: of each token, in the order of the rows.
  ///   - replaced: experts of which a mean is left.
  package init(
    _ choices: [(row: Int, experts: [ExpertChoice])], expertCount: Int, replaced: [Int] = []
  ) {
    var visits = Array(repeating: [Visit](), count: expertCount)
    for (row, experts) in choices {
      for choice in experts {
        visits[choice.expert].append(Visit(row: row, gate: choice.gate))
      }
    }
    self.visits = visits
    let isReplaced = Set(replaced)
    var computing = 0
    places = (0..<expertCount).map { expert in
      guard !isReplaced.contains(expert) else { return nil }
      computing += 1
      return computing - 1
    }
    firstRows = zip(visits, places).reduce(into: [0]) { rows, expert in
      let own = expert.1 == nil ? 0 : Routing.rows(of: expert.0.count)
      rows.append(rows[rows.count - 1] + own)
    }
  }

  /// Whether a mean is all that is left of an expert.
  public func isReplaced(_ expert: Int) -> Bool { places[expert] == nil }

  /// Experts that compute for some token, those with the most tokens first: threads that share them
  /// out then end at about the same time.
  package var byLoad: [Int] {
    visits.indices.filter { !visits[$0].isEmpty && !isReplaced($0) }.sorted {
      (visits[$1].count, $0) < (visits[$0].count, $1)
    }
  }

  /// Gathered rows of a leaf at the most.
  package static func rowLimit(tokens: Int, expertCount: Int, countPerToken: Int) -> Int {
    let visits = tokens * countPerToken
    return visits + 15 * min(expertCount, visits)
  }

  private static func rows(of visits: Int) -> Int { (visits + 15) / 16 * 16 }
}

/// An expert that a token goes through.
package struct ExpertChoice: Equatable {
  package let expert: Int
  /// What its output is multiplied by.
  package let gate: Float

  package init(expert: Int, gate: Float) {
    self.expert = expert
    self.gate = gate
  }

  /// The experts with the largest gates, in their descending order; where the last of them is as large as
  /// one that is left out, PyTorch's ``TiedTop``.
  ///
  /// - Parameter gates: [experts], the softmax of the router's logits; changed.
  package static func largest(
    _ count: Int, of gates: UnsafeMutableBufferPointer<Float>, normalizes: Bool
  ) -> [ExpertChoice] {
    let all = Array(gates)
    var chosen: [Int] = []
    for _ in 0..<count {
      var best = 0
      for expert in gates.indices where gates[expert] > gates[best] { best = expert }
      chosen.append(best)
      gates[best] = -1
    }
    let least = all[chosen[count - 1]]
    if gates.contains(least) { chosen = TiedTop.indices(count, of: all) }
    let sum = normalizes ? chosen.reduce(0) { $0 + all[$1] } : 1
    return chosen.map { ExpertChoice(expert: $0, gate: all[$0] / sum) }
  }
}
