internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics
internal import SystemPackage

/// What is measured of single maps once their second moments are there: in what order their units go
/// and, on samples held out, what the model loses with fewer of them.
struct MapsPass {
  let pass: SampledPass
  let kinds: [StatisticKind]

  /// The most tokens on which losses are measured.
  static let tokenLimit = 1 << 12

  func isMissing(in ledger: RunLedger) -> Bool {
    TapPlace.all(in: pass.shape.layers.indices).contains { isMissing(at: $0, in: ledger) }
  }

  private func isMissing(at place: TapPlace, in ledger: RunLedger) -> Bool {
    kinds.contains { !ledger.has($0, at: place) }
  }

  /// Has the workers measure what the ledger does not have yet.
  ///
  /// - Parameters:
  ///   - secondMoments: of the pass's samples.
  ///   - statistics: get what was measured.
  func run(
    _ statistics: inout ModelStatistics, from secondMoments: FilePath,
    _ session: inout ClusterSession, _ ledger: inout RunLedger, _ console: Console
  ) throws {
    let samples = kinds.contains(ModuleLosses.kind) ? heldOutSamples : nil
    let places = TapPlace.all(in: pass.shape.layers.indices)
    let work = places.compactMap { place -> Work? in
      guard isMissing(at: place, in: ledger) else { return nil }
      return .measureMap(
        MapWork(
          kinds: kinds, place: place, secondMoments: secondMoments.absolute.string,
          levels: samples == nil
            ? []
            : LossLevels.counts(
              of: pass.shape.unitCountPerMap(layer: place.layer, tap: place.tap)),
          samples: samples))
    }
    try session.measureMaps(work, &ledger, console)
    for kind in kinds { try statistics.take(kind, from: ledger) }
  }

  /// Leaves that are held out, spread over all of them.
  private var heldOutSamples: WorkUnit {
    let leaves = (0..<pass.layout.leafCount).filter(HeldOutLeaves.contains)
    let tokensPerLeaf = pass.samplesPerLeaf * pass.tokens.tokensPerSample
    let count = min(
      leaves.count, Limits.leavesPerUnit, max(1, MapsPass.tokenLimit / tokensPerLeaf))
    let chosen = (0..<count).map { leaves[$0 * leaves.count / count] }
    return WorkUnit(
      node: pass.layout.tree.root,
      samplesPerLeaf: chosen.map { pass.layout.samples(ofLeaf: $0).count },
      tokensPerSample: pass.tokens.tokensPerSample,
      tokens: chosen.flatMap { pass.tokens.rows(pass.layout.samples(ofLeaf: $0)) })
  }
}
