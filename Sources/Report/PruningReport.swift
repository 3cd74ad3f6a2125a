public import FlapCore
public import Pruning

/// The facts of one pruning run, and the page that shows them: `flap/report.html`.
///
/// What decides the bits of a checkpoint decides these facts, too, but for those of this one run:
/// the command, the workers, and how long everything took. They stand in the report alone.
public struct PruningReport: Sendable {
  public var model: Model
  public var plan: PruningPlan
  public var search: Search
  /// The standardized scores among which the search chose; nil leaves the distributions out.
  public var scores: UnitScores?
  /// The same of experts, [layer][expert]; nil where experts were not chosen by scores.
  public var expertScores: [[Double]]?
  /// Of each map's output, without the first k units of the order of removal, [units]; nil where there
  /// is none.
  public var errors: [PerTap<[Double]>]?
  /// What the model loses with fewer units of single modules; nil where that was not measured.
  public var losses: [PerTap<LossCurve>]?
  /// Whether removed channels left biases behind.
  public var compensation: CompensationMethod
  /// Of least squares: whether maps were fitted one after another, on what the pruned model brings to
  /// each.
  public var isSequential: Bool
  /// Of the maps that were fitted, as far as they are known.
  public var ridges: [FittedRidge] = []
  /// nil where no data were needed.
  public var calibration: DataSet?
  /// nil where nothing was evaluated.
  public var evaluation: Evaluation?
  /// nil where no questions were put.
  public var taskResults: TaskResults?
  /// nil where nobody has measured it.
  public var speed: SpeedMeasurement?
  public var files: [File]
  public var run: Run

  public init(
    model: Model, plan: PruningPlan, search: Search, scores: UnitScores?,
    errors: [PerTap<[Double]>]? = nil, losses: [PerTap<LossCurve>]? = nil,
    compensation: CompensationMethod, isSequential: Bool = false, calibration: DataSet?,
    evaluation: Evaluation?, files: [File], run: Run
  ) {
    self.model = model
    self.plan = plan
    self.search = search
    self.scores = scores
    self.errors = errors
    self.losses = losses
    self.compensation = compensation
    self.isSequential = isSequential
    self.calibration = calibration
    self.evaluation = evaluation
    self.files = files
    self.run = run
  }

  /// The sizes that are left.
  var prunedShape: ModelShape {
    plan.prunedShape(of: model.shape, compensating: compensation != .none)
  }
}

extension PruningReport {
  /// The dense model.
  public struct Model: Sendable {
    /// For people: the last part of its path.
    public var name: String
    public var digest: Digest
    public var shape: ModelShape
    /// Of its weights.
    public var byteCount: Int

    public init(name: String, digest: Digest, shape: ModelShape, byteCount: Int) {
      self.name = name
      self.digest = digest
      self.shape = shape
      self.byteCount = byteCount
    }
  }

  /// What was asked of the structure search, and what it found.
  public struct Search: Sendable {
    public var metric: String
    public var structure: String
    /// Of the decoder layers' parameters.
    public var ratioAsked: Double
    public var reached: ReachedRatio
    /// The standardized score of the best unit that goes; nil where no single score decides.
    public var threshold: Double?
    /// Units that stay only because a layer never loses its last one.
    public var unitsKeptByMinimum: Int
    /// What the search was told to spare.
    public var sparing: Sparing

    public init(
      metric: String, structure: String, ratioAsked: Double, reached: ReachedRatio,
      threshold: Double?, unitsKeptByMinimum: Int, sparing: Sparing = Sparing()
    ) {
      self.sparing = sparing
      self.metric = metric
      self.structure = structure
      self.ratioAsked = ratioAsked
      self.reached = reached
      self.threshold = threshold
      self.unitsKeptByMinimum = unitsKeptByMinimum
    }
  }

  /// Token ids that went through the model.
  public struct DataSet: Sendable {
    /// For people: the last part of its path.
    public var name: String
    public var digest: Digest
    public var sampleCount: Int
    public var tokenCount: Int
    /// Of each sample: the window that the model sees at once.
    public var tokensPerSample: Int { tokenCount / max(sampleCount, 1) }

    public init(name: String, digest: Digest, sampleCount: Int, tokenCount: Int) {
      self.name = name
      self.digest = digest
      self.sampleCount = sampleCount
      self.tokenCount = tokenCount
    }
  }

  /// Perplexities over the same data: exp of the mean negative log-likelihood per token.
  public struct Evaluation: Sendable {
    public var data: DataSet
    /// Tokens that were predicted.
    public var predictedTokenCount: Int
    public var densePerplexity: Double
    public var prunedPerplexity: Double

    public init(
      data: DataSet, predictedTokenCount: Int, densePerplexity: Double, prunedPerplexity: Double
    ) {
      self.data = data
      self.predictedTokenCount = predictedTokenCount
      self.densePerplexity = densePerplexity
      self.prunedPerplexity = prunedPerplexity
    }
  }

  /// A file that was written.
  public struct File: Sendable {
    public var name: String
    public var byteCount: Int
    public var digest: Digest

    public init(name: String, byteCount: Int, digest: Digest) {
      self.name = name
      self.byteCount = byteCount
      self.digest = digest
    }
  }
}
