/// What goes wrong with the algebra.
public enum LeastSquaresError: Error, Hashable, Sendable {
  /// A pivot of a Cholesky factorization is not above rounding.
  case notPositiveDefinite(pivot: Int)
  /// Not even with the largest ridge that is tried.
  case notFactored(ridge: Double)
  /// A channel's mean or variance is not a finite number.
  case notFinite(channel: Int)
  case noTokens
}

extension LeastSquaresError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notPositiveDefinite(let pivot):
      "The matrix is not positive definite: pivot \(pivot) is not above rounding; use a larger "
        + "ridge."
    case .notFactored(let ridge):
      "The channels' second moments cannot be factored, not even with a ridge of \(ridge); they "
        + "are damaged: calibrate again."
    case .notFinite(let channel):
      "The mean or variance of channel \(channel) is not finite; check the model's weights and "
        + "calibrate again."
    case .noTokens:
      "The second moments count no tokens; calibrate with more samples."
    }
  }
}
