public import FlapCore

/// A tensor to be written, or expected to be there.
public struct TensorDeclaration: Hashable, Sendable {
  public let name: String
  public let elementType: ElementType
  public let shape: [Int]

  public init(name: String, elementType: ElementType, shape: [Int]) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
  }

  public var byteCount: Int { shape.reduce(elementType.byteCount, *) }
}

extension ModelShape {
  /// Every tensor that a checkpoint of this shape has, by its Hugging Face name, from the
  /// embedding to the output projection.
  public func expectedTensors() -> [(name: String, shape: [Int])] {
    var tensors = [("model.embed_tokens.weight", [vocabularySize, hiddenSize])]
    for (index, layer) in layers.enumerated() {
      let prefix = "model.layers.\(index)"
      let queries = layer.headCount * headDimension
      let keys = layer.keyValueHeadCount * headDimension
      let neurons = layer.intermediateSize
      func linear(_ name: String, _ out: Int, _ inner: Int, _ hasBias: Bool) {
        tensors.append(("\(prefix).\(name).weight", [out, inner]))
        if hasBias { tensors.append(("\(prefix).\(name).bias", [out])) }
      }
      tensors.append(("\(prefix).input_layernorm.weight", [hiddenSize]))
      linear("self_attn.q_proj", queries, hiddenSize, biases.queryKeyValue)
      linear("self_attn.k_proj", keys, hiddenSize, biases.queryKeyValue)
      linear("self_attn.v_proj", keys, hiddenSize, biases.queryKeyValue)
      if normalizesQueriesAndKeys {
        tensors.append(("\(prefix).self_attn.q_norm.weight", [headDimension]))
        tensors.append(("\(prefix).self_attn.k_norm.weight", [headDimension]))
      }
      linear("self_attn.o_proj", hiddenSize, queries, biases.attentionOutput)
      tensors.append(("\(prefix).post_attention_layernorm.weight", [hiddenSize]))
      linear("mlp.gate_proj", neurons, hiddenSize, biases.gateUp)
      linear("mlp.up_proj", neurons, hiddenSize, biases.gateUp)
      linear("mlp.down_proj", hiddenSize, neurons, biases.mlpDown)
    }
    tensors.append(("model.norm.weight", [hiddenSize]))
    if !tiesEmbeddings { tensors.append(("lm_head.weight", [vocabularySize, hiddenSize])) }
    return tensors
  }
}
