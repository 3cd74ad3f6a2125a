public import FlapCore

extension ModelShape {
  /// Parameters of a layer's linear maps that go with one unit pruned at a tap, ÷ hidden size: for a
  /// group its rows of `q_proj`, `k_proj`, `v_proj` and columns of `o_proj`, that is 2·g·d + 2·d;
  /// for a neuron a row of `gate_proj` and of `up_proj` and a column of `down_proj`, that is 3.
  public func unitCost(layer index: Int, tap: Tap) -> Int {
    // A neuron of an expert costs what one of another does.
    let maps = table(layer: index).maps
    let expert = maps.compactMap(\.expert).min()
    return maps.filter { $0.expert == nil || $0.expert == expert }.reduce(0) { cost, map in
      cost
        + [map.rowAxis, map.columnAxis].reduce(0) { width, axis in
          guard let unit = axis.unit(layers[index], of: self), unit.tap == tap else { return width }
          return width + unit.width
        }
    }
  }

  /// Weights of the linear maps of one decoder layer, and the means that stand for experts.
  public func linearParameterCount(layer: Int) -> Int {
    table(layer: layer).maps.reduce(0) { $0 + $1.rows * $1.columns }
      + (layers[layer].experts?.replaced.count ?? 0) * hiddenSize
  }

  /// Weights of the linear maps of all decoder layers: what a pruning ratio counts.
  public var decoderParameterCount: Int {
    layers.indices.reduce(0) { $0 + linearParameterCount(layer: $1) }
  }

  /// All parameters: of every tensor that a checkpoint has.
  public var parameterCount: Int {
    tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  /// Bytes of all parameters in one element type.
  public func parameterByteCount(_ elementType: ElementType) -> Int {
    parameterCount * elementType.byteCount
  }
}
