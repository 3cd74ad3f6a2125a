internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics
internal import Storage
internal import SystemPackage

/// Goes through the pruned model map by map: what a map gets from those before it, fitted already,
/// and what it should give are summed over all samples, and everybody fits it to them.
///
/// A map's sums stand in a file as soon as all samples are in them; a resumed run goes on behind the
/// last. So does a map that was fitted to them, put there by a worker: others that come later, or
/// write shards, do not solve it again.
struct SequentialPass {
  let pass: SampledPass
  let plan: PruningPlan
  let scales: ChannelScales
  /// With the folder of the files.
  let broadcast: PlanBroadcast
  let folder: FilePath

  /// - Parameter ledger: of the pruned model's statistics.
  func run(
    _ session: inout ClusterSession, _ ledger: inout RunLedger, _ console: Console
  ) throws {
    guard let first = plan.firstPrunedStep else { return }
    try Folder.make(FittedMapFile.folder(in: folder))
    let places = TapPlace.all(in: pass.shape.layers.indices).dropFirst(first)
    let missing = places.drop { isThere($0) }
    for place in places { if isThere(place) { try ledger.discard(TargetMoments.kind, at: place) } }
    try session.broadcast(broadcast)
    for place in missing {
      try session.measureTargets(work(place, ledger), &ledger, console)
      let (measured, digest) = (ledger, broadcast.digest)
      let (exponents, path) = (exponents(place), path(place))
      try session.aside {
        try TargetMomentsFile.write(
          measured.value(of: TargetMoments.self, at: place), exponents: exponents, plan: digest,
          to: path)
      }
      try ledger.discard(TargetMoments.kind, at: place)
    }
  }

  private func path(_ place: TapPlace) -> FilePath {
    TargetMomentsFile.path(of: place, in: folder)
  }

  private func isThere(_ place: TapPlace) -> Bool {
    (try? TargetMomentsFile(path: path(place), plan: broadcast.digest)) != nil
  }

  private func exponents(_ place: TapPlace) -> [Int8] {
    scales.ofPruned(
      place, kept: plan.keptChannels(layer: place.layer, tap: place.tap, shape: pass.shape))
  }

  private func work(_ place: TapPlace, _ ledger: RunLedger) -> [Work] {
    let scales = ChannelScales(exponents(place), at: place.tap)
    return pass.units(in: ledger.missingNodes(of: TargetMoments.kind, at: place), scales).map {
      .measureTarget(place, $0, plan: broadcast.digest)
    }
  }
}
