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
    /// The columns that stay, as runs, of the map that a tap feeds; their weights may be fitted anew.
    case fed(layer: Int, Tap, columns: [Range<Int>])
    /// The bias of the map that a tap feeds: the dense one, if there is one, plus the compensation.
    case bias(layer: Int, Tap)
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
    let tables = shape.layers.indices.map { shape.table(layer: $0) }
    var declarations: [TensorDeclaration] = []
    var recipes: [String: Recipe] = [:]
    for tensor in pruned.tensors {
      let source = PrunedLayout.source(of: tensor, denseShapes)
      let view = try dense.tensor(source, shape: denseShapes[source, default: []])
      declarations.append(
        TensorDeclaration(name: tensor.name, elementType: view.elementType, shape: tensor.shape))
      recipes[tensor.name] =
        switch tensor.place {
        case .embedding, .finalNorm, .outputProjection: .copy
        case .layer(let layer, let content):
          PrunedLayout.recipe(
            content, layer: layer, table: tables[layer], plan, of: shape,
            isThere: denseShapes[tensor.name] != nil)
        }
    }
    self.recipes = recipes
    shards = CheckpointLayout(tensors: declarations, maximumShardBytes: maximumShardBytes)
  }

  /// A bias that pruning adds has the type of its map's weight.
  private static func source(of tensor: ModelTensor, _ dense: [String: [Int]]) -> String {
    guard dense[tensor.name] == nil, case .layer(let layer, .biases(let maps)) = tensor.place
    else { return tensor.name }
    return ModelShape.name(ofLayer: layer, "\(maps[0].module).weight")
  }

  /// - Parameters:
  ///   - content: of the pruned tensor.
  ///   - table: of the dense layer.
  ///   - isThere: whether the dense checkpoint has the tensor.
  private static func recipe(
    _ content: LayerTable.Tensor.Content, layer: Int, table: LayerTable, _ plan: PruningPlan,
    of shape: ModelShape, isThere: Bool
  ) -> Recipe {
    switch content {
    case .norm(let norm):
      guard let kept = plan.kept(norm.axis(of: shape), layer: layer, of: shape) else {
        return .copy
      }
      return .keep(rows: runs(kept), columns: nil)
    case .biases(let maps):
      if let tap = maps[0].tap { return .bias(layer: layer, tap) }
      return isThere ? .keep(rows: rows(of: maps), columns: nil) : .zeros
    case .weights(let maps):
      let columns = plan.kept(maps[0].columnAxis, layer: layer, of: shape)
      if let tap = maps[0].tap, maps.count == 1, let columns {
        return .fed(layer: layer, tap, columns: runs(columns))
      }
      return .keep(rows: rows(of: maps), columns: columns.map { runs($0) })
    }

    /// Of the dense tensor, map by map.
    func rows(of pruned: [LinearMap]) -> [Range<Int>] {
      let roles = pruned.map(\.role)
      return table.maps.filter { roles.contains($0.role) }.flatMap { map in
        guard let kept = plan.kept(map.rowAxis, layer: layer, of: shape) else {
          return [map.rowRange]
        }
        return runs(kept, from: map.rowRange.lowerBound)
      }
    }
  }

  /// The kept positions as runs.
  private static func runs(_ kept: [Bool], from first: Int = 0) -> [Range<Int>] {
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
