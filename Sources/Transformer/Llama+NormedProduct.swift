internal import FlapCore
internal import Kernels

/// Families that normalize what a half of a layer adds to the stream.
extension Llama {
  /// x += norm(input · Wᵀ + b): the product is kept until its rows are whole.
  func addNormed(
    _ input: RowTiles, _ map: ColumnTiles, _ linear: Linear, _ norm: [Float], _ pass: LeafPass
  ) {
    guard let unnormed = pass.lane.scratch.unnormed?.floats() else {
      preconditionFailure("scratch was made for a model without such norms")
    }
    let hidden = shape.hiddenSize
    let x = scratch.residuals[pass.index].floats()  // [rows, hidden]
    linear.withBias { bias in
      MatrixProduct.run(
        input, rows: pass.layout.rowCount, MatrixProduct.Strip.covering(map),
        team: pass.lane.team, scratch: pass.lane.perThread.outputs
      ) { tile in
        pass.lane.team.enter(.activation, thread: tile.thread)
        tile.add(bias, to: tile.values())
        tile.copy(to: unnormed + tile.outputs.lowerBound, stride: hidden)
      }
    }
    let scale = Float(shape.arithmetic.residualScale)
    precondition(scale == 1, "no family scales what it has normalized")
    norm.withUnsafeBufferPointer { weight in
      pass.lane.team.run(.norms, taskCount: pass.layout.rowCount / Tile.side) { panel, _ in
        let first = panel * Tile.side * hidden
        Elementwise.addNorm(
          of: unnormed + first, stride: hidden, rows: Tile.side, weight: weight.baseAddress!,
          epsilon: Float(shape.rmsNormEpsilon), channels: hidden, to: x + first, toStride: hidden)
      }
    }
  }
}

extension MatrixProduct.OutputTile {
  /// Copies the first map's values.
  ///
  /// - Parameter to: row 0 of all, at the tile's first output.
  func copy(to: UnsafeMutablePointer<Float>, stride: Int) {
    for row in 0..<rows.count {
      (to + (rows.lowerBound + row) * stride).update(
        from: values() + row * self.stride, count: outputs.count)
    }
  }
}
