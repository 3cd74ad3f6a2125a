internal import FlapCore
internal import Kernels
internal import Statistics
internal import Synchronization
internal import Transformer

/// Sums ``SecondMoments`` of both taps of one layer, over the leaves of a unit.
final class SecondMomentsObserver: TapObserver, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and the sums have locks.

  /// Tokens that were summed at a tap.
  private struct Counts {
    var all = 0
    /// Of each expert; none where the tap is none of experts.
    var ofExperts: [Int64] = []
  }

  private let firstLeaf: Int
  private let scratch: SecondMomentScratchSet
  private let sums: PerTap<[SecondMomentScratchSet.Sums]>
  private let counts: Mutex<PerTap<[SumKind: Counts]>>

  /// - Parameters:
  ///   - exponents: of the scales of the layer's channels.
  ///   - inputs: whose they are.
  ///   - firstLeaf: of the unit, in the run.
  ///   - scratch: nobody else's meanwhile.
  init(
    _ exponents: PerTap<[Int8]>, _ inputs: PerTap<MapChannels>, firstLeaf: Int,
    scratch: SecondMomentScratchSet
  ) {
    self.firstLeaf = firstLeaf
    self.scratch = scratch
    let sums = PerTap { tap in
      Array(scratch.sums(at: tap, of: inputs[tap]).prefix(inputs[tap].mapCount))
    }
    self.sums = sums
    for tap in Tap.allCases {
      for (map, sums) in sums[tap].enumerated() {
        let own = Array(exponents[tap][inputs[tap].channels(ofMap: map)])
        sums.kept.reset(exponents: own)
        sums.heldOut.reset(exponents: own)
      }
    }
    counts = Mutex(
      PerTap { tap in
        let none = Array(repeating: Int64(0), count: SecondMoments.countCount(inputs[tap]))
        return [.kept: Counts(ofExperts: none), .heldOut: Counts(ofExperts: none)]
      })
  }

  func observe(_: TapPiece) {}

  func finish(_ passage: TapPassage) {
    let isHeldOut = HeldOutLeaves.contains(firstLeaf + passage.leaf)
    count(passage, isHeldOut ? .heldOut : .kept)
    let lane = scratch.lanes[passage.lane]
    func add(_ x: RowTiles, _ tokenCounts: [UInt8], to sums: SecondMomentScratchSet.Sums) {
      (isHeldOut ? sums.heldOut : sums.kept).add(
        x, rowCounts: tokenCounts, team: passage.team, scratch: lane)
    }
    guard let experts = passage.experts else {
      return add(passage.operand, passage.panelTokenCounts, to: sums[passage.tap][0])
    }
    for expert in 0..<experts.expertCount where !experts.routing.visits[expert].isEmpty {
      let operand = experts.operand(ofExpert: expert)
      add(operand.rows, operand.tokenCounts, to: sums[passage.tap][expert])
    }
  }

  private func count(_ passage: TapPassage, _ kind: SumKind) {
    counts.withLock { counts in
      counts[passage.tap][kind]!.all += passage.tokenCount
      guard let visits = passage.experts?.routing.visits else { return }
      for expert in counts[passage.tap][kind]!.ofExperts.indices {
        counts[passage.tap][kind]!.ofExperts[expert] += Int64(visits[expert].count)
      }
    }
  }

  /// The sums at a tap that have tokens, when all leaves have gone through; valid until the next
  /// observer.
  func forMeasured(at place: TapPlace, _ body: (MeasuredSum) throws -> Void) rethrows {
    let counts = counts.withLock { $0[place.tap] }
    for kind in [SumKind.kept, .heldOut] {
      guard let count = counts[kind], count.all > 0 else { continue }
      let sums = sums[place.tap].map { kind == .kept ? $0.kept : $0.heldOut }
      try count.ofExperts.withUnsafeBytes { ofExperts in
        let pieces =
          (ofExperts.isEmpty ? [] : [ofExperts]) + sums.map { .init($0.sums) }
          + sums.map { .init($0.products) }
        try body(MeasuredSum(place, kind, count: count.all, pieces))
      }
    }
  }
}

/// The sums of the layer at hand, and scratch for every lane of a forward pass.
struct SecondMomentScratchSet {
  /// Of one map's input.
  typealias Sums = (kept: SecondMomentSums, heldOut: SecondMomentSums)

  private let wholes: PerTap<Sums>
  private let experts: [Sums]
  let lanes: [SecondMomentScratch]

  /// - Throws: `OutOfMemory`.
  init(_ model: Llama) throws {
    let sizes = Sizes(model.shape, model.limits)
    func sums(_ channels: Int) throws -> Sums {
      (
        kept: try SecondMomentSums(largestChannelCount: channels),
        heldOut: try SecondMomentSums(largestChannelCount: channels)
      )
    }
    wholes = try PerTap { tap in try sums(sizes.wholes[tap]) }
    experts = try (0..<sizes.experts.mapCount).map { _ in try sums(sizes.experts.width) }
    lanes = try model.split.scratchThreadCounts.map {
      try SecondMomentScratch(
        model.compute, rows: sizes.rows, channels: sizes.largest, threadCount: $0)
    }
  }

  /// Sums for a tap, at least as many as it feeds maps.
  func sums(at tap: Tap, of inputs: MapChannels) -> [Sums] {
    inputs.mapCount > 1 ? experts : [wholes[tap]]
  }

  static func byteCount(
    _ compute: ComputeType, shape: ModelShape, _ limits: MicroBatchLimits, _ split: LaneSplit
  ) -> Int {
    let sizes = Sizes(shape, limits)
    let scratch = split.scratchThreadCounts.reduce(0) {
      $0
        + SecondMomentScratch.byteCount(
          compute, rows: sizes.rows, channels: sizes.largest, threadCount: $1)
    }
    let wholes = Tap.allCases.reduce(0) { $0 + SecondMomentSums.byteCount(sizes.wholes[$1]) }
    let experts = sizes.experts.mapCount * SecondMomentSums.byteCount(sizes.experts.width)
    return scratch + 2 * (wholes + experts)
  }

  /// The largest matrices.
  private struct Sizes {
    let rows: Int
    /// Channels of taps that one map reads.
    let wholes: PerTap<Int>
    let experts: MapChannels

    init(_ shape: ModelShape, _ limits: MicroBatchLimits) {
      rows = limits.rowsPerLeaf
      let inputs = TapPlace.all(in: shape.layers.indices).map { place in
        (tap: place.tap, inputs: shape.mapChannels(layer: place.layer, tap: place.tap))
      }
      wholes = PerTap { tap in
        inputs.filter { $0.tap == tap && $0.inputs.mapCount == 1 }
          .map(\.inputs.channelCount).max() ?? 0
      }
      let mixed = inputs.map(\.inputs).filter { $0.mapCount > 1 }
      let (count, width) = (mixed.map(\.mapCount).max() ?? 1, mixed.map(\.width).max() ?? 0)
      experts = MapChannels(channelCount: count * width, mapCount: count)
    }

    var largest: Int { max(wholes.attentionOutput, wholes.mlpDown, experts.width) }
  }
}
