internal import Kernels

/// What the kept channels leave of the wanted output, before anything is fitted, and how it goes
/// along with them: r = y − W_K·x_K, G = E rx_Kᵀ − E r·μ_Kᵀ. Then Δ = G·(C_KK + Λ_K)⁻¹ is what is
/// added to W_K.
///
/// Where y = W·x, r = W_P·x_P and G = W_P·C_PK.
struct Regression {
  /// Channels of the sum in G that are in memory at once.
  private static let panelDepth = 1024

  let weight: WeightRows
  let covariance: Covariance
  /// Ascending.
  let kept: [Int]
  let pruned: [Int]
  /// G, [outputs, kept.count]; zeros for channels that are constant.
  private let cross: Matrix

  static func byteCount(outputs: Int, channels: Int, kept: Int) -> Int {
    Matrix.byteCount(rows: outputs, columns: kept)
      + Matrix.byteCount(rows: panelDepth, columns: kept)
      + Matrix.byteCount(rows: outputs, columns: panelDepth)
  }

  init(
    of weight: WeightRows, keeping flags: [Bool], from covariance: Covariance,
    on algebra: AlgebraTeam
  ) throws(LeastSquaresError) {
    precondition(
      flags.count == weight.channelCount && flags.count == covariance.channelCount,
      "One flag and one mean per channel.")
    precondition(
      covariance.target.map { $0.cross.rows == weight.outputCount } ?? true, "One row per output.")
    try covariance.validate()
    self.weight = weight
    self.covariance = covariance
    kept = flags.indices.filter { flags[$0] }
    pruned = flags.indices.filter { !flags[$0] }
    cross = Matrix(rows: weight.outputCount, columns: kept.count)
    if let target = covariance.target {
      for row in 0..<cross.rows {
        for (column, channel) in kept.enumerated() {
          cross.row(row)[column] = target.cross.row(row)[channel]
        }
      }
      accumulate(kept, .subtract, on: algebra)
    } else {
      accumulate(pruned, .add, on: algebra)
    }
    for (column, channel) in kept.enumerated() where covariance.isConstant(channel) {
      for row in 0..<cross.rows { cross.row(row)[column] = 0 }
    }
  }

  /// G ± W_S·C_SK for channels S.
  private func accumulate(
    _ channels: [Int], _ update: DoubleProduct.Update, on algebra: AlgebraTeam
  ) {
    for first in stride(from: 0, to: channels.count, by: Regression.panelDepth) {
      let part = channels[first..<min(first + Regression.panelDepth, channels.count)]
      let panel = Matrix(rows: part.count, columns: kept.count)
      covariance.gather(part, kept[...], to: panel.block, on: algebra)
      let w = weight.gather(Array(part), on: algebra)
      algebra.multiply(w.block, panel.block, update, to: cross.block)
    }
  }

  /// Δ [outputs, kept.count], and the ridge that it took.
  ///
  /// - Parameter keepingCross: false: Δ is made in place of G, and there is no other.
  func solve(
    ridge: Double, keepingCross: Bool, on algebra: AlgebraTeam
  ) throws(LeastSquaresError) -> (delta: Matrix, ridge: Double) {
    let delta = keepingCross ? cross.copy(rows: 0..<cross.rows) : cross
    if pruned.isEmpty && covariance.target == nil { return (delta, ridge) }
    let (factor, ridge) = try covariance.factor(kept, ridge: ridge, on: algebra)
    factor.solve(rows: delta)
    return (delta, ridge)
  }
}

extension Covariance {
  /// C + λ·diag(C) of some channels, factored; λ is ten times as large as often as it takes.
  fileprivate func factor(
    _ channels: [Int], ridge: Double, on algebra: AlgebraTeam
  ) throws(LeastSquaresError) -> (result: Cholesky, ridge: Double) {
    try Ridge.raising(from: ridge) { (ridge) throws(LeastSquaresError) in
      try Cholesky(factoring: gatherLower(channels, ridge: ridge, on: algebra), on: algebra)
    }
  }
}
