public import FlapCore

/// What each way to prune makes of a model: `compare.html`.
///
/// It holds no path, host or time: the same measurements give the same page.
public struct ComparisonReport: Sendable {
  /// One method at one ratio.
  public struct Entry: Sendable {
    public var method: String
    /// Of the decoder layers' parameters.
    public var ratioAsked: Double
    public var ratioReached: Double
    public var perplexity: Double
    /// In nats per token; nil where no losses decided.
    public var predictedLoss: Double?
    /// Part of what FLAP loses that this method does not; nil where FLAP is not among them.
    public var takenBack: Double?

    public init(
      method: String, ratioAsked: Double, ratioReached: Double, perplexity: Double,
      predictedLoss: Double?, takenBack: Double?
    ) {
      self.method = method
      self.ratioAsked = ratioAsked
      self.ratioReached = ratioReached
      self.perplexity = perplexity
      self.predictedLoss = predictedLoss
      self.takenBack = takenBack
    }
  }

  /// For people: the last part of its path.
  public var modelName: String
  public var modelDigest: Digest
  public var calibration: PruningReport.DataSet
  public var evaluation: PruningReport.DataSet
  /// Tokens that were predicted.
  public var predictedTokenCount: Int
  public var densePerplexity: Double
  public var entries: [Entry]
  public var version: String

  public init(
    modelName: String, modelDigest: Digest, calibration: PruningReport.DataSet,
    evaluation: PruningReport.DataSet, predictedTokenCount: Int, densePerplexity: Double,
    entries: [Entry], version: String
  ) {
    self.modelName = modelName
    self.modelDigest = modelDigest
    self.calibration = calibration
    self.evaluation = evaluation
    self.predictedTokenCount = predictedTokenCount
    self.densePerplexity = densePerplexity
    self.entries = entries
    self.version = version
  }

  /// As they were asked for, each once, in their order.
  var ratios: [Double] {
    entries.map(\.ratioAsked).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
