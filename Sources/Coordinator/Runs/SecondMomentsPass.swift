internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
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
    console.log.info(
      "second moments take \(Format.bytes(SecondMomentsPass.byteCount(pass.shape))) in \(path)")
    let scales = ChannelScales(moments)
    try session.measureSecondMoments(pass, scales, &ledger, console)
    let contents = SecondMomentsFile.Contents(
      shape: inputs.shape, modelDigest: inputs.checkpoint.digest, dataDigest: pass.tokens.digest,
      compute: pass.compute, scales: scales)
    let measured = ledger
    try session.aside {
      let first = TapPlace(layer: 0, .attentionOutput)
      try SecondMomentsFile.write(
        contents, to: path, tokenCount: measured.value(of: SecondMoments.self, at: first).count,
        heldOutTokenCount: measured.value(of: HeldOutSecondMoments.self, at: first).moments.count
      ) { place, isHeldOut in
        isHeldOut
          ? try measured.value(of: HeldOutSecondMoments.self, at: place).moments
          : try measured.value(of: SecondMoments.self, at: place)
      }
    }
  }

  /// Of the file, besides its header.
  static func byteCount(_ shape: ModelShape) -> Int {
    TapPlace.all(in: shape.layers.indices).reduce(0) {
      let channels = shape.channelCount(layer: $1.layer, tap: $1.tap)
      return $0 + 2 * SecondMoments.byteCount(channelCount: channels) + channels
    }
  }
}

/// The file of second moments of a run, which is made at most once.
struct SecondMomentSums {
  private let pass: SecondMomentsPass
  private let path: FilePath
  private var isThere = false

  init(_ pass: SecondMomentsPass, path: FilePath) {
    self.pass = pass
    self.path = path
  }

  /// - Parameter statistics: of the same samples.
  mutating func need(
    _ statistics: ModelStatistics, _ session: inout ClusterSession, _ ledger: inout RunLedger,
    _ console: Console
  ) throws {
    guard !isThere else { return }
    try pass.run(statistics, to: path, &session, &ledger, console)
    isThere = true
  }
}
