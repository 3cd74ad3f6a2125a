internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Storage
internal import SystemPackage
internal import Transformer
internal import Wire

/// Does the work of assignments, one at a time, on the compute thread.
final class TaskRunner {
  let checkpoint: Checkpoint
  let progress: TaskProgress
  private let threadCount: Int
  private var terms: Welcome?
  private var madeModel: Llama?
  private var broadcast: PlanBroadcast?
  private var madePruned: PrunedCheckpoint?

  init(checkpoint: Checkpoint, threadCount: Int, progress: TaskProgress) {
    self.checkpoint = checkpoint
    self.threadCount = threadCount
    self.progress = progress
  }

  var shape: ModelShape { checkpoint.configuration.shape }

  /// Samples of every leaf of the run but perhaps the last.
  var samplesPerLeaf: Int { terms?.samplesPerLeaf ?? 1 }

  func configure(_ terms: Welcome) { self.terms = terms }

  func adopt(_ plan: PlanBroadcast) {
    broadcast = plan
    madePruned = nil
  }

  /// - Returns: nil when the attempt was abandoned.
  func perform(_ assignment: Assignment) -> WorkerMachine.Outcome? {
    do {
      switch assignment.work {
      case .calibrate(let block): return report(Payload.encode(try calibrate(block)))
      case .evaluate(let block): return report(Payload.encode(try evaluate(block)))
      case .measureWeights(let layer): return report(Payload.encode(try measureWeights(layer)))
      case .writeShard(let index): return try writeShard(index, assignment.attempt)
      }
    } catch is TaskProgress.Abandoned {
      return nil
    } catch {
      return .failed(TaskRunner.failureClass(of: error), reason: "\(error)")
    }
  }

  private func report(_ bytes: [UInt8]) -> WorkerMachine.Outcome {
    .report(bytes, Digest(hashing: bytes))
  }

  /// Scratch is allocated when the first block comes: shards are written without it.
  func model() throws -> Llama {
    if let madeModel { return madeModel }
    guard let terms else { preconditionFailure("work comes after the welcome") }
    let model = try Llama(
      checkpoint: checkpoint, compute: terms.compute, threadCount: threadCount,
      limits: BlockLimits(
        tokensPerSample: terms.tokensPerSample, samplesPerLeaf: terms.samplesPerLeaf,
        leavesPerBlock: terms.leavesPerBlock))
    madeModel = model
    return model
  }

  private func writeShard(_ index: Int, _ attempt: TaskAttempt) throws -> WorkerMachine.Outcome {
    guard let broadcast else { throw PlanError.missing }
    let pruned = try prunedCheckpoint(broadcast)
    guard pruned.layout.shards.indices.contains(index) else { throw PlanError.noSuchShard(index) }
    let shard = pruned.layout.shards[index]
    progress.expect(steps: shard.tensors.count)
    let file = try pruned.writeShard(
      index, into: FilePath(broadcast.outputDirectory), attempt: "\(attempt.attempt)"
    ) { try progress.step() }
    return .shard(fileName: shard.fileName, byteCount: file.byteCount, digest: file.digest)
  }

  private func prunedCheckpoint(_ broadcast: PlanBroadcast) throws -> PrunedCheckpoint {
    if let madePruned { return madePruned }
    guard Digest(hashing: broadcast.payload) == broadcast.digest else { throw PlanError.damaged }
    let received = try Payload.decodePlan(broadcast.payload, shape: shape)
    let pruned = try PrunedCheckpoint(
      dense: checkpoint, plan: received.plan,
      compensations: broadcast.compensates ? try received.compensations(shape: shape) : nil,
      maximumShardBytes: broadcast.maximumShardBytes)
    madePruned = pruned
    return pruned
  }

  /// Input decides these: every worker would fail alike.
  private static func failureClass(of error: any Error) -> TaskFailure.Class {
    switch error {
    case is TransformerError: .permanent
    case let error as StorageError where error.code == .noSpace: .permanent
    default: .transient
    }
  }
}

/// A plan that a shard cannot be written by.
enum PlanError: Error, CustomStringConvertible {
  case missing
  case damaged
  case noSuchShard(Int)

  var description: String {
    switch self {
    case .missing: "a shard was assigned before the plan came"
    case .damaged: "the plan was damaged on the way"
    case .noSuchShard(let index): "the plan has no shard \(index)"
    }
  }
}
