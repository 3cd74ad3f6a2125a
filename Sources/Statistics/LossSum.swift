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

extension LossSum: SampleStatistic {
  public static let kind = StatisticKind("loss")
  public static let source = StatisticSource.predictions

  public mutating func merge(_ right: LossSum) {
    negativeLogLikelihood += right.negativeLogLikelihood
    tokenCount += right.tokenCount
  }

  /// The sum, f64, then the count of tokens.
  public static func byteCount(channelCount: Int) -> Int { 16 }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: 16)
    writer.append([negativeLogLikelihood])
    writer.append(count: tokenCount)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let sum = reader.values(1) else {
      preconditionFailure("a loss in \(bytes.count) bytes")
    }
    // A count that cannot be becomes one that ``validate()`` refuses.
    self.init(negativeLogLikelihood: sum[0], tokenCount: reader.count() ?? -1)
  }

  public func validate() throws(StatisticDefect) {
    guard tokenCount >= 0 else { throw .tokenCount(found: tokenCount) }
    guard negativeLogLikelihood.isFinite else { throw .notFinite(channel: 0) }
  }
}
