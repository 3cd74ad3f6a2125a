internal import Checkpoint
internal import FlapCore
internal import Kernels

/// A linear map of the checkpoint: y = x · Wᵀ + b.
struct Linear {
  /// [out, in], where it lies in the mapped file.
  var weight: WeightMatrix
  /// f32 [out], or nil.
  var bias: [Float]?
  /// Keeps the mapping alive.
  private let view: TensorView

  init(_ checkpoint: Checkpoint, _ name: String, out: Int, in: Int, hasBias: Bool) throws {
    view = try checkpoint.tensor("\(name).weight", shape: [out, `in`])
    weight = view.matrix(rows: out, columns: `in`)
    bias = hasBias ? try checkpoint.tensor("\(name).bias", shape: [out]).float32Values() : nil
  }

  /// The bias, f32 [out], or nil.
  func withBias<Result>(_ body: (UnsafePointer<Float>?) -> Result) -> Result {
    guard let bias else { return body(nil) }
    return bias.withUnsafeBufferPointer { body($0.baseAddress) }
  }

  /// Asks the system to read the weight ahead of its use.
  func willNeed() { view.willNeed() }
}

/// The weights of one decoder layer.
struct LayerWeights {
  var shape: LayerShape
  let inputNorm: [Float]  // input_layernorm.weight [hidden]
  let postAttentionNorm: [Float]  // post_attention_layernorm.weight [hidden]
  var maps: LayerMaps<Linear>

  init(_ checkpoint: Checkpoint, layer index: Int, of model: ModelShape) throws {
    shape = model.layers[index]
    let prefix = "model.layers.\(index)"
    func norm(_ name: String) throws -> [Float] {
      try checkpoint.tensor("\(prefix).\(name).weight", shape: [model.hiddenSize]).float32Values()
    }
    inputNorm = try norm("input_layernorm")
    postAttentionNorm = try norm("post_attention_layernorm")
    maps = try LayerMaps(shape, of: model).map { map in
      try Linear(
        checkpoint, "\(prefix).\(map.name)", out: map.outputs, in: map.channels,
        hasBias: map.hasBias)
    }
  }
}

extension TensorView {
  func matrix(rows: Int, columns: Int) -> WeightMatrix {
    WeightMatrix(
      elementType: elementType, bytes: bytes.baseAddress!, rows: rows, columns: columns)
  }
}
