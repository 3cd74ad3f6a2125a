/// Scores of one layer and module made comparable with those of others: (x − mean) / s, with the
/// sample standard deviation s over the layer's channels (divisor n − 1).
///
/// Where all channels score the same, or there is but one, nothing sets any apart: all become 0,
/// the mean of every standardized layer (and not 0/0).
package func standardized(_ scores: [Double]) -> [Double] {
  guard scores.count > 1, let first = scores.first, scores.contains(where: { $0 != first }) else {
    return Array(repeating: 0, count: scores.count)
  }
  let count = Double(scores.count)
  let mean = PairwiseSum.sum(scores) / count
  let deviations = scores.map { $0 - mean }
  let variance = PairwiseSum.sum(deviations.map { $0 * $0 }) / (count - 1)
  let standardDeviation = variance.squareRoot()
  // Differences so small that their squares vanish are no differences.
  guard standardDeviation > 0 else { return Array(repeating: 0, count: scores.count) }
  return deviations.map { $0 / standardDeviation }
}

/// Sums of the channels of each group.
func groupSums(_ scores: [Double], groupCount: Int) -> [Double] {
  let width = scores.count / groupCount
  return (0..<groupCount).map { PairwiseSum.sum(scores, $0 * width..<($0 + 1) * width) }
}
