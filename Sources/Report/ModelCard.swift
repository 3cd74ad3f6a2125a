public import FlapCore
public import Pruning

/// The model card: `README.md` of the output folder, as the Hugging Face hub reads it.
///
/// It says what the run knows, and nothing that was not measured; it holds no path, host or time,
/// so it can be published, and the same inputs give the same card.
public struct ModelCard: Sendable {
  /// What the dense model is called, for people.
  public var modelName: String
  /// `OWNER/NAME` on the hub; nil where nobody said: then the front matter has those of ``source``.
  public var baseModel: String?
  public var source: SourceCard
  public var modelDigest: Digest
  /// Of the dense model.
  public var shape: ModelShape
  public var plan: PruningPlan
  public var metric: String
  public var structure: String
  /// Of the decoder layers' parameters.
  public var ratioAsked: Double
  public var compensation: CompensationMethod
  /// Of least squares: whether maps were fitted one after another, on what the pruned model brings to
  /// each.
  public var isSequential: Bool
  /// Of the maps that were fitted, as far as they are known.
  public var ridges: [FittedRidge] = []
  /// What the search was told to spare.
  public var sparing = Sparing()
  /// The sum of the modules' losses, in nats per token; nil where they were not measured.
  public var predictedLoss: Double?
  /// nil where no data were needed.
  public var calibration: Calibration?
  public var evaluation: PruningReport.Evaluation?
  /// nil where no questions were put.
  public var taskResults: PruningReport.TaskResults?
  /// nil where nobody has measured it.
  public var speed: SpeedMeasurement?
  /// Whether transformers needs the Python files in the folder.
  public var needsRemoteCode: Bool
  /// The same model for llama.cpp, in the same folder; nil where there is none.
  public var ggufFile: String?
  public var version: String

  /// The data behind the scores.
  public struct Calibration: Sendable {
    public var digest: Digest
    /// nil where only the digest is known.
    public var sampleCount: Int?
    public var tokenCount: Int?

    public init(digest: Digest, sampleCount: Int?, tokenCount: Int?) {
      self.digest = digest
      self.sampleCount = sampleCount
      self.tokenCount = tokenCount
    }
  }

  public init(
    modelName: String, baseModel: String?, source: SourceCard, modelDigest: Digest,
    shape: ModelShape, plan: PruningPlan, metric: String, structure: String, ratioAsked: Double,
    compensation: CompensationMethod, isSequential: Bool = false, predictedLoss: Double? = nil,
    calibration: Calibration?, evaluation: PruningReport.Evaluation?,
    needsRemoteCode: Bool, ggufFile: String? = nil, version: String
  ) {
    self.modelName = modelName
    self.baseModel = baseModel
    self.source = source
    self.modelDigest = modelDigest
    self.shape = shape
    self.plan = plan
    self.metric = metric
    self.structure = structure
    self.ratioAsked = ratioAsked
    self.compensation = compensation
    self.isSequential = isSequential
    self.predictedLoss = predictedLoss
    self.calibration = calibration
    self.evaluation = evaluation
    self.needsRemoteCode = needsRemoteCode
    self.ggufFile = ggufFile
    self.version = version
  }

  var prunedShape: ModelShape { plan.prunedShape(of: shape, compensating: compensation != .none) }

  var reached: ReachedRatio {
    ReachedRatio(of: plan, for: shape, compensating: compensation != .none)
  }
}
