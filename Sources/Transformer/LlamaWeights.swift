internal import Checkpoint
internal import FlapCore
internal import Kernels

/// A linear map of the checkpoint: y = x · Wᵀ + b.
struct Linear {
  /// [out, in], where it lies in the mapped file.
  let weight: WeightMatrix
  /// f32 [out], or nil.
  let bias: [Float]?
  /// Keeps the mapping alive.
  private let view: TensorView

  init(_ checkpoint: Checkpoint, _ name: String, out: Int, in: Int, hasBias: Bool) throws {
    view = try checkpoint.tensor("\(name).weight", shape: [out, `in`])
    weight = view.matrix(rows: out, columns: `in`)
    bias = hasBias ? try checkpoint.tensor("\(name).bias", shape: [out]).float32Values() : nil
  }

  func callAsFunction(
    _ multiply: MatrixProduct, _ x: UnsafeRawPointer, rows: Int, to y: UnsafeMutablePointer<Float>
  ) throws {
    guard let bias else { return try multiply(x, rows: rows, weight, to: y) }
    try bias.withUnsafeBufferPointer {
      try multiply(x, rows: rows, weight, bias: $0.baseAddress!, to: y)
    }
  }
}

/// The weights of one decoder layer, with their names below `model.layers.L.`.
struct LayerWeights {
  let shape: LayerShape
  let inputNorm: [Float]  // input_layernorm.weight [hidden]
  let query: Linear  // self_attn.q_proj [heads · d, hidden]
  let key: Linear  // self_attn.k_proj [kv heads · d, hidden]
  let value: Linear  // self_attn.v_proj [kv heads · d, hidden]
  let output: Linear  // self_attn.o_proj [hidden, heads · d]
  let postAttentionNorm: [Float]  // post_attention_layernorm.weight [hidden]
  let gate: Linear  // mlp.gate_proj [intermediate, hidden]
  let up: Linear  // mlp.up_proj [intermediate, hidden]
  let down: Linear  // mlp.down_proj [hidden, intermediate]

  init(_ checkpoint: Checkpoint, layer index: Int, of model: ModelShape) throws {
    shape = model.layers[index]
    let prefix = "model.layers.\(index)"
    let hidden = model.hiddenSize
    let queries = shape.headCount * model.headDimension
    let keys = shape.keyValueHeadCount * model.headDimension
    let neurons = shape.intermediateSize
    func linear(_ name: String, _ out: Int, _ inner: Int, _ hasBias: Bool) throws -> Linear {
      try Linear(checkpoint, "\(prefix).\(name)", out: out, in: inner, hasBias: hasBias)
    }
    func norm(_ name: String) throws -> [Float] {
      try checkpoint.tensor("\(prefix).\(name).weight", shape: [hidden]).float32Values()
    }
    inputNorm = try norm("input_layernorm")
    query = try linear("self_attn.q_proj", queries, hidden, model.biases.queryKeyValue)
    key = try linear("self_attn.k_proj", keys, hidden, model.biases.queryKeyValue)
    value = try linear("self_attn.v_proj", keys, hidden, model.biases.queryKeyValue)
    output = try linear("self_attn.o_proj", hidden, queries, model.biases.attentionOutput)
    postAttentionNorm = try norm("post_attention_layernorm")
    gate = try linear("mlp.gate_proj", neurons, hidden, model.biases.gateUp)
    up = try linear("mlp.up_proj", neurons, hidden, model.biases.gateUp)
    down = try linear("mlp.down_proj", hidden, neurons, model.biases.mlpDown)
  }
}

extension TensorView {
  func matrix(rows: Int, columns: Int) -> WeightMatrix {
    WeightMatrix(
      elementType: elementType, bytes: bytes.baseAddress!, rows: rows, columns: columns)
  }
}
