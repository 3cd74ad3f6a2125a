/// Sums in the order that numpy uses for contiguous f64 (`DOUBLE_pairwise_sum`): halves down to
/// runs of at most 128, each run in eight interleaved partial sums.
///
/// Its rounding error grows with log n instead of n, and scores get the same bits as in numpy, so
/// that a decision that hangs on the last bit falls as it does there.
package enum PairwiseSum {
  /// Σ of the values in `range`.
  package static func sum(_ values: [Double], _ range: Range<Int>) -> Double {
    values.withUnsafeBufferPointer { sum(UnsafeBufferPointer(rebasing: $0[range])) }
  }

  package static func sum(_ values: [Double]) -> Double { sum(values, values.indices) }

  private static func sum(_ values: UnsafeBufferPointer<Double>) -> Double {
    let count = values.count
    guard count <= 128 else {
      let half = count / 2 - count / 2 % 8
      return sum(UnsafeBufferPointer(rebasing: values[..<half]))
        + sum(UnsafeBufferPointer(rebasing: values[half...]))
    }
    guard count >= 8 else { return values.reduce(0, +) }
    var lanes = SIMD8<Double>(values[0..<8])
    let whole = count - count % 8
    for start in stride(from: 8, to: whole, by: 8) {
      for lane in 0..<8 { lanes[lane] += values[start + lane] }
    }
    var total =
      ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
      + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    for rest in whole..<count { total += values[rest] }
    return total
  }
}
