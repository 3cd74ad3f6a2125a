public import FlapCore
internal import Kernels
public import Statistics
internal import Synchronization
public import Transformer

/// Measures what one map should give on the inputs that a pruned model brings to it: the residual
/// stream of the dense model behind the map less the pruned one's before it, so that the map makes up
/// for what was lost before it, too.
///
/// Both streams of a node's samples are kept where they are from one map to the next, in files without
/// a name. They follow from the tokens and the maps fitted so far: whoever has not kept them brings
/// them up again, to the same bits.
public final class TargetMeasurement {
  private let model: Llama
  private let folder: String
  private var madeScratch: TargetScratch?
  private var kept: [TreeNode: Streams] = [:]

  private struct Streams {
    let tokens: [[Int32]]
    /// One step ahead of the pruned model's, or as far.
    var dense: ResidualStreams
    var pruned: ResidualStreams
  }

  /// - Parameter folder: for the streams.
  public init(_ model: Llama, folder: String) {
    self.model = model
    self.folder = folder
  }

  /// Makes room: what the sums take is allocated again when it is needed.
  public func releaseScratch() { madeScratch = nil }

  /// Calls of `onStep` at the most.
  public func stepCount(at place: TapPlace, leafCount: Int) -> Int {
    leafCount * 2 * (place.step + 1)
  }

  /// - Parameters:
  ///   - pruning: the plan, with all maps before this one fitted.
  ///   - exponents: of the scales of the channels that stay.
  ///   - onStep: what it throws ends the measurement.
  /// - Returns: valid until the next run.
  public func run(
    _ place: TapPlace, _ leaves: [Leaf], of node: TreeNode, pruning: ModelPruning,
    exponents: [Int8], onStep: () throws -> Void
  ) throws -> MeasuredSum {
    defer { model.pruning = nil }
    var streams = try streams(of: leaves, node, at: place.step, pruning, onStep)
    model.pruning = nil
    streams.dense = try advance(streams.dense, of: leaves, to: place.step + 1, onStep)
    kept[node] = streams
    let scratch = try madeScratch ?? TargetScratch(model)
    madeScratch = scratch
    let observer = TargetObserver(
      place, dense: streams.dense, pruned: streams.pruned, width: model.shape.hiddenSize,
      divisor: Float(model.shape.arithmetic.residualScale), scratch, exponents: exponents)
    model.pruning = pruning
    try model.finish(
      streams.pruned, before: place.step + 1, observers: [observer]
    ) { _ in
      try onStep()
    } body: { _, _ in
    }
    if let channel = scratch.inputs.firstOverflow {
      throw MeasurementError.overflow(place, channel: channel)
    }
    let tokenCount = leaves.reduce(0) { $0 + $1.tokenCount }
    return MeasuredSum(
      place, .targets, count: tokenCount,
      [
        .init(scratch.inputs.sums), .init(scratch.inputs.products), .init(scratch.targets.sums),
        .init(scratch.targets.products),
      ])
  }

  /// Both streams, the pruned one before this step.
  private func streams(
    of leaves: [Leaf], _ node: TreeNode, at step: Int, _ pruning: ModelPruning,
    _ onStep: () throws -> Void
  ) throws -> Streams {
    let tokens = leaves.map(\.tokens)
    if var known = kept[node], known.tokens == tokens, known.pruned.step <= step {
      model.pruning = pruning
      known.pruned = try advance(known.pruned, of: leaves, to: step, onStep)
      return known
    }
    model.pruning = nil
    let dense = try advance(nil, of: leaves, to: step, onStep)
    model.pruning = pruning
    let pruned = try advance(nil, of: leaves, to: step, onStep)
    return Streams(tokens: tokens, dense: dense, pruned: pruned)
  }

  private func advance(
    _ streams: ResidualStreams?, of leaves: [Leaf], to step: Int, _ onStep: () throws -> Void
  ) throws -> ResidualStreams {
    if let streams, streams.step == step { return streams }
    return try model.streams(of: leaves, before: step, from: streams, inFileOf: folder) { _ in
      try onStep()
    }
  }

  /// Bytes that it holds besides the model's scratch, at the most.
  public static func byteCount(
    _ compute: ComputeType, shape: ModelShape, _ limits: MicroBatchLimits, _ split: LaneSplit
  ) -> Int {
    TargetScratch.byteCount(compute, shape: shape, limits, split)
  }
}

/// The sums of one map, and scratch for every lane of a forward pass.
private struct TargetScratch {
  let inputs: SecondMomentSums
  let targets: CrossMomentSums
  let lanes: [Lane]

  struct Lane {
    let inputs: SecondMomentScratch
    let targets: SecondMomentScratch
    /// What the map should give, as row tiles [rows, hidden].
    let operand: ScratchBuffer
  }

  init(_ model: Llama) throws {
    let (shape, rows) = (model.shape, model.limits.rowsPerLeaf)
    let channels = TargetScratch.largestChannelCount(shape)
    inputs = try SecondMomentSums(largestChannelCount: channels)
    targets = try CrossMomentSums(outputs: shape.hiddenSize, largestChannelCount: channels)
    lanes = try model.split.scratchThreadCounts.map { threads in
      Lane(
        inputs: try SecondMomentScratch(
          model.compute, rows: rows, channels: channels, threadCount: threads),
        targets: try SecondMomentScratch(
          model.compute, rows: rows, channels: shape.hiddenSize, threadCount: threads),
        operand: try ScratchBuffer(
          byteCount: RowTiles.byteCount(model.compute, rows: rows, channels: shape.hiddenSize)))
    }
  }

  static func byteCount(
    _ compute: ComputeType, shape: ModelShape, _ limits: MicroBatchLimits, _ split: LaneSplit
  ) -> Int {
    let rows = limits.rowsPerLeaf
    let channels = largestChannelCount(shape)
    let operand = RowTiles.byteCount(compute, rows: rows, channels: shape.hiddenSize)
    return split.scratchThreadCounts.reduce(0) { sum, threads in
      sum + ScratchBuffer.roundedByteCount(operand)
        + [channels, shape.hiddenSize].reduce(0) {
          $0
            + SecondMomentScratch.byteCount(
              compute, rows: rows, channels: $1, threadCount: threads)
        }
    } + SecondMomentSums.byteCount(channels)
      + CrossMomentSums.byteCount(outputs: shape.hiddenSize, channels: channels)
  }

  private static func largestChannelCount(_ shape: ModelShape) -> Int {
    TapPlace.all(in: shape.layers.indices).reduce(0) {
      max($0, shape.channelCount(layer: $1.layer, tap: $1.tap))
    }
  }
}

private final class TargetObserver: TapObserver, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and the sums have locks.

  private let place: TapPlace
  private let dense: ResidualStreams
  private let pruned: ResidualStreams
  private let width: Int
  private let divisor: Float
  private let scratch: TargetScratch

  /// - Parameters:
  ///   - dense: behind the map.
  ///   - pruned: before the map's half of its layer.
  init(
    _ place: TapPlace, dense: ResidualStreams, pruned: ResidualStreams, width: Int,
    divisor: Float, _ scratch: TargetScratch, exponents: [Int8]
  ) {
    self.place = place
    self.dense = dense
    self.pruned = pruned
    self.width = width
    self.divisor = divisor
    self.scratch = scratch
    scratch.inputs.reset(exponents: exponents)
    scratch.targets.reset(exponents: exponents)
  }

  func observe(_: TapPiece) {}

  func finish(_ passage: TapPassage) {
    guard passage.layer == place.layer, passage.tap == place.tap else { return }
    let lane = scratch.lanes[passage.lane]
    let rowCounts = passage.panelTokenCounts
    let target = RowTiles(passage.operand.compute, channels: width, at: lane.operand.bytes)
    passage.team.run(.observers, taskCount: rowCounts.count) { panel, _ in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Tile.side * width) { values in
        let rows = panel * Tile.side..<(panel + 1) * Tile.side
        dense.difference(
          from: pruned, leaf: passage.leaf, rows: rows, width: width, dividedBy: divisor,
          to: values.baseAddress!)
        target.pack(
          values.baseAddress!, stride: width, rows: Tile.side, atRow: rows.lowerBound,
          channels: 0..<width)
      }
    }
    scratch.inputs.add(
      passage.operand, rowCounts: rowCounts, team: passage.team, scratch: lane.inputs)
    scratch.targets.add(
      target, scratch: lane.targets, by: passage.operand, scratch: lane.inputs,
      rowCounts: rowCounts, team: passage.team)
  }
}
