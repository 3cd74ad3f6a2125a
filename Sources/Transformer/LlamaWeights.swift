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
  let queryNorm: HeadNorm?  // self_attn.q_norm.weight [head dimension]
  let keyNorm: HeadNorm?  // self_attn.k_norm.weight [head dimension]
  var maps: LayerMaps<Linear>

  init(_ checkpoint: Checkpoint, layer index: Int, of model: ModelShape) throws {
    shape = model.layers[index]
    let prefix = "model.layers.\(index)"
    func norm(_ name: String, width: Int) throws -> [Float] {
      try checkpoint.tensor("\(prefix).\(name).weight", shape: [width]).float32Values()
    }
    func headNorm(_ name: String) throws -> HeadNorm? {
      guard model.normalizesQueriesAndKeys else { return nil }
      return HeadNorm(
        weight: try norm("self_attn.\(name)", width: model.headDimension),
        epsilon: Float(model.rmsNormEpsilon))
    }
    inputNorm = try norm("input_layernorm", width: model.hiddenSize)
    postAttentionNorm = try norm("post_attention_layernorm", width: model.hiddenSize)
    queryNorm = try headNorm("q_norm")
    keyNorm = try headNorm("k_norm")
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
