internal import FlapCore

/// The sizes of one matrix product of a decoder layer, y[rows, outputs] = x[rows, inner] · Wᵀ.
struct ProductShape: Hashable {
  let inner: Int
  let outputs: Int
  /// Part of the tokens that go through it: of an expert's maps as if all experts had as many.
  var share = 1.0

  /// Rows of so many tokens.
  func rows(ofTokens tokens: Int) -> Int { Int((Double(tokens) * share).rounded()) }

  /// Multiplications and additions, for so many rows.
  func operations(rows: Int) -> Double { 2 * Double(rows) * Double(inner) * Double(outputs) }
}

extension ModelShape {
  /// The products of a layer, in the order in which it needs them.
  func products(layer: Int) -> [ProductShape] {
    let share = layers[layer].experts.map { Double($0.countPerToken) / Double($0.count) } ?? 1
    return table(layer: layer).maps.map {
      ProductShape(inner: $0.columns, outputs: $0.rows, share: $0.expert == nil ? 1 : share)
    }
  }

  /// Multiplications and additions of all products of all layers, for so many tokens.
  func productOperations(tokenCount: Int) -> Double {
    layers.indices.reduce(0) { sum, layer in
      products(layer: layer).reduce(sum) {
        $0 + $1.operations(rows: $1.rows(ofTokens: tokenCount))
      }
    }
  }
}
