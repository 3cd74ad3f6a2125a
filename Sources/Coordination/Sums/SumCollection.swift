internal import FlapCore
public import Statistics

/// Which sums of a round are held where, and what is to be done until each of its maps stands in a
/// file.
///
/// A value without socket, clock or disk, like the two machines. Nothing in it is a promise to a
/// worker: sums that are lost with their holder are summed again, to the same bits.
public struct SumCollection: Sendable {
  /// Who has the sums of a unit.
  public enum Holder: Hashable, Sendable {
    /// A worker, which is asked for them there; empty: it gives them to nobody else.
    case worker(WorkerID, endpoint: String)
    /// A folder that all see.
    case folder(String)
  }

  private struct Held {
    let sums: [HeldSum]
    let holder: Holder
  }

  private let places: [TapPlace]
  /// The units that the round has, and which kinds of sums there are of each.
  private let units: [(node: TreeNode, kinds: [SumKind])]
  private var held: [TreeNode: Held] = [:]
  private var merged: Set<TapPlace> = []
  /// How often sums were not where they should have been, though whoever held them was thought to be
  /// there.
  public private(set) var lossCount = 0

  /// - Parameters:
  ///   - places: of the maps that are not in their files yet.
  ///   - units: which cover all samples; nodes differ.
  public init(places: [TapPlace], units: [(node: TreeNode, kinds: [SumKind])]) {
    self.places = places
    self.units = units
  }

  public var isDone: Bool { merged.count == places.count }

  /// Units whose sums nobody has.
  public var unitsToSum: [TreeNode] {
    isDone ? [] : units.map(\.node).filter { held[$0] == nil }
  }

  /// Maps whose sums are all there.
  public var placesToMerge: [TapPlace] {
    unitsToSum.isEmpty ? places.filter { !merged.contains($0) } : []
  }

  /// Where all sums of a map are, in the order of the units.
  ///
  /// - Precondition: it is one of ``placesToMerge``.
  public func sources(of place: TapPlace) -> [SumMerge.Source] {
    units.flatMap { unit -> [SumMerge.Source] in
      guard let held = held[unit.node] else {
        preconditionFailure("sums are merged when all of them are there")
      }
      return held.sums.filter { $0.place == place }.map { sum in
        let location: SumLocation =
          switch held.holder {
          case .worker(_, let endpoint): .worker(endpoint: endpoint)
          case .folder(let folder):
            .file("\(folder)/\(SumWork.fileName(sum.place, sum.kind, unit.node))")
          }
        return SumMerge.Source(sum.kind, sum.digest, at: location)
      }
    }
  }

  /// A worker's report on a unit.
  ///
  /// - Returns: false when it is not what such a unit gives; nothing was changed.
  public mutating func take(_ sums: [HeldSum], of node: TreeNode, at holder: Holder) -> Bool {
    guard let unit = units.first(where: { $0.node == node }) else { return false }
    // Maps that stand in their files are summed again with the others, and not looked at.
    let expected = Set(places.flatMap { place in unit.kinds.map { [place.step, $0.rawValue] } })
    let found = sums.filter { places.contains($0.place) }
      .map { [$0.place.step, $0.kind.rawValue] }
    guard Set(found).count == found.count, expected == Set(found) else { return false }
    held[node] = Held(sums: sums, holder: holder)
    return true
  }

  /// Only these workers are left: what others held is gone with them, and nobody need ask for it.
  public mutating func keep(of workers: Set<WorkerID>) {
    held = held.filter { _, held in
      switch held.holder {
      case .worker(let worker, _): workers.contains(worker)
      case .folder: true
      }
    }
  }

  /// What came of adding up a map's sums.
  public mutating func take(_ outcome: MergeOutcome, of place: TapPlace) {
    switch outcome {
    case .merged: merged.insert(place)
    case .lost(let digests):
      let digests = Set(digests)
      let left = held.filter { _, held in !held.sums.contains { digests.contains($0.digest) } }
      // Every map misses what one worker has taken along: that is one loss.
      if left.count < held.count { lossCount += 1 }
      held = left
    }
  }
}

extension SumWork {
  /// Of a sum in a folder.
  public static func fileName(_ place: TapPlace, _ kind: SumKind, _ node: TreeNode) -> String {
    "\(place.layer)-\(place.tap.rawValue)-\(kind.rawValue)-\(node.level)-\(node.index)"
  }
}
