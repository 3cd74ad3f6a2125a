/// The negative log-likelihood of some evaluation tokens; its mean's exponential is the perplexity.
public struct LossSum: Hashable, Sendable {
  /// Sum over the predicted tokens, in nats.
  public var negativeLogLikelihood: Double
  /// Predicted tokens: all but the first of every sample.
  public var tokenCount: Int

  public init(negativeLogLikelihood: Double = 0, tokenCount: Int = 0) {
    self.negativeLogLikelihood = negativeLogLikelihood
    self.tokenCount = tokenCount
  }

  /// Mean per predicted token, in nats; NaN when there is none.
  public var meanNegativeLogLikelihood: Double { negativeLogLikelihood / Double(tokenCount) }
}

extension LossSum: Mergeable {
  public mutating func merge(_ right: LossSum) {
    negativeLogLikelihood += right.negativeLogLikelihood
    tokenCount += right.tokenCount
  }
}
