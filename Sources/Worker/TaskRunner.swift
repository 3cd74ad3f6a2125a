internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import LeastSquares
internal import Measurement
internal import Storage
internal import SystemPackage
internal import Transformer
internal import Wire

/// Does the work of assignments, one at a time, on the compute thread.
final class TaskRunner {
  let checkpoint: Checkpoint
  let progress: TaskProgress
  /// Leaves that are computed at the same time; nil: what suits the model.
  private let laneCount: Int?
  let threadCount: Int
  private(set) var terms: Welcome?
  private(set) var madeMeasurement: SampleMeasurement?
  var madeMaps: MapMeasurement?
  var madeProducts: ProductMeasurement?
  var madeTargets: TargetMeasurement?
  /// The maps that are fitted so far, of the plan that was broadcast.
  var fittedMaps: [PerTap<PrunedMap?>] = []
  /// What this worker holds for others.
  let sums = SumStore()
  private var madePeers: WorkerPeers?
  /// The coordinator's endpoint.
  private var coordinator = ""
  private var broadcast: PlanBroadcast?
  private var madePruned: (checkpoint: PrunedCheckpoint, fits: LeastSquaresMaps?)?
  private var madePruning: ModelPruning?

  init(checkpoint: Checkpoint, laneCount: Int?, threadCount: Int, progress: TaskProgress) {
    self.checkpoint = checkpoint
    self.laneCount = laneCount
    self.threadCount = threadCount
    self.progress = progress
  }

  var shape: ModelShape { checkpoint.configuration.shape }

  /// Samples of every leaf of the run but perhaps the last.
  var samplesPerLeaf: Int { terms?.samplesPerLeaf ?? 1 }

  /// The run's terms. A worker that joins again gets the same, or those of another run.
  ///
  /// - Parameter coordinator: its endpoint.
  func configure(_ terms: Welcome, coordinator: String) {
    if self.terms?.hasSameScratch(as: terms) != true {
      madeMeasurement = nil
      madeMaps = nil
      madeProducts = nil
      madeTargets = nil
    }
    // Another run's sums may lie where this one's did.
    if self.terms?.runID != terms.runID {
      madeMaps = nil
      madeProducts = nil
      forgetPlan()
    }
    if self.terms?.peerSecret != terms.peerSecret || self.coordinator != coordinator {
      madePeers = nil
    }
    self.coordinator = coordinator
    self.terms = terms
  }

  /// The same plan may come again, for another phase: what was made of it stays.
  func adopt(_ plan: PlanBroadcast) {
    guard plan != broadcast else { return }
    forgetPlan()
    broadcast = plan
  }

  private func forgetPlan() {
    broadcast = nil
    madeTargets = nil
    fittedMaps = []
    sums.forgetAll()
    madePruned = nil
    madePruning = nil
  }

  /// - Returns: nil when the attempt was abandoned.
  func perform(_ assignment: Assignment) -> ComputeOutcome? {
    do {
      makeRoom(for: assignment.work.kind)
      switch assignment.work {
      case .measureSamples(let kinds, let unit, let plan):
        return try measureSamples(kinds, unit, pruning: pruning(plan))
      case .measureMap(let work): return try measureMap(work)
      case .score(let work): return try score(work)
      case .sum(let work): return try sum(work, assignment.attempt)
      case .merge(let work): return try merge(work, assignment.attempt)
      case .measureWeights(let kinds, let layer): return try measureWeights(kinds, layer: layer)
      case .writeShard(let index): return try writeShard(index, assignment.attempt)
      }
    } catch is TaskProgress.Abandoned {
      return nil
    } catch {
      return .failed(failureClass(of: error), reason: "\(error)")
    }
  }

  /// Scratch is allocated when the first unit comes: shards are written without it.
  func measurement() throws -> SampleMeasurement {
    if let madeMeasurement { return madeMeasurement }
    guard let terms else { preconditionFailure("work comes after the welcome") }
    let limits = MicroBatchLimits(
      tokensPerSample: terms.tokensPerSample, samplesPerLeaf: terms.samplesPerLeaf,
      leavesPerMicroBatch: terms.leavesPerUnit)
    let made = SampleMeasurement(
      try Llama(
        checkpoint: checkpoint, compute: terms.compute, threadCount: threadCount,
        laneCount: laneCount, limits: limits))
    madeMeasurement = made
    return made
  }

  /// Drops what earlier phases allocated and this one does not need.
  private func makeRoom(for kind: Work.Kind) {
    switch kind {
    case .sum: madeMaps = nil
    case .merge:
      madeProducts?.releaseScratch()
      madeTargets?.releaseScratch()
    case .measureSamples, .measureWeights, .measureMap, .score, .writeShard:
      madeProducts = nil
      sums.forgetAll()
    }
  }

  /// The other workers of the run, from when sums are to be given to them; nil: they cannot be asked.
  var peers: WorkerPeers? {
    guard let terms else { return nil }
    if madePeers == nil {
      madePeers = WorkerPeers(sums, secret: terms.peerSecret, coordinator: coordinator)
    }
    return madePeers
  }

  private func writeShard(_ index: Int, _ attempt: TaskAttempt) throws -> ComputeOutcome {
    guard let broadcast else { throw PlanError.missing }
    let (pruned, fits) = try pruned(by: broadcast)
    // The last map is nobody's input: it is fitted by who writes it.
    fits?.publish(true)
    guard pruned.layout.shards.shards.indices.contains(index) else {
      throw PlanError.noSuchShard(index)
    }
    progress.expect(steps: pruned.stepCount(shard: index))
    guard let directory = broadcast.outputDirectory else {
      let file = try SpoolWriter(in: Host.temporaryFolder)
      let written = try pruned.writeShard(index, to: file) { try progress.step() }
      return .result(try written.finish())
    }
    let (file, written) = try pruned.writeShard(
      index, into: FilePath(directory), attempt: attempt.fileSuffix
    ) { try progress.step() }
    if let fits {
      try RidgeRecord.write(
        fits.ridges, ofShard: pruned.layout.shards.shards[index].fileName,
        in: FilePath(directory), attempt: attempt.fileSuffix)
    }
    return .shard(file, written)
  }

  /// What the plan of this digest leaves out of the model; nil without a plan.
  func pruning(_ digest: Digest?) throws -> ModelPruning? {
    guard let digest else { return nil }
    let (pruned, fits) = try pruned(by: digest)
    if let madePruning { return madePruning }
    fits?.keepInFiles()
    let made = try pruned.pruning
    madePruning = made
    return made
  }

  /// What is left of the model by the plan of this digest.
  func pruned(
    by digest: Digest
  ) throws -> (checkpoint: PrunedCheckpoint, fits: LeastSquaresMaps?) {
    guard let broadcast, broadcast.digest == digest else { throw PlanError.missing }
    return try pruned(by: broadcast)
  }

  private func pruned(
    by broadcast: PlanBroadcast
  ) throws -> (checkpoint: PrunedCheckpoint, fits: LeastSquaresMaps?) {
    if let madePruned { return madePruned }
    guard Digest(hashing: broadcast.payload) == broadcast.digest else { throw PlanError.damaged }
    let received = try WritePlan(bytes: broadcast.payload, shape: shape)
    let compensations = try received.compensations(shape: shape)
    let layout = try PrunedLayout(
      dense: checkpoint, plan: received.plan, isCompensated: compensations != nil,
      maximumShardBytes: broadcast.maximumShardBytes, isUniform: broadcast.isUniform)
    let fits = try broadcast.secondMoments.map {
      try LeastSquaresMaps(
        checkpoint, received.plan, momentsPath: $0,
        targets: broadcast.targetMoments.map { (folder: FilePath($0), plan: broadcast.digest) },
        threadCount: threadCount, progress: progress)
    }
    let made = (
      checkpoint: PrunedCheckpoint(
        layout, compensations: compensations ?? [], fits: fits,
        expertMeans: received.expertMeans ?? []),
      fits: fits
    )
    madePruned = made
    return made
  }

  /// Input decides some failures, and a full output folder is everybody's: every worker would fail
  /// alike. A temporary folder is this host's own.
  private func failureClass(of error: any Error) -> TaskFailure.Class {
    switch error {
    case is TransformerError, is MeasurementError, is LeastSquaresError: .permanent
    case let error as StorageError where error.code == .noSpace: .permanent
    default: .transient
    }
  }
}

/// A plan that a task cannot be done by.
enum PlanError: Error, CustomStringConvertible {
  case missing
  case damaged
  case otherShape
  case otherSamples
  case otherTexts
  case unreadableSecondMoments(String)
  case noSuchShard(Int)

  var description: String {
    switch self {
    case .missing: "a task was assigned before its plan came"
    case .damaged: "the plan was damaged on the way"
    case .otherSamples: "sums that are to be added up are of other samples than they should be"
    case .otherTexts: "a task has more texts, or longer ones, than its run has room for"
    case .otherShape: "the scales of second moments are of another model's channels"
    case .unreadableSecondMoments(let reason):
      "least squares needs the second moments on every host: \(reason)"
    case .noSuchShard(let index): "the plan has no shard \(index)"
    }
  }
}

extension Welcome {
  /// Whether the models that were made for these terms serve the others, too.
  fileprivate func hasSameScratch(as other: Welcome) -> Bool {
    compute == other.compute && tokensPerSample == other.tokensPerSample
      && samplesPerLeaf == other.samplesPerLeaf && leavesPerUnit == other.leavesPerUnit
  }
}
