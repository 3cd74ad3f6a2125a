public import Checkpoint
public import FlapCore
public import Pruning

/// The biases that make up for what one layer loses at both taps.
public struct LayerCompensation: Hashable, Sendable {
  public var attentionOutput: Compensation
  public var mlpDown: Compensation

  public init(attentionOutput: Compensation, mlpDown: Compensation) {
    self.attentionOutput = attentionOutput
    self.mlpDown = mlpDown
  }

  subscript(tap: Tap) -> Compensation {
    switch tap {
    case .attentionOutput: attentionOutput
    case .mlpDown: mlpDown
    }
  }
}

/// The checkpoint that is left of a dense one: which tensors, in which shards, made how.
///
/// It follows from the dense checkpoint, the plan and the options alone, so every worker makes
/// the same one for itself. Tensors that the shape does not ask for (rotary tables that old
/// checkpoints carry) are left out.
public struct PrunedCheckpoint: Sendable {
  /// What to make of the dense tensors for one of the pruned ones.
  enum Recipe: Sendable {
    case copy
    /// Output channels that stay, as runs of rows.
    case keepRows([Range<Int>])
    /// Input channels that stay, as runs of columns.
    case keepColumns([Range<Int>])
    /// The dense bias, if there is one, plus the compensation.
    case bias(layer: Int, Tap)
    /// A bias that only the class of a stock checkpoint asks for.
    case zeros
  }

  public let layout: CheckpointLayout
  let dense: Checkpoint
  let denseShapes: [String: [Int]]
  let compensations: [LayerCompensation]?
  public let plan: PruningPlan

  /// - Parameters:
  ///   - compensations: one per layer, or nil to leave removed channels uncompensated.
  ///   - isStock: whether it is to be loaded by a class of transformers itself (``StockClass``).
  /// - Throws: ``CheckpointError`` when the dense checkpoint lacks a tensor; ``StockClassError``.
  /// - Precondition: the plan fits the checkpoint's shape.
  public init(
    dense: Checkpoint, plan: PruningPlan, compensations: [LayerCompensation]?,
    maximumShardBytes: Int, isStock: Bool = false
  ) throws {
    self.dense = dense
    self.plan = plan
    self.compensations = compensations
    let shape = dense.configuration.shape
    let denseShapes = Dictionary(uniqueKeysWithValues: shape.expectedTensors())
    self.denseShapes = denseShapes
    var pruned = plan.prunedShape(of: shape, compensating: compensations != nil)
    if isStock {
      let stock = try StockClass(modelType: dense.configuration.modelType)
      try stock.check(pruned)
      pruned.biases = try stock.biases(holding: pruned.biases)
    }
    let tensors = try pruned.expectedTensors().map { name, prunedShape in
      // A bias that pruning adds has the type of its map's weight.
      let source = denseShapes[name] == nil ? name.replacingSuffix(".bias", by: ".weight") : name
      let view = try dense.tensor(source, shape: denseShapes[source]!)
      return TensorDeclaration(name: name, elementType: view.elementType, shape: prunedShape)
    }
    layout = CheckpointLayout(tensors: tensors, maximumShardBytes: maximumShardBytes)
  }

  func recipe(for name: String) -> Recipe {
    let parts = name.split(separator: ".")
    guard parts.count == 6, parts[0] == "model", parts[1] == "layers", let layer = Int(parts[2])
    else { return .copy }
    let shape = dense.configuration.shape
    let isBias = parts[5] == "bias"
    let tap: Tap? =
      switch parts[4] {
      case "o_proj": .attentionOutput
      case "down_proj": .mlpDown
      default: nil
      }
    if let tap {
      if isBias { return .bias(layer: layer, tap) }
      return .keepColumns(runs(plan.keptChannels(layer: layer, tap: tap, shape: shape)))
    }
    if isBias, denseShapes[name] == nil { return .zeros }
    switch parts[4] {
    case "q_proj":
      return .keepRows(runs(plan.keptChannels(layer: layer, tap: .attentionOutput, shape: shape)))
    case "k_proj", "v_proj":
      let groups = plan.layers[layer].keptGroups
      return .keepRows(runs(groups, width: shape.headDimension))
    case "gate_proj", "up_proj": return .keepRows(runs(plan.layers[layer].keptNeurons))
    default: return .copy
    }
  }

  /// The kept positions as runs, each flag standing for `width` of them.
  private func runs(_ kept: [Bool], width: Int = 1) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for (index, isKept) in kept.enumerated() where isKept {
      let range = index * width..<(index + 1) * width
      if let last = runs.last, last.upperBound == range.lowerBound {
        runs[runs.count - 1] = last.lowerBound..<range.upperBound
      } else {
        runs.append(range)
      }
    }
    return runs
  }
}

extension String {
  func replacingSuffix(_ suffix: String, by other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
