internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Host
internal import Kernels
internal import Transformer

/// How soon a worker computes: from its start until the first products are there.
public struct FirstProduct {
  /// CLOCK_MONOTONIC after a step, in seconds; the caller knows when it started the process.
  private struct Times: Encodable {
    var opened = 0.0
    var digested = 0.0
    var allocated = 0.0
    /// The first layer's query, key and value products and its attention, for one short sample.
    var computed = 0.0
  }

  private struct Reached: Error {}

  /// Does what a worker does between its start and the first tap, and prints when it got where.
  ///
  /// - Throws: what is wrong with the model.
  public static func run(_ options: ForwardOptions) throws {
    func now() -> Double { Double(Instant.now.nanoseconds) / 1e9 }
    var times = Times()
    let checkpoint = try Checkpoint(directory: options.modelDirectory)
    try checkpoint.validate()
    times.opened = now()
    _ = checkpoint.digest
    times.digested = now()
    let model = try Llama(
      checkpoint: checkpoint, compute: options.compute, threadCount: options.threadCount,
      limits: MicroBatchLimits(
        tokensPerSample: options.tokensPerSample, samplesPerLeaf: 1,
        leavesPerMicroBatch: options.sampleCount))
    times.allocated = now()
    let tokenCount = min(16, options.tokensPerSample)
    let leaf = Leaf(
      tokens: Array(repeating: 0, count: tokenCount), sampleCount: 1, tokensPerSample: tokenCount)
    do {
      try model.forward([leaf]) { _ in throw Reached() }
    } catch is Reached {
      times.computed = now()
    }
    try ContestantLoop.print(times)
  }
}
