import Coordination
import FlapCore
import Statistics

/// The coordinator's rounds of sums, which it goes through as its shell does: while one round is
/// summed, the one before it is added up. All of it is gone with the coordinator, but for the files.
struct VirtualSumRounds {
  struct Round {
    let inputs: SumWork.Inputs
    /// Of the maps that lack their files.
    let places: [TapPlace]
  }

  /// One round on its way.
  private struct State {
    let round: Round
    let number: Int
    var collection: SumCollection
    var folder: String?
    /// A planted bug: lost sums are left out.
    var leftOut: Set<Digest> = []

    func sums(_ units: [WorkUnit]) -> [Work] {
      let missing = Set(collection.unitsToSum)
      return units.filter { missing.contains($0.node) }.map {
        .sum(SumWork(round.inputs, $0, round: number, folder: folder))
      }
    }

    var merges: [Work] {
      collection.placesToMerge.map { place in
        let origin: SumMerge.Origin =
          switch round.inputs {
          case .dense: .dense(data: VirtualWork.digest(of: []))
          case .pruned(_, let plan): .pruned(plan: plan)
          }
        let sources = collection.sources(of: place).filter { !leftOut.contains($0.digest) }
        return .merge(
          SumMerge(
            place, of: origin, exponents: [], sources, tokenCount: 0, heldOutTokenCount: 0,
            to: VirtualWork.path(round.inputs, place)))
      }
    }
  }

  /// In the order of their numbers; those before it are done.
  private var waiting: ArraySlice<Round>
  private var nextNumber: Int
  private let units: [WorkUnit]
  private let leafCount: Int
  private let overlaps: Bool
  private let folder: String?
  private let bug: VirtualCluster.PlantedBug?
  /// What is added up, and what is summed meanwhile.
  private var open: [State] = []
  /// What the workers said of the last round's first unit.
  private var older: ([HeldSum], SumCollection.Holder)?

  /// Sums that were lost so often in one round go through a folder.
  private static let lossLimit = 2

  /// - Parameters:
  ///   - number: of the first round.
  ///   - folder: in which all sums are put down; nil: they stay with the workers.
  ///   - overlaps: whether a round is summed before the one before it is done.
  init(
    _ rounds: [Round], from number: Int, units: [WorkUnit], folder: String?, overlaps: Bool,
    bug: VirtualCluster.PlantedBug?
  ) {
    waiting = rounds.filter { !$0.places.isEmpty }[...]
    nextNumber = number
    self.units = units
    leafCount = units.reduce(0) { $0 + $1.samplesPerLeaf.count }
    self.folder = folder
    self.overlaps = overlaps
    self.bug = bug
  }

  /// What is to be done when all that was asked for is; nothing when all maps stand in their files.
  ///
  /// - Parameter workers: those that are left.
  mutating func nextWork(_ workers: Set<WorkerID>) -> [Work] {
    for index in open.indices { open[index].collection.keep(of: workers) }
    if open.first?.collection.isDone == true { open.removeFirst() }
    if open.count < (overlaps ? 2 : 1), !waiting.isEmpty {
      let merges = open.first?.merges ?? []
      open.append(begin(waiting.removeFirst()))
      return merges + open.last!.sums(units) + (open.count == 1 ? open[0].merges : [])
    }
    guard !open.isEmpty else { return [] }
    if open[0].collection.lossCount >= VirtualSumRounds.lossLimit, open[0].folder == nil {
      open[0].folder = "refuge/\(open[0].number)"
    }
    return open[0].sums(units) + open[0].merges
  }

  private mutating func begin(_ round: Round) -> State {
    defer { nextNumber += 1 }
    var nodes = units.map(\.node)
    if bug == .mergesEarly, nodes.count > 1 { nodes.removeLast() }
    let tree = CanonicalTree(leafCount: leafCount)
    var collection = SumCollection(
      places: round.places,
      units: nodes.map { node in
        let kinds = VirtualWork.leaves(of: round.inputs.kinds, among: tree.leaves(of: node))
        return (node, kinds.map(\.kind))
      })
    if bug == .takesOlderSums, let (sums, holder) = older, !round.inputs.isDense {
      let renamed = sums.map { HeldSum(round.places[0], $0.kind, $0.digest) }
      _ = collection.take(renamed, of: nodes[0], at: holder)
    }
    return State(
      round: round, number: nextNumber, collection: collection,
      folder: folder.map { "\($0)/\(nextNumber)" })
  }

  /// - Returns: what is wrong.
  mutating func take(
    _ sums: [HeldSum], of work: SumWork, at holder: SumCollection.Holder
  ) -> String? {
    guard let index = open.firstIndex(where: { $0.number == work.round }),
      open[index].collection.take(sums, of: work.unit.node, at: holder)
    else { return "nobody asked for these sums of \(work.unit.node)" }
    if work.unit.node == units[0].node { older = (sums, holder) }
    return nil
  }

  /// - Returns: what is wrong.
  mutating func take(_ outcome: MergeOutcome, of place: TapPlace) -> String? {
    switch outcome {
    case .lost(let digests):
      if bug == .leavesLostOut {
        open[0].leftOut.formUnion(digests)
        return nil
      }
    case .merged(let tokenCount, let heldOutTokenCount):
      let heldOut = (0..<leafCount).count(where: HeldOutLeaves.contains)
      let expected =
        open[0].round.inputs.isDense ? (leafCount - heldOut, heldOut) : (leafCount, 0)
      // What is left out on purpose has to be found in the files.
      guard (tokenCount, heldOutTokenCount) == expected || bug != nil else {
        return "the sums of \(place) are not of all samples"
      }
    }
    open[0].collection.take(outcome, of: place)
    return nil
  }
}
