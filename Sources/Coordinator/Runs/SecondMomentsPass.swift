internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
internal import Pruning
internal import Statistics
internal import Storage
internal import SystemPackage

/// A second pass over the samples, whose scales the first one gave: the sums from which least
/// squares compensates, into a folder.
struct SecondMomentsPass {
  let inputs: RunInputs
  let pass: SampledPass
  private let cluster: ClusterPlan

  /// - Throws: ``UsageError`` where there are too few samples to hold some out.
  init(_ inputs: RunInputs, _ pass: SampledPass, _ cluster: ClusterPlan) throws {
    self.cluster = cluster
    self.inputs = inputs
    self.pass = pass
    let leaves = pass.layout.leafCount
    guard leaves >= HeldOutLeaves.period else {
      throw UsageError(
        "least squares tries its ridge on every \(HeldOutLeaves.period)th leaf of "
          + "\(pass.samplesPerLeaf) samples, and there are \(leaves) leaves: give "
          + "\(HeldOutLeaves.period * pass.samplesPerLeaf) samples, or a smaller "
          + "--tokens-per-leaf")
    }
  }

  /// - Parameters:
  ///   - statistics: of the same samples.
  ///   - folder: gets a file for every map; those that are there already are kept.
  ///   - refuge: a folder for sums that wait for being added up, where they do not stay with the workers.
  func run(
    _ statistics: ModelStatistics, to folder: FilePath, refuge: FilePath,
    _ session: inout ClusterSession,
    _ ledger: inout RunLedger, _ console: Console
  ) throws {
    guard let squareSums = try statistics.squareSums(of: pass.shape) else {
      preconditionFailure("a run with samples has moments")
    }
    console.log.info(
      "second moments take \(Format.bytes(SecondMomentsFolder.byteCount(pass.shape))) in \(folder)")
    try Folder.make(folder)
    let workerCount = session.workerCount(expected: cluster.workerCount)
    let rounds = rounds(ChannelScales(squareSums: squareSums), folder, workerCount)
    let meter = console.meter("second moments", unit: "tokens", total: Double(pass.tokenCount))
    var sums = SumRounds(pass, cluster, workerCount: workerCount, refuge: refuge)
    try sums.run(rounds, meter: meter, &session, &ledger, console)
    Folder.removeLeftovers(in: folder)
  }

  private func rounds(
    _ scales: ChannelScales, _ folder: FilePath, _ workerCount: Int
  ) -> [SumRounds.Round] {
    let layerCount = pass.shape.layers.count
    let model = inputs.checkpoint.digest
    let data = pass.tokens.digest
    let stride = SumRounds.layersPerRound(pass, cluster, workerCount: workerCount)
    return Swift.stride(from: 0, to: layerCount, by: stride).map { first in
      let layers = first..<min(first + stride, layerCount)
      return SumRounds.Round(
        inputs: .dense(layers: layers), origin: .dense(data: data),
        places: TapPlace.all(in: layers).filter {
          !SecondMomentsFolder.holds($0, in: folder, modelDigest: model, dataDigest: data)
        },
        scales: ChannelScales(exponents: Array(scales.exponents[layers])),
        exponents: { scales.exponents[$0.layer][$0.tap] },
        path: { SecondMomentsFolder.path(of: $0, in: folder) })
    }
  }
}

/// The second moments of a run, which are made at most once.
struct NeededSecondMoments {
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
    try pass.run(
      statistics, to: path, refuge: FilePath(path.string + ".sums"), &session, &ledger, console)
    isThere = true
  }
}
