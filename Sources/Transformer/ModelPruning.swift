public import FlapCore
internal import Kernels

/// What is left out of a model that runs as if it had been pruned: a forward pass with it has the
/// bits of one over the checkpoint that a writer would make by the same plan.
///
/// Weights are not masked but packed without what goes, so that sums have the same terms in the
/// same order, and a pass costs what the pruned model's does.
public struct ModelPruning: Sendable {
  public let plan: PruningPlan
  /// The maps that the taps feed, as a writer would store them; nil: weight and bias are the
  /// checkpoint's. One entry per decoder layer.
  public let maps: [PerTap<PrunedMap?>]
  /// The same of experts that stay, by their numbers, where weights or biases are not the checkpoint's.
  /// One entry per decoder layer, or none.
  public let expertMaps: [[Int: PrunedMap]]
  /// What takes the places of experts that go, as a writer would store it: f32 [hidden] by their
  /// numbers. One entry per decoder layer, or none where nothing does.
  public let expertMeans: [[Int: [Float]]]

  /// - Precondition: as many maps as the plan has layers, and a mean of every expert that it replaces.
  public init(
    plan: PruningPlan, maps: [PerTap<PrunedMap?>], expertMaps: [[Int: PrunedMap]] = [],
    expertMeans: [[Int: [Float]]] = []
  ) {
    self.expertMaps = expertMaps
    precondition(plan.layers.count == maps.count, "maps of every layer")
    precondition(
      plan.layers.indices.allSatisfy {
        !plan.layers[$0].replacesExperts
          || expertMeans[$0].keys.sorted() == plan.layers[$0].removedExperts
      }, "means of replaced experts")
    self.expertMeans = expertMeans
    self.plan = plan
    self.maps = maps
  }

  /// Takes what goes out of a layer's weights.
  func apply(to weights: inout LayerWeights, layer index: Int, of model: ModelShape) {
    let kept = plan.layers[index]
    // An expert that goes has no neurons left.
    let keepsAll = !kept.keptGroups.contains(false) && !kept.keptNeurons.contains(false)
    if keepsAll, maps[index].attentionOutput == nil, maps[index].mlpDown == nil,
      expertMaps.isEmpty || expertMaps[index].isEmpty
    {
      return
    }
    weights.shape.keep(kept)
    weights.keepNorms(of: plan, layer: index, of: model)
    weights.maps = weights.table.combined(with: weights.maps) { map, linear in
      var linear = linear
      let rows = plan.kept(map.rowAxis, ofExpert: map.expert, layer: index, of: model)
      let columns = plan.kept(map.columnAxis, ofExpert: map.expert, layer: index, of: model)
      let pruned = self.map(map, layer: index)
      if let weight = pruned?.weight {
        linear.weight = WeightMatrix(
          elementType: weight.elementType, bytes: weight.bytes.baseAddress!, rows: weight.rows,
          columns: weight.columns)
      } else {
        linear.weight = linear.weight.keeping(rows: rows, columns: columns)
      }
      if let pruned {
        linear.bias = pruned.bias
      } else if let rows {
        linear.bias = linear.bias.map { bias in
          bias.indices.filter { rows[$0] }.map { bias[$0] }
        }
      }
      return linear
    }
    guard !kept.keptExperts.isEmpty else { return }
    if kept.replacesExperts { weights.means = expertMeans[index] }
    weights.maps.mlps = weights.maps.mlps.indices.filter { kept.keptExperts[$0] }.map {
      weights.maps.mlps[$0]
    }
  }
}

extension ModelPruning {
  /// What is left of one; nil: rows and columns of the checkpoint's.
  private func map(_ map: LinearMap, layer: Int) -> PrunedMap? {
    guard let tap = map.tap else { return nil }
    guard let expert = map.expert else { return maps[layer][tap] }
    return expertMaps.isEmpty ? nil : expertMaps[layer][expert]
  }
}

/// A map that a tap feeds, over the channels that stay.
public struct PrunedMap: Sendable {
  /// f32 [hidden], with the type of the checkpoint rounded to; nil where the map has none.
  public let bias: [Float]?
  /// nil: the checkpoint's columns of the channels that stay.
  public let weight: FittedWeight?

  public init(bias: [Float]?, weight: FittedWeight? = nil) {
    self.bias = bias
    self.weight = weight
  }
}
