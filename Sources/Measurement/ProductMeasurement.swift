public import FlapCore
internal import Kernels
public import Statistics
public import Transformer

/// A sum that was measured, in the memory in which it was summed.
public struct MeasuredSum {
  public let place: TapPlace
  public let kind: SumKind
  /// Tokens.
  public let count: Int
  /// What follows the count in the layout of `SecondMoments` or `TargetMoments`, piece by piece.
  public let pieces: [UnsafeRawBufferPointer]

  init(_ place: TapPlace, _ kind: SumKind, count: Int, _ pieces: [UnsafeRawBufferPointer]) {
    precondition(
      SecondMomentSums.sumBits == SecondMoments.sumBits
        && CrossMomentSums.targetBits == TargetMoments.targetBits,
      "both mean the same fixed point")
    self.place = place
    self.kind = kind
    self.count = count
    self.pieces = pieces
  }
}

/// Sums the second moments of the dense model's inputs, layer after layer: the sums of one layer are in
/// memory, whatever the samples.
///
/// The residual stream of a unit's samples is kept where it is from one run to the next, in files
/// without a name. It follows from the tokens: whoever has not kept it brings it up again, to the same
/// bits.
public final class ProductMeasurement {
  private let model: Llama
  private let folder: String
  private let finiteness = FinitenessObserver()
  private var madeScratch: SecondMomentScratchSet?
  private var kept: [TreeNode: (tokens: [[Int32]], stream: ResidualStreams)] = [:]

  /// - Parameter folder: for the streams.
  public init(_ model: Llama, folder: String) {
    self.model = model
    self.folder = folder
  }

  /// Makes room: what the sums take is allocated again when it is needed.
  public func releaseScratch() { madeScratch = nil }

  /// Calls of `onStep` at the most.
  public func stepCount(_ layers: Range<Int>, leafCount: Int) -> Int {
    leafCount * Tap.allCases.count * layers.upperBound
  }

  /// - Parameters:
  ///   - scales: of the layers' channels, the first layer's first.
  ///   - samplesPerLeaf: of every leaf of the run but perhaps the last; for messages.
  ///   - onStep: what it throws ends the measurement.
  ///   - emit: gets the sums that have tokens, tap by tap; valid during the call.
  /// - Throws: `TransformerError`, `CheckpointError`, `OutOfMemory`.
  public func run(
    _ layers: Range<Int>, _ leaves: [Leaf], of node: TreeNode, samplesPerLeaf: Int,
    scales: ChannelScales, onStep: () throws -> Void, emit: (MeasuredSum) throws -> Void
  ) throws {
    precondition(scales.exponents.count == layers.count, "every layer has its scales")
    let tokens = leaves.map(\.tokens)
    let firstLeaf = node.index << node.level
    var stream: ResidualStreams?
    if let known = kept[node], known.tokens == tokens,
      known.stream.step <= Tap.allCases.count * layers.lowerBound
    {
      stream = known.stream
    }
    if layers.lowerBound > 0 {
      stream = try model.streams(
        of: leaves, before: Tap.allCases.count * layers.lowerBound, from: stream,
        inFileOf: folder
      ) { _ in try onStep() }
    }
    for layer in layers {
      let scratch = try madeScratch ?? SecondMomentScratchSet(model)
      madeScratch = scratch
      let observer = SecondMomentsObserver(
        scales.exponents[layer - layers.lowerBound],
        PerTap { model.shape.mapChannels(layer: layer, tap: $0) }, firstLeaf: firstLeaf,
        scratch: scratch)
      stream = try model.streams(
        of: leaves, before: Tap.allCases.count * (layer + 1), from: stream, inFileOf: folder,
        observers: [observer, finiteness]
      ) { passage in
        if let finding = finiteness.take(passage) {
          throw TransformerError.nonFinite(
            layer: passage.layer, tap: passage.tap, channel: finding.channel,
            sample: (firstLeaf + passage.leaf) * samplesPerLeaf + finding.sample)
        }
        try onStep()
      }
      for tap in Tap.allCases {
        try observer.forMeasured(at: TapPlace(layer: layer, tap), emit)
      }
    }
    if let stream { kept[node] = (tokens, stream) }
  }

  /// Bytes that it holds besides the model's scratch, at the most.
  public static func byteCount(
    _ compute: ComputeType, shape: ModelShape, _ limits: MicroBatchLimits, _ split: LaneSplit
  ) -> Int {
    SecondMomentScratchSet.byteCount(compute, shape: shape, limits, split)
  }
}
