public import FlapCore
public import Statistics

/// Sums over samples from which least squares fits maps: of every pair of a map's channels, so large
/// that they do not pass through the coordinator.
///
/// Who sums keeps the result, in files of its own that others fetch from it or in a folder that all
/// see, and reports what there is (``HeldSum``). Once all samples are in such sums, a worker adds up
/// what there is of a map, wherever it lies, and writes the map's file (``SumMerge``).
public struct SumWork: Hashable, Sendable {
  /// Of which model the inputs are summed.
  public enum Inputs: Hashable, Sendable {
    /// Of the model as it is, of some layers: `SecondMoments` of both taps, of the leaves that are
    /// held out and of the others.
    case dense(layers: Range<Int>)
    /// As the plan with this digest leaves it, what is before the tap fitted: `TargetMoments`.
    case pruned(TapPlace, plan: Digest)
  }

  public let inputs: Inputs
  /// With the scales of the inputs' channels: of every layer, or of the tap alone.
  public let unit: WorkUnit
  /// Rises from one set of sums to the next. What a worker holds of rounds before the last one is not
  /// wanted any more.
  public let round: Int
  /// The folder in which the sums are put down; nil: they stay with the worker.
  public let folder: String?

  public init(_ inputs: Inputs, _ unit: WorkUnit, round: Int, folder: String?) {
    self.inputs = inputs
    self.unit = unit
    self.round = round
    self.folder = folder
  }
}

extension SumWork {
  /// The sums that there are of such a unit: those that have tokens.
  public var expected: [(place: TapPlace, kind: SumKind)] {
    switch inputs {
    case .pruned(let place, _): [(place, .targets)]
    case .dense(let layers):
      TapPlace.all(in: layers).flatMap { place in
        SumWork.denseKinds(of: unit.node, leafCount: unit.samplesPerLeaf.count).map {
          (place, $0)
        }
      }
    }
  }

  /// - Parameter leafCount: of the node, from its first on.
  public static func denseKinds(of node: TreeNode, leafCount: Int) -> [SumKind] {
    let first = node.index << node.level
    let leaves = first..<first + leafCount
    let kinds: [SumKind] = leaves.allSatisfy(HeldOutLeaves.contains) ? [] : [.kept]
    return leaves.contains(where: HeldOutLeaves.contains) ? kinds + [.heldOut] : kinds
  }
}

/// A sum of one map over a unit's samples that somebody holds. Sums of no tokens are held by nobody.
public struct HeldSum: Hashable, Sendable {
  public let place: TapPlace
  public let kind: SumKind
  /// SHA-256 of its bytes, by which it is asked for.
  public let digest: Digest

  public init(_ place: TapPlace, _ kind: SumKind, _ digest: Digest) {
    self.place = place
    self.kind = kind
    self.digest = digest
  }
}

/// Where sums lie.
public enum SumLocation: Hashable, Sendable {
  /// With a worker that is asked for them there (`tcp://host:port`).
  case worker(endpoint: String)
  /// In a file that all see.
  case file(String)
}

/// One map's sums, to be added up and written to their file.
public struct SumMerge: Hashable, Sendable {
  /// What the file says of itself.
  public enum Origin: Hashable, Sendable {
    /// Of the dense model, over the data with this digest.
    case dense(data: Digest)
    /// Of the model as the plan with this digest leaves it.
    case pruned(plan: Digest)
  }

  public struct Source: Hashable, Sendable {
    public let kind: SumKind
    public let digest: Digest
    public let location: SumLocation

    public init(_ kind: SumKind, _ digest: Digest, at location: SumLocation) {
      self.kind = kind
      self.digest = digest
      self.location = location
    }
  }

  public let place: TapPlace
  public let origin: Origin
  /// Of the channels' scales.
  public let exponents: [Int8]
  public let sources: [Source]
  /// Tokens that all of them have together.
  public let tokenCount: Int
  public let heldOutTokenCount: Int
  /// The file.
  public let path: String

  public init(
    _ place: TapPlace, of origin: Origin, exponents: [Int8], _ sources: [Source],
    tokenCount: Int, heldOutTokenCount: Int, to path: String
  ) {
    self.tokenCount = tokenCount
    self.heldOutTokenCount = heldOutTokenCount
    self.place = place
    self.origin = origin
    self.exponents = exponents
    self.sources = sources
    self.path = path
  }
}

/// What came of a ``SumMerge``.
public enum MergeOutcome: Hashable, Sendable {
  /// The file stands.
  case merged(tokenCount: Int, heldOutTokenCount: Int)
  /// These sums, by their digests, are not where they should be.
  case lost([Digest])
}
