/// Which tokens of a leaf go through which experts, and with what gates.
///
/// What an expert computes with lies in gathered rows: its tokens one after another in their order,
/// from a multiple of 16 on, so that no operand tile holds rows of two experts.
public struct Routing: Sendable {
  /// A token on its way through one expert.
  public struct Visit: Sendable {
    /// The token's, among the rows of the leaf's matrices.
    let row: Int
    public let gate: Float
  }

  /// [expert], in the order of the tokens.
  public let visits: [[Visit]]
  /// The first gathered row of each expert, and behind the last.
  public let firstRows: [Int]

  /// - Parameter choices: of each token, in the order of the rows.
  init(_ choices: [(row: Int, experts: [ExpertChoice])], expertCount: Int) {
    var visits = Array(repeating: [Visit](), count: expertCount)
    for (row, experts) in choices {
      for choice in experts {
        visits[choice.expert].append(Visit(row: row, gate: choice.gate))
      }
    }
    self.visits = visits
    firstRows = visits.reduce(into: [0]) { rows, visits in
      rows.append(rows[rows.count - 1] + Routing.rows(of: visits.count))
    }
  }

  /// Experts that some token goes through, those with the most tokens first: threads that share them
  /// out then end at about the same time.
  var byLoad: [Int] {
    visits.indices.filter { !visits[$0].isEmpty }.sorted {
      (visits[$1].count, $0) < (visits[$0].count, $1)
    }
  }

  /// Gathered rows of a leaf at the most.
  static func rowLimit(tokens: Int, expertCount: Int, countPerToken: Int) -> Int {
    let visits = tokens * countPerToken
    return visits + 15 * min(expertCount, visits)
  }

  private static func rows(of visits: Int) -> Int { (visits + 15) / 16 * 16 }
}

/// An expert that a token goes through.
struct ExpertChoice: Equatable {
  let expert: Int
  /// What its output is multiplied by.
  let gate: Float

  /// The experts with the largest logits; of equal ones that with the lower index is the larger, as
  /// PyTorch's `topk` has it on the CPU.
  ///
  /// - Parameters:
  ///   - logits: [experts]; changed.
  ///   - exponentials: [experts], exp(logit − largest).
  static func best(
    _ count: Int, of exponentials: UnsafeMutableBufferPointer<Float>, normalizes: Bool
  ) -> [ExpertChoice] {
    let total = exponentials.reduce(0, +)
    var choices: [ExpertChoice] = []
    for _ in 0..<count {
      var best = 0
      for expert in exponentials.indices where exponentials[expert] > exponentials[best] {
        best = expert
      }
      choices.append(ExpertChoice(expert: best, gate: exponentials[best] / total))
      exponentials[best] = -1
    }
    guard normalizes else { return choices }
    let sum = choices.reduce(0) { $0 + $1.gate }
    return choices.map { ExpertChoice(expert: $0.expert, gate: $0.gate / sum) }
  }
}
