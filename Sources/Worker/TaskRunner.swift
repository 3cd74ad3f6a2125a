internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Transformer
internal import Wire

/// Does the work of assignments, one at a time, on the compute thread.
final class TaskRunner {
  let checkpoint: Checkpoint
  let threadCount: Int
  let progress: TaskProgress
  var terms: Welcome?
  var plan: Result<WritePlan, any Error>?
  private var transformer: Transformer?

  init(checkpoint: Checkpoint, threadCount: Int, progress: TaskProgress) {
    self.checkpoint = checkpoint
    self.threadCount = threadCount
    self.progress = progress
  }

  var shape: ModelShape { checkpoint.configuration.shape }

  func configure(_ terms: Welcome) { self.terms = terms }

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
    .report(bytes, bytes.withUnsafeBytes { Digest(hashing: $0) })
  }

  /// Scratch is allocated when the first block comes: shards are written without it.
  func makeTransformer() throws -> Transformer {
    if let transformer { return transformer }
    guard let terms else { preconditionFailure("work comes after the welcome") }
    let made = try Transformer(
      weights: checkpoint, shape: shape, compute: terms.compute, threadCount: threadCount,
      tokensPerSample: terms.tokensPerSample, samplesPerLeaf: terms.samplesPerLeaf,
      leavesPerBlock: terms.leavesPerBlock)
    transformer = made
    return made
  }

  /// Input decides these: every worker would fail alike.
  private static func failureClass(of error: any Error) -> TaskFailure.Class {
    switch error {
    case let error as TransformerError: error.isInTheInput ? .permanent : .transient
    case let error as StorageError: error.code == .noSpace ? .permanent : .transient
    default: .transient
    }
  }
}
