public import FlapCore

/// One score per prunable unit: [layer][group] and [layer][neuron].
public struct UnitScores: Hashable, Sendable {
  public var groups: [[Double]]
  public var neurons: [[Double]]

  /// Comparable within a layer: a group's score is the sum over its channels.
  init(summing scores: [LayerScores], shape: ModelShape) {
    groups = scores.enumerated().map { layer, scores in
      groupSums(
        scores.attentionOutput, groupCount: shape.layers[layer].keyValueHeadCount)
    }
    neurons = scores.map(\.mlpDown)
  }

  /// Comparable between layers: standardized per layer and module; a group's score is the mean
  /// over its channels.
  ///
  /// - Precondition: as many scores as the shape has channels.
  public init(standardizing scores: [LayerScores], shape: ModelShape) {
    groups = scores.enumerated().map { layer, scores in
      let groupCount = shape.layers[layer].keyValueHeadCount
      let width = Double(scores.attentionOutput.count / groupCount)
      return groupSums(standardized(scores.attentionOutput), groupCount: groupCount)
        .map { $0 / width }
    }
    neurons = scores.map { standardized($0.mlpDown) }
  }
}

/// What every unit costs, in parameters ÷ hidden size, and how much can go.
struct UnitBudget {
  /// Cost of one group, per layer.
  let groupCosts: [Int]
  /// Cost of one neuron, the same in every layer.
  let neuronCost: Int
  /// Cost of all units, per layer.
  let layerCosts: [Int]

  /// - Precondition: there is a layer.
  init(shape: ModelShape) {
    let groupCosts = shape.layers.indices.map { shape.unitCost(layer: $0, tap: .attentionOutput) }
    let neuronCost = shape.unitCost(layer: 0, tap: .mlpDown)
    layerCosts = shape.layers.indices.map { layer in
      groupCosts[layer] * shape.layers[layer].keyValueHeadCount
        + neuronCost * shape.layers[layer].intermediateSize
    }
    self.groupCosts = groupCosts
    self.neuronCost = neuronCost
  }

  init(groupCosts: [Int], neuronCost: Int, layerCosts: [Int]) {
    self.groupCosts = groupCosts
    self.neuronCost = neuronCost
    self.layerCosts = layerCosts
  }

  var total: Int { layerCosts.reduce(0, +) }

  /// The ratio reached when every layer is left with one group and one neuron.
  var largestReachableRatio: Double {
    let least = groupCosts.reduce(0) { $0 + $1 + neuronCost }
    return Double(total - least) / Double(total)
  }
}

/// The units that stay, while a search decides.
struct Selection {
  var layers: [PruningPlan.Layer]
  var threshold: Double?

  init(layers: [PruningPlan.Layer], threshold: Double? = nil) {
    self.layers = layers
    self.threshold = threshold
  }

  /// Keeps the units of which a score's predicate holds.
  init(
    of scores: UnitScores, threshold: Double? = nil,
    keepingGroup: (_ layer: Int, _ score: Double) -> Bool,
    keepingNeuron: (_ layer: Int, _ score: Double) -> Bool
  ) {
    layers = scores.groups.indices.map { layer in
      PruningPlan.Layer(
        keptGroups: scores.groups[layer].map { keepingGroup(layer, $0) },
        keptNeurons: scores.neurons[layer].map { keepingNeuron(layer, $0) })
    }
    self.threshold = threshold
  }

  /// Of every layer the best group and the best neuron.
  init(best scores: UnitScores) {
    self.init(of: scores, keepingGroup: { _, _ in false }, keepingNeuron: { _, _ in false })
    _ = restoreMinimum(scores)
  }

  /// Gives every layer that lost all groups or all neurons its best one back.
  ///
  /// - Returns: how many units that were.
  mutating func restoreMinimum(_ scores: UnitScores) -> Int {
    var restored = 0
    for layer in layers.indices {
      if !layers[layer].keptGroups.contains(true) {
        layers[layer].keptGroups[indexOfBest(scores.groups[layer])] = true
        restored += 1
      }
      if !layers[layer].keptNeurons.contains(true) {
        layers[layer].keptNeurons[indexOfBest(scores.neurons[layer])] = true
        restored += 1
      }
    }
    return restored
  }
}

/// The first of the highest scores.
func indexOfBest(_ scores: [Double]) -> Int {
  scores.indices.dropFirst().reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
}
