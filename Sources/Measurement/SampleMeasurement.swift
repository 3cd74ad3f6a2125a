public import FlapCore
public import Statistics
public import Transformer

/// Measures samples: takes the leaves of a node through a model and gives what was asked for, merged
/// up to the node.
public final class SampleMeasurement {
  public let model: Llama
  private let catalog: GathererCatalog
  private let finiteness = FinitenessObserver()
  /// With their scratch, which is used again.
  private var reductions: [StatisticKind: any TapReduction] = [:]

  public init(_ model: Llama, catalog: GathererCatalog = .standard) {
    self.model = model
    self.catalog = catalog
  }

  /// Calls of `onStep` in ``run(_:_:of:samplesPerLeaf:onStep:emit:)``.
  public func stepCount(_ kinds: [StatisticKind], leafCount: Int) -> Int {
    let taps = model.shape.layers.count * Tap.allCases.count
    return leafCount * (taps + (kinds.contains(LossSum.kind) ? model.lossStepCount : 0))
  }

  /// - Parameters:
  ///   - kinds: what to measure.
  ///   - leaves: all of the node's, which go through the model together.
  ///   - samplesPerLeaf: of every leaf of the run but perhaps the last; for messages.
  ///   - onStep: what it throws ends the pass.
  ///   - emit: gets the parts in the order of a report (`StatisticCatalog.keys(of:node:in:)`), each
  ///     as soon as it is there.
  /// - Throws: `TransformerError`, ``MeasurementError``, `CheckpointError`, `OutOfMemory`.
  public func run(
    _ kinds: [StatisticKind], _ leaves: [Leaf], of node: TreeNode, samplesPerLeaf: Int,
    onStep: () throws -> Void, emit: (StatisticPart) throws -> Void
  ) throws {
    let firstLeaf = node.index << node.level
    let reductions = try kinds.filter { $0 != LossSum.kind }.map { try reduction(of: $0) }
    for reduction in reductions { reduction.begin(node, leafCount: leaves.count) }
    let observers = reductions.map(\.observer) + [finiteness]
    try model.forward(leaves, observers: observers) { passage in
      if let finding = finiteness.take(passage) {
        throw TransformerError.nonFinite(
          layer: passage.layer, tap: passage.tap, channel: finding.channel,
          sample: (firstLeaf + passage.leaf) * samplesPerLeaf + finding.sample)
      }
      for reduction in reductions { reduction.take(passage, as: firstLeaf + passage.leaf) }
      if passage.leaf == leaves.count - 1 {
        for reduction in reductions { try emit(reduction.end(passage)) }
      }
      try onStep()
    }
    guard kinds.contains(LossSum.kind) else { return }
    try emit(try loss(leaves, node, samplesPerLeaf, onStep))
  }

  private func reduction(of kind: StatisticKind) throws -> any TapReduction {
    if let made = reductions[kind] { return made }
    guard let type = catalog.type(of: kind) else { throw MeasurementError.unknownKind(kind) }
    let made = try makeReduction(type, model.observerLimits)
    reductions[kind] = made
    return made
  }

  private func loss(
    _ leaves: [Leaf], _ node: TreeNode, _ samplesPerLeaf: Int, _ onStep: () throws -> Void
  ) throws -> StatisticPart {
    var reducer = TreeReducer<LossSum>(under: node, leafCount: leaves.count)
    let firstLeaf = node.index << node.level
    for (index, loss) in try model.losses(of: leaves, onStep: onStep).enumerated() {
      guard loss.sum.isFinite else {
        throw TransformerError.nonFiniteOutput(
          tensor: try model.nonFiniteTensorBehindTaps, sample: (firstLeaf + index) * samplesPerLeaf)
      }
      reducer.take(
        LossSum(negativeLogLikelihood: loss.sum, tokenCount: loss.tokenCount),
        as: firstLeaf + index)
    }
    return StatisticPart(reducer.value, at: nil, node: node)
  }

  /// Bytes that measuring takes besides the model's scratch, at the most.
  ///
  /// - Parameter leafCount: of a work unit.
  public static func byteCount(
    _ kinds: [StatisticKind], leafCount: Int, shape: ModelShape, _ limits: ObserverLimits,
    statistics: StatisticCatalog = .standard, catalog: GathererCatalog = .standard
  ) -> Int {
    let levels = CanonicalTree(leafCount: max(leafCount, 1)).rootLevel + 1
    return kinds.reduce(0) { sum, kind in
      guard let type = catalog.type(of: kind) else { return sum }
      let keys = TapPlace.all(in: shape.layers.indices).map { StatisticKey(kind, $0, node: nil) }
      let largest = keys.compactMap { try? statistics.byteCount($0, in: shape) }.max() ?? 0
      // A value per level of the tree at both taps, one that is merged, and its encoding.
      return sum + type.byteCount(limits) + largest * (Tap.allCases.count * levels + 2)
    }
  }
}

/// Why something is not measured.
public enum MeasurementError: Error, Hashable, Sendable, CustomStringConvertible {
  case unknownKind(StatisticKind)
  case overflow(TapPlace, channel: Int)

  public var description: String {
    switch self {
    case .unknownKind(let kind):
      "nobody here measures the statistic \"\(kind)\": use the same version on every host"
    case .overflow(let place, let channel):
      "the pruned model's inputs of \(place.tap.moduleName(layer: place.layer)) are more than 64 times "
        + "the dense model's in channel \(channel): leave it out with --no-sequential"
    }
  }
}
