internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Statistics
internal import SystemPackage

/// A second pass over the samples, whose scales the first one gave: the sums from which least
/// squares compensates, into a file.
struct SecondMomentsPass {
  let inputs: RunInputs
  let pass: SampledPass

  /// - Throws: ``UsageError`` where there are too few samples to hold some out.
  init(_ inputs: RunInputs, _ pass: SampledPass) throws {
    self.inputs = inputs
    self.pass = pass
    let leaves = pass.layout.leafCount
    guard leaves >= HeldOutSecondMoments.period else {
      throw UsageError(
        "least squares tries its ridge on every \(HeldOutSecondMoments.period)th leaf of "
          + "\(pass.samplesPerLeaf) samples, and there are \(leaves) leaves: give "
          + "\(HeldOutSecondMoments.period * pass.samplesPerLeaf) samples, or a smaller "
          + "--tokens-per-leaf")
    }
  }

  /// - Parameter statistics: of the same samples.
  func run(
    _ statistics: ModelStatistics, to path: FilePath, _ session: inout ClusterSession,
    _ ledger: inout RunLedger, _ console: Console
  ) throws {
    guard let moments = statistics.moments else {
      preconditionFailure("a run with samples has moments")
    }
    let scales = ChannelScales(moments)
    try session.measureSecondMoments(pass, scales, &ledger, console)
    let first = TapPlace(layer: 0, .attentionOutput)
    try SecondMomentsFile.write(
      SecondMomentsFile.Contents(
        shape: inputs.shape, modelDigest: inputs.checkpoint.digest, dataDigest: pass.tokens.digest,
        compute: pass.compute, scales: scales),
      to: path, tokenCount: ledger.value(of: SecondMoments.self, at: first).count,
      heldOutTokenCount: ledger.value(of: HeldOutSecondMoments.self, at: first).moments.count
    ) { place, isHeldOut in
      isHeldOut
        ? try ledger.value(of: HeldOutSecondMoments.self, at: place).moments
        : try ledger.value(of: SecondMoments.self, at: place)
    }
  }
}
