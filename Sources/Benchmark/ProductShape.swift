internal import FlapCore

/// The sizes of one matrix product of a decoder layer, y[rows, outputs] = x[rows, inner] · Wᵀ.
struct ProductShape: Hashable {
  let inner: Int
  let outputs: Int

  /// Multiplications and additions, for so many rows.
  func operations(rows: Int) -> Double { 2 * Double(rows) * Double(inner) * Double(outputs) }
}

extension ModelShape {
  /// The products of a layer, in the order in which it needs them.
  func products(layer: Int) -> [ProductShape] {
    let layer = layers[layer]
    let queries = layer.headCount * headDimension
    let keys = layer.keyValueHeadCount * headDimension
    return [
      ProductShape(inner: hiddenSize, outputs: queries),
      ProductShape(inner: hiddenSize, outputs: keys),
      ProductShape(inner: hiddenSize, outputs: keys),
      ProductShape(inner: queries, outputs: hiddenSize),
      ProductShape(inner: hiddenSize, outputs: layer.intermediateSize),
      ProductShape(inner: hiddenSize, outputs: layer.intermediateSize),
      ProductShape(inner: layer.intermediateSize, outputs: hiddenSize),
    ]
  }

  /// Multiplications and additions of all products of all layers, for so many tokens.
  func productOperations(tokenCount: Int) -> Double {
    layers.indices.reduce(0) { sum, layer in
      products(layer: layer).reduce(sum) { $0 + $1.operations(rows: tokenCount) }
    }
  }
}
