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
  let cluster: ClusterPlan
  let plan: PruningPlan
  let scales: ChannelScales
  /// With the folder of the files.
  let broadcast: PlanBroadcast
  let folder: FilePath

  /// - Parameter item: which of several plans this one is; nil: there is but one.
  func run(
    for item: String? = nil, _ session: inout ClusterSession, _ ledger: inout RunLedger,
    _ console: Console
  ) throws {
    guard let first = plan.firstPrunedStep else { return }
    try Folder.make(FittedMapFile.folder(in: folder))
    let missing = TapPlace.all(in: pass.shape.layers.indices).dropFirst(first)
      .drop { isThere($0) }
    try session.broadcast(broadcast)
    let meter = console.meter("refitting", unit: "maps", total: Double(missing.count))
      .part(0, 1, of: item)
    var rounds = SumRounds(
      pass, cluster, workerCount: session.workerCount(expected: cluster.workerCount),
      refuge: FilePath(folder.string + ".sums"))
    let count = Double(missing.count)
    // Each map needs those before it.
    for (number, place) in missing.enumerated() {
      try rounds.run(
        [round(place)], from: pass.shape.layers.count + place.step,
        meter: meter.part(Double(number) / count, Double(number + 1) / count), &session, &ledger,
        console)
    }
  }

  private func path(_ place: TapPlace) -> FilePath {
    TargetMomentsFile.path(of: place, in: folder)
  }

  private func isThere(_ place: TapPlace) -> Bool {
    (try? TargetMomentsFile(path: path(place), plan: broadcast.digest)) != nil
  }

  private func round(_ place: TapPlace) -> SumRounds.Round {
    let exponents = scales.ofPruned(
      place, kept: plan.keptChannels(layer: place.layer, tap: place.tap, shape: pass.shape))
    return SumRounds.Round(
      inputs: .pruned(place, plan: broadcast.digest), origin: .pruned(plan: broadcast.digest),
      places: [place], scales: ChannelScales(exponents, at: place.tap),
      exponents: { _ in exponents }, path: { path($0) })
  }
}
