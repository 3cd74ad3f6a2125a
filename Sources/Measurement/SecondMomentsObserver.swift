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
    var kept = 0
    var heldOut = 0
  }

  private let firstLeaf: Int
  private let scratch: SecondMomentScratchSet
  private let counts: Mutex<PerTap<Counts>> = Mutex(PerTap { _ in Counts() })

  /// - Parameters:
  ///   - exponents: of the scales of the layer's channels.
  ///   - firstLeaf: of the unit, in the run.
  ///   - scratch: nobody else's meanwhile.
  init(_ exponents: PerTap<[Int8]>, firstLeaf: Int, scratch: SecondMomentScratchSet) {
    self.firstLeaf = firstLeaf
    self.scratch = scratch
    for tap in Tap.allCases {
      scratch.sums[tap].kept.reset(exponents: exponents[tap])
      scratch.sums[tap].heldOut.reset(exponents: exponents[tap])
    }
  }

  func observe(_: TapPiece) {}

  func finish(_ passage: TapPassage) {
    let sums = scratch.sums[passage.tap]
    let isHeldOut = HeldOutLeaves.contains(firstLeaf + passage.leaf)
    counts.withLock { counts in
      counts[passage.tap].kept += isHeldOut ? 0 : passage.tokenCount
      counts[passage.tap].heldOut += isHeldOut ? passage.tokenCount : 0
    }
    (isHeldOut ? sums.heldOut : sums.kept).add(
      passage.operand, rowCounts: passage.panelTokenCounts, team: passage.team,
      scratch: scratch.lanes[passage.lane])
  }

  /// The sums at a tap that have tokens, when all leaves have gone through; valid until the next
  /// observer.
  func measured(at place: TapPlace) -> [MeasuredSum] {
    let counts = counts.withLock { $0[place.tap] }
    let sums = scratch.sums[place.tap]
    return [(SumKind.kept, counts.kept, sums.kept), (.heldOut, counts.heldOut, sums.heldOut)]
      .filter { $0.1 > 0 }
      .map { kind, count, sums in
        MeasuredSum(place, kind, count: count, [.init(sums.sums), .init(sums.products)])
      }
  }
}

/// The sums of the layer at hand, and scratch for every lane of a forward pass.
struct SecondMomentScratchSet {
  let sums: PerTap<(kept: SecondMomentSums, heldOut: SecondMomentSums)>
  let lanes: [SecondMomentScratch]

  /// - Throws: `OutOfMemory`.
  init(_ model: Llama) throws {
    let sizes = Sizes(model.shape, model.limits)
    sums = try PerTap { tap in
      (
        kept: try SecondMomentSums(largestChannelCount: sizes.channels[tap]),
        heldOut: try SecondMomentSums(largestChannelCount: sizes.channels[tap])
      )
    }
    lanes = try model.split.scratchThreadCounts.map {
      try SecondMomentScratch(
        model.compute, rows: sizes.rows, channels: sizes.largest, threadCount: $0)
    }
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
    return scratch
      + Tap.allCases.reduce(0) { $0 + 2 * SecondMomentSums.byteCount(sizes.channels[$1]) }
  }

  /// The largest matrices.
  private struct Sizes {
    let rows: Int
    let channels: PerTap<Int>

    init(_ shape: ModelShape, _ limits: MicroBatchLimits) {
      rows = limits.rowsPerLeaf
      channels = PerTap { tap in
        shape.layers.indices.map { shape.channelCount(layer: $0, tap: tap) }.max() ?? 0
      }
    }

    var largest: Int { max(channels.attentionOutput, channels.mlpDown) }
  }
}
