public import Coordination
import FlapCore
public import Statistics

/// A sum that tells what is in it, and how often: as bytes, for each leaf that was counted the step of
/// the map, the kind and the leaf's number, in their order.
public struct VirtualSum: Hashable, Sendable {
  private var items: [[UInt8]] = []

  public init() {}

  public init(_ place: TapPlace, _ kind: SumKind, leaves: [Int]) {
    items = leaves.map { [UInt8(place.step), UInt8(kind.rawValue), UInt8($0)] }
  }

  init(bytes: [UInt8]) {
    items = stride(from: 0, to: bytes.count, by: 3).map { Array(bytes[$0..<$0 + 3]) }
  }

  public var bytes: [UInt8] { items.flatMap { $0 } }

  mutating func add(_ other: VirtualSum) {
    items = (items + other.items).sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Leaves that were counted in these kinds, each as often as it was.
  func count(_ kinds: SumKind...) -> Int {
    items.count { item in kinds.contains { Int(item[1]) == $0.rawValue } }
  }
}

extension VirtualWork {
  /// Kinds of sums that there are of some leaves, and of which leaves each is.
  public static func leaves(
    of kinds: [SumKind], among leaves: Range<Int>
  ) -> [(kind: SumKind, leaves: [Int])] {
    kinds.compactMap { kind in
      let counted = leaves.filter { leaf in
        switch kind {
        case .kept: !HeldOutLeaves.contains(leaf)
        case .heldOut: HeldOutLeaves.contains(leaf)
        case .targets: true
        }
      }
      return counted.isEmpty ? nil : (kind, counted)
    }
  }

  /// What a worker holds of a unit, and how it is named.
  public static func sums(of work: SumWork) -> [(sum: HeldSum, value: VirtualSum)] {
    let first = work.unit.node.index << work.unit.node.level
    let leaves = first..<first + work.unit.samplesPerLeaf.count
    return work.inputs.places.flatMap { place in
      VirtualWork.leaves(of: work.inputs.kinds, among: leaves).map { kind, leaves in
        let value = VirtualSum(place, kind, leaves: leaves)
        return (HeldSum(place, kind, digest(of: value.bytes)), value)
      }
    }
  }

  /// Where a map's sums go.
  static func path(_ inputs: SumWork.Inputs, _ place: TapPlace) -> String {
    "\(inputs.isDense ? "dense" : "pruned") \(place.step)"
  }

  /// What is wrong with the files of a finished run, which has to have every leaf of every map once.
  static func differences(
    in files: [String: [UInt8]], of inputs: [SumWork.Inputs], leafCount: Int
  ) -> [String] {
    inputs.flatMap { inputs in
      inputs.places.compactMap { place in
        var expected = VirtualSum()
        for (kind, leaves) in leaves(of: inputs.kinds, among: 0..<leafCount) {
          expected.add(VirtualSum(place, kind, leaves: leaves))
        }
        let path = path(inputs, place)
        return files[path] == expected.bytes ? nil : "the file \(path) has other sums or none"
      }
    }
  }

  // MARK: Reports

  /// For each sum the step of its map, its kind and its digest.
  public static func encode(_ sums: [HeldSum]) -> [UInt8] {
    sums.flatMap { [UInt8($0.place.step), UInt8($0.kind.rawValue)] + $0.digest.bytes }
  }

  static func decodeHeldSums(_ bytes: [UInt8]) -> [HeldSum]? {
    let width = 2 + Digest.byteCount
    guard bytes.count.isMultiple(of: width) else { return nil }
    let sums = stride(from: 0, to: bytes.count, by: width).compactMap { start -> HeldSum? in
      guard let kind = SumKind(rawValue: Int(bytes[start + 1])),
        let digest = Digest(bytes: Array(bytes[start + 2..<start + width]))
      else { return nil }
      return HeldSum(TapPlace(step: Int(bytes[start])), kind, digest)
    }
    return sums.count * width == bytes.count ? sums : nil
  }

  /// 1 and the counts of tokens, or 0 and digests.
  static func encode(_ outcome: MergeOutcome) -> [UInt8] {
    switch outcome {
    case .merged(let tokenCount, let heldOut): [1, UInt8(tokenCount), UInt8(heldOut)]
    case .lost(let digests): [0] + digests.flatMap(\.bytes)
    }
  }

  static func decodeMergeOutcome(_ bytes: [UInt8]) -> MergeOutcome? {
    guard bytes.first == 0 else {
      guard bytes.count == 3 else { return nil }
      return .merged(tokenCount: Int(bytes[1]), heldOutTokenCount: Int(bytes[2]))
    }
    let width = Digest.byteCount
    return .lost(
      stride(from: 1, to: bytes.count, by: width).compactMap {
        Digest(bytes: Array(bytes[$0..<min($0 + width, bytes.count)]))
      })
  }
}

extension SumWork.Inputs {
  var isDense: Bool { if case .dense = self { true } else { false } }

  var places: [TapPlace] {
    switch self {
    case .dense(let layers): TapPlace.all(in: layers)
    case .pruned(let place, _): [place]
    }
  }

  var kinds: [SumKind] { isDense ? [.kept, .heldOut] : [.targets] }
}

extension TapPlace {
  fileprivate init(step: Int) {
    self = TapPlace.all(in: step / 2..<step / 2 + 1)[step % 2]
  }
}
