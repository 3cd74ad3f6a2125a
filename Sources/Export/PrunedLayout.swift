public import Checkpoint
public import FlapCore

/// The checkpoint that is left of a dense one: which tensors, in which shards, made how.
///
/// It follows from the dense checkpoint, the plan and the options alone, so everybody makes the same
/// one for himself. Tensors that the shape does not ask for (rotary tables that old checkpoints
/// carry) are left out.
public struct PrunedLayout: Sendable {
  /// What to make of the dense tensors for one of the pruned ones.
  enum Recipe: Hashable, Sendable {
    case copy
    /// Rows and columns that stay, as runs; nil: all columns.
    case keep(rows: [Range<Int>], columns: [Range<Int>]?)
    /// The columns that stay, as runs, of a map that a tap feeds; their weights may be fitted anew.
    case fed(layer: Int, Tap, expert: Int?, columns: [Range<Int>])
    /// The bias of a map that a tap feeds: the dense one, if there is one, plus the compensation.
    case bias(layer: Int, Tap, expert: Int?)
    /// What takes the place of an expert that goes, the n-th of them in its layer.
    case mean(layer: Int, Int)
    /// A bias that only the class of a uniform checkpoint asks for.
    case zeros
  }

  public let plan: PruningPlan
  /// Whether removed channels leave a bias behind.
  public let isCompensated: Bool
  public let shards: CheckpointLayout
  let dense: Checkpoint
  /// By the name of the tensor to be written.
  let recipes: [String: Recipe]
  /// The dense tensor that one is made of, by its name, where that is not its own: experts that stay
  /// move up.
  let sources: [String: String]
  /// Of the dense checkpoint's tensors, by name.
  let denseShapes: [String: [Int]]

  /// - Parameter isUniform: whether it is to be loaded by a class of transformers itself
  ///   (``TransformersClass``).
  /// - Throws: ``CheckpointError`` when the dense checkpoint lacks a tensor;
  ///   ``TransformersClassError``.
  /// - Precondition: the plan fits the checkpoint's shape.
  public init(
    dense: Checkpoint, plan: PruningPlan, isCompensated: Bool, maximumShardBytes: Int,
    isUniform: Bool = false
  ) throws {
    self.dense = dense
    self.plan = plan
    self.isCompensated = isCompensated
    let shape = dense.configuration.shape
    let denseShapes = Dictionary(
      uniqueKeysWithValues: shape.tensors.map { ($0.name, $0.shape) })
    self.denseShapes = denseShapes
    var pruned = plan.prunedShape(of: shape, compensating: isCompensated)
    if isUniform {
      let target = try TransformersClass(modelType: dense.configuration.modelType)
      try target.check(pruned)
      pruned.biases = try target.biases(holding: pruned.biases)
    }
    let layers = shape.layers.indices.map { DenseLayer($0, of: shape, plan) }
    var declarations: [TensorDeclaration] = []
    var recipes: [String: Recipe] = [:]
    var sources: [String: String] = [:]
    for tensor in pruned.tensors {
      var source = tensor.name
      switch tensor.place {
      case .embedding, .finalNorm, .outputProjection: recipes[tensor.name] = .copy
      case .layer(let layer, let content):
        source = layers[layer].source(of: content, named: tensor.name, denseShapes)
        recipes[tensor.name] = layers[layer].recipe(
          content, hasBias: source.hasSuffix(".bias"))
      }
      if source != tensor.name { sources[tensor.name] = source }
      let view = try dense.tensor(source, shape: denseShapes[source, default: []])
      declarations.append(
        TensorDeclaration(name: tensor.name, elementType: view.elementType, shape: tensor.shape))
    }
    self.recipes = recipes
    self.sources = sources
    shards = CheckpointLayout(tensors: declarations, maximumShardBytes: maximumShardBytes)
  }
}

/// A layer of the dense checkpoint, for whoever looks for what becomes of its tensors.
private struct DenseLayer {
  private struct Key: Hashable {
    let role: LinearMap.Role
    let expert: Int?
  }

  private let index: Int
  private let shape: ModelShape
  private let plan: PruningPlan
  private let maps: [Key: LinearMap]
  /// The experts, by their new numbers.
  private let experts: [Int]

  init(_ index: Int, of shape: ModelShape, _ plan: PruningPlan) {
    self.index = index
    self.shape = shape
    self.plan = plan
    maps = Dictionary(
      uniqueKeysWithValues: shape.table(layer: index).maps.map {
        (Key(role: $0.role, expert: $0.expert), $0)
      })
    let kept = plan.layers[index].keptExperts
    // Experts beside which others are replaced keep their numbers.
    experts = kept.indices.filter { kept[$0] || plan.layers[index].replacesExperts }
  }

  /// What a map of the pruned model was.
  private func map(_ pruned: LinearMap) -> LinearMap {
    guard let map = maps[Key(role: pruned.role, expert: pruned.expert.map { experts[$0] })] else {
      preconditionFailure("pruning adds no maps")
    }
    return map
  }

  /// The name of the dense tensor that gives an expert's outputs.
  private func downWeight(ofExpert expert: Int) -> String {
    guard let down = maps[Key(role: .down, expert: expert)] else {
      preconditionFailure("an expert that goes has maps")
    }
    return ModelShape.name(ofLayer: index, "\(down.module).weight")
  }

  /// The name of the dense tensor whose numbers, or type, one of the pruned model has.
  func source(
    of content: LayerTable.Tensor.Content, named name: String, _ dense: [String: [Int]]
  ) -> String {
    switch content {
    case .norm: return name
    // A mean has the type of the map whose outputs it is of.
    case .mean(let expert): return downWeight(ofExpert: expert)
    case .biases(let maps):
      let module = ModelShape.name(ofLayer: index, map(maps[0]).module)
      // A bias that pruning adds has the type of its map's weight.
      return dense["\(module).bias"] == nil ? "\(module).weight" : "\(module).bias"
    case .weights(let maps):
      return ModelShape.name(ofLayer: index, "\(map(maps[0]).module).weight")
    }
  }

  /// - Parameters:
  ///   - content: of the pruned tensor.
  ///   - hasBias: whether the dense checkpoint has the tensor, where it is a bias.
  func recipe(_ content: LayerTable.Tensor.Content, hasBias: Bool) -> PrunedLayout.Recipe {
    switch content {
    case .mean(let expert):
      guard let place = plan.layers[index].removedExperts.firstIndex(of: expert) else {
        preconditionFailure("a mean is of an expert that goes")
      }
      return .mean(layer: index, place)
    case .norm(let norm):
      guard let kept = plan.kept(norm.axis(of: shape), layer: index, of: shape) else {
        return .copy
      }
      return .keep(rows: runs(kept), columns: nil)
    case .biases(let maps):
      if let tap = maps[0].tap {
        return .bias(layer: index, tap, expert: map(maps[0]).expert)
      }
      return hasBias ? .keep(rows: rows(of: maps), columns: nil) : .zeros
    case .weights(let maps):
      let columns = kept(maps[0], \.columnAxis)
      if let tap = maps[0].tap, maps.count == 1, let columns {
        return .fed(layer: index, tap, expert: map(maps[0]).expert, columns: runs(columns))
      }
      return .keep(rows: rows(of: maps), columns: columns.map { runs($0) })
    }
  }

  /// Flags of a dense map's rows or columns.
  private func kept(_ pruned: LinearMap, _ axis: KeyPath<LinearMap, Axis>) -> [Bool]? {
    plan.kept(
      pruned[keyPath: axis], ofExpert: map(pruned).expert, layer: index, of: shape)
  }

  /// Of the dense tensor, map by map.
  private func rows(of pruned: [LinearMap]) -> [Range<Int>] {
    pruned.flatMap { pruned in
      let range = map(pruned).rowRange
      guard let kept = kept(pruned, \.rowAxis) else { return [range] }
      return runs(kept, from: range.lowerBound)
    }
  }

  /// The kept positions as runs.
  private func runs(_ kept: [Bool], from first: Int = 0) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for (index, isKept) in kept.enumerated() where isKept {
      let position = first + index
      if let last = runs.last, last.upperBound == position {
        runs[runs.count - 1] = last.lowerBound..<position + 1
      } else {
        runs.append(position..<position + 1)
      }
    }
    return runs
  }
}
