internal import FlapCore

/// Something of each linear map of a decoder layer.
struct LayerMaps<Value> {
  var query: Value
  var key: Value
  var value: Value
  var output: Value
  var gate: Value
  var up: Value
  var down: Value

  func map<Other>(_ transform: (Value) throws -> Other) rethrows -> LayerMaps<Other> {
    try LayerMaps<Other>(
      query: transform(query), key: transform(key), value: transform(value),
      output: transform(output), gate: transform(gate), up: transform(up), down: transform(down))
  }

  /// In the order of the forward pass.
  var all: [Value] { [query, key, value, output, gate, up, down] }
}

/// A linear map [outputs, channels], with its name below `model.layers.L.`.
struct MapSize {
  let name: String
  let outputs: Int
  let channels: Int
  let hasBias: Bool
}

extension LayerMaps<MapSize> {
  init(_ layer: LayerShape, of model: ModelShape) {
    let hidden = model.hiddenSize
    let queries = layer.headCount * model.headDimension
    let keys = layer.keyValueHeadCount * model.headDimension
    let neurons = layer.intermediateSize
    let biases = model.biases
    func size(_ name: String, _ outputs: Int, _ channels: Int, _ hasBias: Bool) -> MapSize {
      MapSize(name: name, outputs: outputs, channels: channels, hasBias: hasBias)
    }
    self.init(
      query: size("self_attn.q_proj", queries, hidden, biases.queryKeyValue),
      key: size("self_attn.k_proj", keys, hidden, biases.queryKeyValue),
      value: size("self_attn.v_proj", keys, hidden, biases.queryKeyValue),
      output: size("self_attn.o_proj", hidden, queries, biases.attentionOutput),
      gate: size("mlp.gate_proj", neurons, hidden, biases.gateUp),
      up: size("mlp.up_proj", neurons, hidden, biases.gateUp),
      down: size("mlp.down_proj", hidden, neurons, biases.mlpDown))
  }
}
