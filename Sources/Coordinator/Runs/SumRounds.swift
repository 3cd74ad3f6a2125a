internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
internal import Statistics
internal import Storage
internal import SystemPackage

/// Has the workers sum what maps are fitted from, and add it up into the maps' files, round by round:
/// while one round is summed, the one before it is added up.
///
/// Only what stands in a file is done: sums that wait for being added up are gone with who holds them,
/// and are summed again, to the same bits.
struct SumRounds {
  /// The sums of some maps.
  struct Round {
    let inputs: SumWork.Inputs
    let origin: SumMerge.Origin
    /// Of the maps that lack their files.
    let places: [TapPlace]
    /// Of the inputs.
    let scales: ChannelScales
    let exponents: (TapPlace) -> [Int8]
    let path: (TapPlace) -> FilePath
  }

  private let pass: SampledPass
  private let units: [WorkUnit]
  /// Where sums go that all workers see; nil: they stay with the workers, which give them to each other.
  private var folder: FilePath?
  /// Where they go if workers do not reach each other.
  private let refuge: FilePath
  private let tokens: (kept: Int, heldOut: Int)

  /// Sums that were lost so often in one round are taken for such that cannot be fetched.
  private static let lossLimit = 2
  /// Rounds do not go on for ever.
  private static let attemptLimit = 20

  /// - Parameters:
  ///   - workerCount: for how many workers the samples are split.
  ///   - refuge: a folder that all workers see, and that need not exist; it goes at the end.
  init(_ pass: SampledPass, _ cluster: ClusterPlan, workerCount: Int, refuge: FilePath) {
    self.pass = pass
    self.refuge = refuge.absolute
    folder = cluster.isLocal ? refuge.absolute : nil
    units = pass.sumUnits(workerCount)
    let leaves = 0..<pass.layout.leafCount
    func count(_ isCounted: (Int) -> Bool) -> Int {
      leaves.filter(isCounted).reduce(0) { $0 + pass.layout.samples(ofLeaf: $1).count }
        * pass.tokens.tokensPerSample
    }
    tokens = (count { !HeldOutLeaves.contains($0) }, count { HeldOutLeaves.contains($0) })
  }

  /// Of a pass over the dense model: as many layers as leave the sums that wait small. Of two rounds,
  /// those of all units of a worker, or of all that are in one folder, wait for being added up.
  static func layersPerRound(
    _ pass: SampledPass, _ cluster: ClusterPlan, workerCount: Int
  ) -> Int {
    let bytes = SecondMomentsFolder.byteCount(pass.shape) / pass.shape.layers.count
    let units = pass.sumUnits(workerCount).count
    let onOneDisk = cluster.isLocal ? units : (units + workerCount - 1) / workerCount
    return max(1, min(pass.shape.layers.count, waitingBytes / (2 * bytes * onOneDisk)))
  }

  /// Of sums on one disk.
  private static let waitingBytes = 4 << 30

  /// - Parameters:
  ///   - base: the number of the first round: higher than those of rounds before.
  ///   - meter: over all rounds.
  mutating func run(
    _ rounds: [Round], from base: Int = 0, meter: ProgressMeter, _ session: inout ClusterSession,
    _ ledger: inout RunLedger, _ console: Console
  ) throws {
    defer { Folder.remove(refuge) }
    let rounds = rounds.filter { !$0.places.isEmpty }
    var last: State?
    // Adding up what is left of the last one takes a part of a round's time.
    let count = Double(rounds.count) + 0.25
    for (number, round) in rounds.enumerated() {
      var current = State(base + number, round, units, folder)
      let meter = meter.part(Double(number) / count, Double(number + 1) / count)
      try advance(&current, beside: &last, meter, &session, &ledger, console)
      try last?.finish(&self, meter, &session, &ledger, console)
      last = current
    }
    try last?.finish(
      &self, meter.part(Double(rounds.count) / count, 1), &session, &ledger, console)
  }

  private func advance(
    _ state: inout State, beside last: inout State?, _ meter: ProgressMeter,
    _ session: inout ClusterSession, _ ledger: inout RunLedger, _ console: Console
  ) throws {
    if let folder = state.folder { try Folder.make(folder) }
    // Who has left since is not asked for what it held.
    last?.collection.keep(of: session.presentWorkers)
    let merges = last?.merges(self) ?? []
    let work = merges + state.sums(units)
    for answer in try session.sum(work, meter: meter, &ledger) {
      switch answer {
      case .held: try state.take(answer, console)
      case .merge: try last?.take(answer, console)
      }
    }
  }

  /// One round on its way.
  private struct State {
    let number: Int
    let round: Round
    var collection: SumCollection
    var folder: FilePath?
    var attemptCount = 0

    init(_ number: Int, _ round: Round, _ units: [WorkUnit], _ folder: FilePath?) {
      self.number = number
      self.round = round
      self.folder = folder?.appending("\(number)")
      collection = SumCollection(
        places: round.places,
        units: units.map { unit in
          let work = SumWork(round.inputs, unit, round: number, folder: nil)
          return (unit.node, Array(Set(work.expected.map(\.kind))))
        })
    }

    func sums(_ units: [WorkUnit]) -> [Work] {
      let missing = Set(collection.unitsToSum)
      return units.filter { missing.contains($0.node) }.map { unit in
        var unit = unit
        unit.scales = round.scales
        return .sum(SumWork(round.inputs, unit, round: number, folder: folder?.string))
      }
    }

    func merges(_ rounds: SumRounds) -> [Work] {
      let (tokenCount, heldOutTokenCount) = rounds.tokenCounts(round.origin)
      return collection.placesToMerge.map { place in
        .merge(
          SumMerge(
            place, of: round.origin, exponents: round.exponents(place),
            collection.sources(of: place), tokenCount: tokenCount,
            heldOutTokenCount: heldOutTokenCount, to: round.path(place).absolute.string))
      }
    }

    mutating func take(_ answer: SumAnswer, _ console: Console) throws {
      switch answer {
      case .held(let sums, let node, let holder):
        guard collection.take(sums, of: node, at: holder) else {
          throw ClusterError.unexpectedResult("sums of work unit \(node)")
        }
      case .merge(let outcome, let place):
        collection.take(outcome, of: place)
        guard case .lost(let digests) = outcome else { return }
        console.log.notice(
          """
          \(digests.count) sums of \(place.tap.moduleName(layer: place.layer)) were lost with a \
          worker, or cannot be fetched from it: they are summed again
          """)
      }
    }

    /// Until all maps stand in their files.
    mutating func finish(
      _ rounds: inout SumRounds, _ meter: ProgressMeter, _ session: inout ClusterSession,
      _ ledger: inout RunLedger, _ console: Console
    ) throws {
      while !collection.isDone {
        attemptCount += 1
        guard attemptCount <= SumRounds.attemptLimit else {
          throw ClusterError.unexpectedResult("sums that are lost again and again")
        }
        if folder == nil, collection.lossCount >= SumRounds.lossLimit {
          console.log.warning(
            "workers do not get each other's sums: these go through \(rounds.refuge), which is slower"
          )
          // From now on all of them do.
          rounds.folder = rounds.refuge
          folder = rounds.refuge.appending("\(number)")
        }
        if let folder { try Folder.make(folder) }
        collection.keep(of: session.presentWorkers)
        let work = sums(rounds.units) + merges(rounds)
        for answer in try session.sum(work, meter: meter, &ledger) {
          try take(answer, console)
        }
      }
      if let folder { Folder.remove(folder) }
    }
  }

  /// Of all samples, and those that are held out, where that makes a difference.
  private func tokenCounts(_ origin: SumMerge.Origin) -> (Int, Int) {
    switch origin {
    case .dense: (tokens.kept, tokens.heldOut)
    case .pruned: (tokens.kept + tokens.heldOut, 0)
    }
  }
}
