public import FlapCore

extension ModelShape {
  /// Floating-point operations of one token's way through the model, estimated: a multiplication
  /// and an addition for every weight of the linear maps that it goes through and of the output
  /// projection. Attention's own products, which grow with the context, are not in it.
  public var operationsPerToken: Int {
    2
      * (layers.indices.reduce(0) { $0 + activeParameterCount(layer: $1) }
        + vocabularySize * hiddenSize)
  }

  /// Weights of a layer's linear maps that a token goes through: of experts, those of its own.
  public func activeParameterCount(layer index: Int) -> Int {
    let all = linearParameterCount(layer: index)
    guard let experts = layers[index].experts else { return all }
    // The router's rows are read in any case.
    return all
      - (experts.count - experts.countPerToken)
      * (expertParameterCount(layer: index) - hiddenSize)
  }

  /// Numbers that stay in the cache for every token of the context: its keys and values in all layers.
  public var keyValueCacheCount: Int {
    layers.reduce(0) { $0 + 2 * $1.keyValueHeadCount * headDimension }
  }
}
