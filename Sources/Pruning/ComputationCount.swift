public import FlapCore

extension ModelShape {
  /// Floating-point operations of one token's way through the model, estimated: a multiplication
  /// and an addition for every weight of the linear maps and of the output projection. Attention's
  /// own products, which grow with the context, are not in it.
  public var operationsPerToken: Int {
    2 * (decoderParameterCount + vocabularySize * hiddenSize)
  }
}
