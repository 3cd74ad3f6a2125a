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
    table(layer: layer).maps.map { ProductShape(inner: $0.columns, outputs: $0.rows) }
  }

  /// Multiplications and additions of all products of all layers, for so many tokens.
  func productOperations(tokenCount: Int) -> Double {
    layers.indices.reduce(0) { sum, layer in
      products(layer: layer).reduce(sum) { $0 + $1.operations(rows: tokenCount) }
    }
  }
}
