public import FlapCore
public import Kernels

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

  /// - Precondition: as many maps as the plan has layers.
  public init(plan: PruningPlan, maps: [PerTap<PrunedMap?>]) {
    precondition(plan.layers.count == maps.count, "maps of every layer")
    self.plan = plan
    self.maps = maps
  }

  /// Takes what goes out of a layer's weights.
  func apply(to weights: inout LayerWeights, layer index: Int, of model: ModelShape) {
    let kept = plan.layers[index]
    let keepsAll = !kept.keptGroups.contains(false) && !kept.keptNeurons.contains(false)
    if keepsAll, maps[index].attentionOutput == nil, maps[index].mlpDown == nil { return }
    weights.shape.keep(kept)
    weights.maps = LayerMaps { role in
      let map = weights.table[role]
      var linear = weights.maps[role]
      let rows = plan.kept(map.rowAxis, layer: index, of: model)
      let columns = plan.kept(map.columnAxis, layer: index, of: model)
      let pruned = map.tap.flatMap { maps[index][$0] }
      if let weight = pruned?.weight {
        linear.weight = weight.matrix(rows: linear.weight.rows)
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

/// A weight in place of the checkpoint's, f32 [hidden, channels that stay], row-major, rounded as the
/// checkpoint stores its own.
public final class FittedWeight: Sendable {
  // Written before anybody else has it.
  nonisolated(unsafe) private let values: ScratchBuffer
  private let columns: Int

  /// - Parameters:
  ///   - folder: where it may be written to; nil: it stays in memory.
  ///   - row: writes one row.
  /// - Throws: `OutOfMemory`.
  public init(
    rows: Int, columns: Int, inFileOf folder: String? = nil,
    _ row: (_ index: Int, _ to: UnsafeMutablePointer<Float>) -> Void
  ) throws(OutOfMemory) {
    let byteCount = rows * columns * 4
    if let folder {
      values = try ScratchBuffer(byteCount: byteCount, inFileOf: folder)
    } else {
      values = try ScratchBuffer(byteCount: byteCount)
    }
    self.columns = columns
    for index in 0..<rows { row(index, values.floats(at: index * columns)) }
  }

  func matrix(rows: Int) -> WeightMatrix {
    WeightMatrix(elementType: .float32, bytes: values.bytes, rows: rows, columns: columns)
  }
}
