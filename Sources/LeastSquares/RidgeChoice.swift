/// The ridge λ with which a map's fit errs least on tokens that it has not seen.
///
/// No forward pass: the held-out tokens' second moments say the error. It has one minimum over λ
/// as a rule, so the search goes downhill from the middle candidate and stops where it rises on
/// both sides. Errors are those of at most `outputLimit` outputs, evenly taken: λ is about the
/// channels, which all outputs share, and each λ costs a factorization and little more.
public struct RidgeChoice {
  /// λ relative to a channel's variance.
  public static let candidates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
  static let outputLimit = 512

  /// The ridge as used: raised where C did not factor with the candidate.
  public let ridge: Double
  /// Whether C did not factor with the candidate.
  public let isRaised: Bool
  /// What was tried, by ascending ridge; errors summed over the outputs taken.
  public let errors: [(ridge: Double, error: Double)]

  /// Bytes at the same time, besides W and both C.
  public static func byteCount(outputs: Int, channels: Int, kept: Int) -> Int {
    let taken = min(outputs, outputLimit)
    return LeastSquaresFit.byteCount(outputs: taken, channels: channels, kept: kept)
      + LeastSquaresFit.errorByteCount(outputs: taken, channels: channels)
      + Matrix.byteCount(rows: taken, columns: kept)
  }

  /// - Parameters:
  ///   - covariance: of the tokens that are fitted to.
  ///   - heldOut: of other tokens; with a target exactly if the first has one.
  ///   - candidates: ascending.
  public init(
    of weight: WeightRows, keeping flags: [Bool], from covariance: Covariance,
    heldOut: Covariance, candidates: [Double] = RidgeChoice.candidates, on algebra: AlgebraTeam
  ) throws(LeastSquaresError) {
    precondition(!candidates.isEmpty && candidates == candidates.sorted(), "Ascending candidates.")
    precondition((covariance.target == nil) == (heldOut.target == nil), "Both have a target.")
    let outputs = RidgeChoice.outputs(of: weight.outputCount)
    let part = weight.selecting(outputs: outputs)
    let held = heldOut.selecting(outputs: outputs)
    let regression = try Regression(
      of: part, keeping: flags, from: covariance.selecting(outputs: outputs), on: algebra)
    var tried: [Int: (ridge: Double, error: Double)] = [:]
    func error(_ index: Int) throws(LeastSquaresError) -> Double {
      guard candidates.indices.contains(index) else { return .infinity }
      if let known = tried[index] { return known.error }
      let fit = try LeastSquaresFit(
        regression, ridge: candidates[index], existing: nil, keepingCross: true, on: algebra)
      let error = try fit.error(of: part, on: held, with: algebra)
      tried[index] = (fit.ridge, error)
      return error
    }
    var best = candidates.count / 2
    let start = best
    while try error(best - 1) < error(best) { best -= 1 }
    if best == start {
      while try error(best + 1) < error(best) { best += 1 }
    }
    ridge = tried[best]!.ridge
    isRaised = ridge != candidates[best]
    errors = tried.keys.sorted().map { tried[$0]! }
  }

  /// At most `outputLimit` of the outputs, at even distances.
  private static func outputs(of count: Int) -> [Int] {
    let taken = min(count, outputLimit)
    return (0..<taken).map { $0 * count / taken }
  }
}
