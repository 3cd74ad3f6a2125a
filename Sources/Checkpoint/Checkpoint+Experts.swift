internal import FlapCore

/// Experts' maps in one tensor for all experts of a layer, as transformers 5 holds them in memory and saves
/// them if told to: `mlp.experts.gate_up_proj` [experts, 2 · intermediate, hidden], gate before up, and
/// `mlp.experts.down_proj` [experts, hidden, intermediate].
///
/// They are read under the names that they have where each expert has tensors of its own, which is also
/// how they are written.
struct StoredPart: Sendable {
  /// The tensor of the file.
  let tensor: String
  let shape: [Int]
  /// nil: all of it.
  let expert: Int?
  /// Rows of the expert's part.
  let rows: Range<Int>

  func view(of stored: TensorView) -> TensorView {
    guard let expert else { return stored }
    return stored.rows(expert..<expert + 1).withoutFirstDimension.rows(rows)
  }
}

extension Checkpoint {
  /// What tensors that a shape asks for are parts of, where the files do not have them under their own
  /// names.
  static func storedParts(
    of shape: ModelShape, _ isThere: (String) -> Bool
  ) -> [String: StoredPart] {
    var parts: [String: StoredPart] = [:]
    for (index, layer) in shape.layers.enumerated() {
      guard let experts = layer.experts else { continue }
      func name(_ tensor: String) -> String { ModelShape.name(ofLayer: index, tensor) }
      let gateUp = name("mlp.experts.gate_up_proj")
      let down = name("mlp.experts.down_proj")
      guard isThere(gateUp), isThere(down) else { continue }
      let (width, hidden) = (layer.intermediateSize, shape.hiddenSize)
      for map in shape.table(layer: index).maps where map.expert != nil || map.role == .router {
        let own = name("\(map.module).weight")
        switch map.role {
        case .router where own != name("mlp.gate.weight"):
          parts[own] = StoredPart(
            tensor: name("mlp.gate.weight"), shape: [experts.count, hidden], expert: nil,
            rows: 0..<experts.count)
        case .gate, .up:
          let first = map.role == .gate ? 0 : width
          parts[own] = StoredPart(
            tensor: gateUp, shape: [experts.count, 2 * width, hidden], expert: map.expert,
            rows: first..<first + width)
        case .down:
          parts[own] = StoredPart(
            tensor: down, shape: [experts.count, hidden, width], expert: map.expert,
            rows: 0..<hidden)
        default: break
        }
      }
    }
    return parts.filter { !isThere($0.key) }
  }

  /// The name under which a file has the tensor, or the one that it is a part of.
  public func storedName(of name: String) -> String { parts[name]?.tensor ?? name }
}

extension TensorView {
  fileprivate var withoutFirstDimension: TensorView {
    TensorView(
      name: name, elementType: elementType, shape: Array(shape.dropFirst()), bytes: bytes,
      file: file)
  }
}
