internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Foundation
internal import Kernels
internal import Launching
internal import Pruning
internal import Report
internal import Statistics
internal import Storage
internal import SystemPackage

/// What a run tells people in its output folder: the model card and the report.
struct RunDocuments {
  let inputs: RunInputs
  let plan: PruningPlan
  let metric: String
  let structure: String
  let ratioAsked: Double
  let compensation: CompensationMethod
  var isSequential = false
  /// With the losses, where they were measured; nil where there is no file of it.
  let statistics: ModelStatistics?
  let baseModel: String?
  var ridges: [FittedRidge] = []
  var sparing = Sparing()
  var evaluation: PruningReport.Evaluation?
  var taskResults: PruningReport.TaskResults?

  /// The Hugging Face hub's own limit is far below.
  private static let largestCardBytes = 4 << 20

  /// Writes `README.md`. - Precondition: `config.json` is there.
  func writeCard(_ calibration: ModelCard.Calibration?, to folder: FilePath) throws {
    let path = inputs.directory.absolute.string
    var card = ModelCard(
      modelName: ModelName.short(path: path),
      baseModel: baseModel ?? ModelName.onHub(path: path), source: sourceCard,
      modelDigest: inputs.checkpoint.digest, shape: inputs.shape, plan: plan, metric: metric,
      structure: structure, ratioAsked: ratioAsked, compensation: compensation,
      isSequential: isSequential, predictedLoss: try lossCurves()?.loss(of: plan),
      calibration: calibration, evaluation: evaluation,
      needsRemoteCode: try RunDocuments.needsRemoteCode(folder),
      ggufFile: try Folder.entries(of: folder).filter { $0.hasSuffix(".gguf") }.min(),
      version: SoftwareVersion.current)
    card.ridges = ridges
    card.sparing = sparing
    card.taskResults = taskResults
    card.speed = SpeedMeasurement.kept(in: folder)
    try AtomicFile.write(Array(card.markdown().utf8), to: folder.appending("README.md"))
  }

  /// nil where no losses were measured.
  private func lossCurves() throws -> [PerTap<LossCurve>]? {
    guard let statistics, statistics[ModuleLosses.self] != nil else { return nil }
    return try statistics.lossCurves(of: inputs.shape)
  }

  /// Empty where the dense model has no card that can be read.
  private var sourceCard: SourceCard {
    let path = inputs.directory.appending("README.md")
    guard let bytes = try? SmallFile.read(path, limit: RunDocuments.largestCardBytes),
      let text = String(validating: bytes, as: UTF8.self)
    else { return SourceCard() }
    return SourceCard(markdown: text)
  }

  private static func needsRemoteCode(_ folder: FilePath) throws -> Bool {
    let bytes = try SmallFile.read(folder.appending("config.json"), limit: Limits.jsonFileBytes)
    let fields = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    return fields?["auto_map"] != nil
  }

  /// Writes `flap/report.html`.
  ///
  /// - Parameter files: what is told with its digest.
  func writeReport(
    _ result: SearchResult, _ statistics: ModelStatistics, _ metric: Metric,
    calibration: PruningReport.DataSet?, files: [PruningReport.File],
    run: PruningReport.Run, to folder: FilePath
  ) throws {
    let scores =
      metric.isOfExperts
      ? nil
      : UnitScores(
        standardizing: try LayerScores.scores(
          metric: metric, statistics, of: inputs.shape),
        shape: inputs.shape)
    var report = PruningReport(
      model: PruningReport.Model(
        name: ModelName.short(path: inputs.directory.absolute.string),
        digest: inputs.checkpoint.digest, shape: inputs.shape,
        byteCount: inputs.checkpoint.byteCount),
      plan: plan,
      search: PruningReport.Search(
        metric: self.metric, structure: structure, ratioAsked: ratioAsked,
        reached: result.reached, threshold: result.threshold,
        unitsKeptByMinimum: result.unitsKeptByMinimum, sparing: sparing),
      scores: scores,
      errors: statistics[RemovalCurve.self] == nil
        ? nil : try statistics.removalErrors(of: inputs.shape),
      losses: try lossCurves(), compensation: compensation, isSequential: isSequential,
      calibration: calibration, evaluation: evaluation,
      files: files, run: run)
    if metric.isOfExperts {
      report.expertScores = ExpertSearch(metric: metric).standardizedScores(statistics)
    }
    report.ridges = ridges
    report.taskResults = taskResults
    report.speed = SpeedMeasurement.kept(in: folder)
    try AtomicFile.write(Array(report.html().utf8), to: folder.pushing("flap/report.html"))
  }
}

extension PruningReport.File {
  /// What was measured and decided, of a run's output folder.
  static func records(in folder: FilePath) throws -> [PruningReport.File] {
    try ["flap/statistics.safetensors", "flap/plan.safetensors"].compactMap { name in
      let path = folder.pushing(FilePath(name))
      guard let byteCount = SmallFile.byteCount(path) else { return nil }
      return PruningReport.File(
        name: name, byteCount: byteCount, digest: try SmallFile.digest(path))
    }
  }
}

extension PruningReport.Run {
  init(
    command: [String], compute: ComputeType?, seconds: Double, peakWorkerBytes: Int,
    isResumed: Bool, _ account: WorkAccount
  ) {
    self.init(
      command: command.map(ShellQuoting.quote), version: SoftwareVersion.current,
      kernels: KernelRecord.text(account.kernels), compute: compute?.rawValue,
      finishedAt: Date.now.formatted(.iso8601.dateTimeSeparator(.space)), seconds: seconds,
      peakWorkerBytes: peakWorkerBytes, isResumed: isResumed, phases: account.phases,
      workers: account.workers, events: account.events)
  }
}

extension PruningReport.File {
  init(_ shard: LedgerRecord) {
    self.init(name: shard.fileName, byteCount: shard.bytes.count, digest: shard.digest)
  }
}

extension ModelCard.Calibration {
  init(_ data: PruningReport.DataSet) {
    self.init(digest: data.digest, sampleCount: data.sampleCount, tokenCount: data.tokenCount)
  }
}

extension PruningReport.DataSet {
  init(_ path: FilePath, _ pass: SampledPass) {
    self.init(
      name: path.lastComponent?.string ?? path.string, digest: pass.tokens.digest,
      sampleCount: pass.tokens.sampleCount, tokenCount: pass.tokenCount)
  }
}
