public import FlapCore

extension ModelShape {
  /// Parameters of a layer that go with one group of heads, ÷ hidden size: the group's rows of
  /// `q_proj`, `k_proj`, `v_proj` and columns of `o_proj`, that is 2·g·d + 2·d.
  public func groupCost(layer: Int) -> Int {
    2 * layers[layer].headsPerGroup * headDimension + 2 * headDimension
  }

  /// Parameters that go with one MLP neuron, ÷ hidden size: a row of `gate_proj` and of `up_proj`
  /// and a column of `down_proj`.
  public static let neuronCost = 3

  /// Weights of the linear maps of one decoder layer: 2·heads·d·hidden + 2·kv·d·hidden +
  /// 3·hidden·intermediate.
  public func linearParameterCount(layer: Int) -> Int {
    hiddenSize
      * (groupCost(layer: layer) * layers[layer].keyValueHeadCount
        + ModelShape.neuronCost * layers[layer].intermediateSize)
  }

  /// Weights of the linear maps of all decoder layers: what a pruning ratio counts.
  public var decoderParameterCount: Int {
    layers.indices.reduce(0) { $0 + linearParameterCount(layer: $1) }
  }

  /// Elements of the biases of one decoder layer.
  public func biasParameterCount(layer: Int) -> Int {
    let shape = layers[layer]
    var count = 0
    if biases.queryKeyValue {
      count += (shape.headCount + 2 * shape.keyValueHeadCount) * headDimension
    }
    if biases.attentionOutput { count += hiddenSize }
    if biases.gateUp { count += 2 * shape.intermediateSize }
    if biases.mlpDown { count += hiddenSize }
    return count
  }

  /// All parameters: embedding, the decoder layers' linear maps, biases and norms, the last norm,
  /// and the output projection unless it is the embedding.
  public var parameterCount: Int {
    let embeddings = vocabularySize * hiddenSize * (tiesEmbeddings ? 1 : 2)
    let headNorms = normalizesQueriesAndKeys ? 2 * layers.count * headDimension : 0
    let norms = (2 * layers.count + 1) * hiddenSize + headNorms
    return embeddings + norms + decoderParameterCount
      + layers.indices.reduce(0) { $0 + biasParameterCount(layer: $1) }
  }

  /// Bytes of all parameters in one element type.
  public func parameterByteCount(_ elementType: ElementType) -> Int {
    parameterCount * elementType.byteCount
  }
}
