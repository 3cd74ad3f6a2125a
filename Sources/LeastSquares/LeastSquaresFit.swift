internal import Kernels

/// Weights and bias of a linear map that is left with some of its input channels, by least squares:
///
///     Δ  = W_P·C_PK·(C_KK + λ·diag C_KK)⁻¹
///     W' = W_K + Δ,    b = W_P·μ_P − Δ·μ_K
///
/// The error that remains is W_P·(x_P − what x_K predicts of it). With λ → ∞ it is FLAP's bias
/// compensation. With a ``Covariance/Target`` y, Δ = (C_yx,K − W_K·C_KK)·(C_KK + λ·diag C_KK)⁻¹ and
/// b = μ_y − W'·μ_K. The ridge, relative to each channel's variance, knows no scale of channels.
///
/// Channels that are constant (``Covariance/isConstant(_:)``) keep their weights if they are kept,
/// and go into the bias if they are not.
public struct LeastSquaresFit {
  /// λ as it was asked for.
  public let ridgeAsked: Double
  /// λ with which C could be factored: that asked for, or 10 times as much, again and again.
  public let ridge: Double
  /// Ascending.
  public let keptChannels: [Int]
  /// W', [outputs, ``keptChannels``.count].
  public let weight: Matrix
  /// The bias that the map had, and b; [outputs].
  public let bias: [Double]
  /// b, [outputs].
  private let addedBias: [Double]

  /// Bytes at the same time, besides W and C: W', C of the kept channels, and panels.
  public static func byteCount(outputs: Int, channels: Int, kept: Int) -> Int {
    Regression.byteCount(outputs: outputs, channels: channels, kept: kept)
      + Cholesky.byteCount(kept)
  }

  /// - Parameters:
  ///   - weight: W.
  ///   - flags: whether a channel is kept, [channels].
  ///   - covariance: of the map's input, as it is to be fitted to.
  ///   - ridge: λ ≥ 0.
  ///   - existing: the bias that the map has, [outputs].
  public init(
    of weight: WeightRows, keeping flags: [Bool], from covariance: Covariance, ridge: Double,
    existing: [Double]? = nil, on algebra: AlgebraTeam
  ) throws(LeastSquaresError) {
    let regression = try Regression(of: weight, keeping: flags, from: covariance, on: algebra)
    try self.init(
      regression, ridge: ridge, existing: existing, keepingCross: false, on: algebra)
  }

  /// - Parameter keepingCross: whether the regression is used again.
  init(
    _ regression: Regression, ridge asked: Double, existing: [Double]?, keepingCross: Bool,
    on algebra: AlgebraTeam
  ) throws(LeastSquaresError) {
    let outputCount = regression.weight.outputCount
    precondition(existing.map { $0.count == outputCount } ?? true, "One bias per output.")
    ridgeAsked = asked
    let delta: Matrix
    (delta, ridge) = try regression.solve(ridge: asked, keepingCross: keepingCross, on: algebra)
    keptChannels = regression.kept
    let added = Matrix(rows: outputCount, columns: 1)
    let mean = regression.covariance.mean
    let target = regression.covariance.target
    regression.weight.forEachRow(0..<outputCount, on: algebra) { row, w in
      let fitted = delta.row(row)
      var bias = 0.0
      if let target {
        bias = target.mean[row]
        for channel in regression.kept { bias -= Double(w[channel]) * mean[channel] }
      } else {
        for channel in regression.pruned { bias += Double(w[channel]) * mean[channel] }
      }
      for (index, channel) in regression.kept.enumerated() {
        bias -= fitted[index] * mean[channel]
        fitted[index] += Double(w[channel])
      }
      added.values[row] = bias
    }
    self.weight = delta
    let biases = (0..<outputCount).map { added.values[$0] }
    addedBias = biases
    bias = existing.map { existing in biases.indices.map { existing[$0] + biases[$0] } } ?? biases
  }
}

/// How well it does.
extension LeastSquaresFit {
  /// Outputs whose errors are computed at once.
  private static let outputsAtOnce = 512

  /// Bytes at the same time, besides W, C and the fit itself.
  public static func errorByteCount(outputs: Int, channels: Int) -> Int {
    Matrix.byteCount(rows: min(outputs, outputsAtOnce), columns: channels)
      + Covariance.outputVarianceByteCount(channels: channels)
  }

  /// Mean over tokens of ‖y − (W'·x_K + b)‖², the squared error summed over all outputs, on the
  /// tokens of any statistics: those fitted to, or held-out ones, whose mean differs as well.
  ///
  /// outputs · channels² multiplications and additions.
  ///
  /// - Parameters:
  ///   - original: W.
  ///   - covariance: with a target exactly if the fit had one.
  public func error(
    of original: WeightRows, on covariance: Covariance, with algebra: AlgebraTeam
  ) throws(LeastSquaresError) -> Double {
    precondition(original.channelCount == covariance.channelCount, "One mean per channel.")
    try covariance.validate()
    var sum = 0.0
    for first in stride(from: 0, to: original.outputCount, by: LeastSquaresFit.outputsAtOnce) {
      let outputs =
        first..<min(first + LeastSquaresFit.outputsAtOnce, original.outputCount)
      let errors =
        if let target = covariance.target {
          errors(target, outputs, on: covariance, with: algebra)
        } else {
          errors(original, outputs, on: covariance, with: algebra)
        }
      sum += errors.reduce(0, +)
    }
    return sum
  }

  /// Of y = W·x: the error's own map is D = [W_P, W_K − W'].
  private func errors(
    _ original: WeightRows, _ outputs: Range<Int>, on covariance: Covariance,
    with algebra: AlgebraTeam
  ) -> [Double] {
    let d = Matrix(rows: outputs.count, columns: original.channelCount)
    original.forEachRow(outputs, on: algebra) { row, w in
      let (to, fitted) = (d.row(row - outputs.lowerBound), weight.row(row))
      for channel in 0..<d.columns { to[channel] = Double(w[channel]) }
      for (index, channel) in keptChannels.enumerated() { to[channel] -= fitted[index] }
    }
    let variances = covariance.outputVariance(d, of: Array(0..<d.columns), on: algebra)
    return outputs.map { output in
      let row = output - outputs.lowerBound
      let mean = dot(d.row(row), covariance.mean, count: d.columns) - addedBias[output]
      return variances[row] + mean * mean
    }
  }

  private func errors(
    _ target: Covariance.Target, _ outputs: Range<Int>, on covariance: Covariance,
    with algebra: AlgebraTeam
  ) -> [Double] {
    let fitted = weight.copy(rows: outputs)
    let variances = covariance.outputVariance(fitted, of: keptChannels, on: algebra)
    let keptMean = keptChannels.map { covariance.mean[$0] }
    return outputs.map { output in
      let row = output - outputs.lowerBound
      let cross = keptChannels.map { target.cross.row(output)[$0] }
      let variance =
        target.variance[output] - 2 * dot(fitted.row(row), cross, count: cross.count)
        + variances[row]
      let mean =
        target.mean[output] - dot(fitted.row(row), keptMean, count: cross.count)
        - addedBias[output]
      return variance + mean * mean
    }
  }
}
