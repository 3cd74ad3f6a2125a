internal import FlapCore
internal import Kernels
internal import Statistics
internal import Synchronization
internal import Transformer

/// Sums ``SecondMoments`` of both taps of a layer at a time, over the leaves of a node.
final class SecondMomentsObserver: TapObserver, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and the sums have locks.

  /// Tokens that were summed at each tap of the layer at hand.
  private struct Counts {
    var layer = -1
    var kept = 0
    var heldOut = 0
  }

  private let scales: ChannelScales
  private let firstLeaf: Int
  private let scratch: SecondMomentScratchSet
  private let counts: Mutex<PerTap<Counts>> = Mutex(PerTap { _ in Counts() })

  /// - Parameters:
  ///   - firstLeaf: of the node, in the run.
  ///   - scratch: nobody else's meanwhile.
  init(_ scales: ChannelScales, firstLeaf: Int, scratch: SecondMomentScratchSet) {
    self.scales = scales
    self.firstLeaf = firstLeaf
    self.scratch = scratch
  }

  func observe(_: TapPiece) {}

  func finish(_ passage: TapPassage) {
    let sums = scratch.sums[passage.tap]
    let isHeldOut = HeldOutSecondMoments.contains(leaf: firstLeaf + passage.leaf)
    counts.withLock { counts in
      // All leaves go through a layer before the first goes through the next.
      if counts[passage.tap].layer != passage.layer {
        counts[passage.tap] = Counts(layer: passage.layer)
        let exponents = scales.exponents[passage.layer][passage.tap]
        sums.kept.reset(exponents: exponents)
        sums.heldOut.reset(exponents: exponents)
      }
      counts[passage.tap].kept += isHeldOut ? 0 : passage.tokenCount
      counts[passage.tap].heldOut += isHeldOut ? passage.tokenCount : 0
    }
    (isHeldOut ? sums.heldOut : sums.kept).add(
      passage.operand, rowCounts: passage.panelTokenCounts, team: passage.team,
      scratch: scratch.lanes[passage.lane])
  }

  /// One of the two kinds at a passage's tap, whose leaves have all gone through.
  func part(_ kind: StatisticKind, _ passage: TapPassage, of node: TreeNode) -> StatisticPart {
    let place = TapPlace(layer: passage.layer, passage.tap)
    let counts = counts.withLock { $0[passage.tap] }
    let sums = scratch.sums[passage.tap]
    precondition(counts.layer == passage.layer, "sums are asked for when the last leaf is through")
    return kind == SecondMoments.kind
      ? StatisticPart(SecondMoments(count: counts.kept, sums.kept), at: place, node: node)
      : StatisticPart(
        HeldOutSecondMoments(SecondMoments(count: counts.heldOut, sums.heldOut)), at: place,
        node: node)
  }
}

extension SecondMoments {
  fileprivate init(count: Int, _ sums: SecondMomentSums) {
    precondition(
      SecondMomentSums.sumBits == SecondMoments.sumBits, "both mean the same fixed point")
    self.init(count: count, sums: sums.sums, products: sums.products)
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
