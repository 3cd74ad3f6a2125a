public import FlapCore

extension ModelShape {
  /// Floating-point operations of one token's way through the model, estimated: a multiplication
  /// and an addition for every weight of the linear maps and of the output projection. Attention's
  /// own products, which grow with the context, are not in it.
  public var operationsPerToken: Int {
    2 * (decoderParameterCount + vocabularySize * hiddenSize)
  }

  /// Numbers that stay in the cache for every token of the context: its keys and values in all layers.
  public var keyValueCacheCount: Int {
    layers.reduce(0) { $0 + 2 * $1.keyValueHeadCount * headDimension }
  }
}
