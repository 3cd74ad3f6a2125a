internal import FlapCore
internal import Kernels

extension Llama {
  /// x += W_down · (SiLU(W_gate · n) · (W_up · n)), n = norm(x); some families have another activation,
  /// no norm before or one behind.
  func feedForward(_ pass: LeafPass) -> TapPassage {
    if let experts = pass.weights.shape.experts { return self.experts(pass, experts) }
    let neurons = self.neurons(pass)
    let passage = passage(pass, .mlpDown, neurons, segmentCounts: pass.layout.segmentCounts)
    addProduct(
      neurons, pass.packed.mlps[0].down, pass.weights.maps.mlps[0].down,
      norm: pass.weights.mlpOutputNorm, pass)
    return passage
  }

  /// SiLU(W_gate · n) · (W_up · n) as tiles, [rows, intermediate], shown to the observers
  /// in segments.
  private func neurons(_ pass: LeafPass) -> RowTiles {
    let lane = pass.lane
    let normed = normalize(pass.index, pass.layout, pass.weights.mlpNorm, lane)
    let neurons = RowTiles(
      compute, channels: pass.weights.shape.intermediateSize, at: lane.scratch.inner.bytes)
    let (packed, maps) = (pass.packed.mlps[0], pass.weights.maps.mlps[0])
    let strips = MatrixProduct.Strip.covering(packed.gate, packed.up)
    maps.gate.withBias { gateBias in
      maps.up.withBias { upBias in
        MatrixProduct.run(
          normed, rows: pass.layout.rowCount, strips, team: lane.team,
          scratch: lane.perThread.outputs
        ) { tile in
          lane.team.enter(.activation, thread: tile.thread)
          let (gate, up) = (tile.values(0), tile.values(1))
          tile.add(gateBias, to: gate)
          tile.add(upBias, to: up)
          shape.arithmetic.activation.apply(gate, up, tile)
          tile.pack(gate, into: neurons)
          lane.team.enter(.observers, thread: tile.thread)
          show(tile, pass, width: neurons.channels)
        }
      }
    }
    return neurons
  }

  /// Parts are what one task computes.
  private func show(_ tile: MatrixProduct.OutputTile, _ pass: LeafPass, width: Int) {
    guard !pass.observers.isEmpty else { return }
    let layout = pass.layout
    let segment = tile.rows.lowerBound / MatrixProduct.taskRows
    var seen = layout.tokenCount(in: segment * MatrixProduct.taskRows..<tile.rows.lowerBound)
    layout.forPieces(in: tile.rows) { piece in
      show(
        pass, .mlpDown, segment: segment, seenCount: seen, tokenCount: piece.tokens.count,
        channels: tile.outputs, of: width,
        tile.values() + (piece.row - tile.rows.lowerBound) * tile.stride, stride: tile.stride,
        thread: tile.thread)
      seen += piece.tokens.count
    }
  }
}

extension Arithmetic.Activation {
  /// gate ← activation(gate) · up
  func apply(
    _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>,
    _ tile: MatrixProduct.OutputTile
  ) {
    let (rows, columns) = (tile.rows.count, tile.outputs.count)
    switch self {
    case .silu:
      Elementwise.swiGLU(
        gateBlock: gate, gateStride: tile.stride, up: up, upStride: tile.stride, rows: rows,
        columns: columns)
    case .geluTanh:
      Elementwise.geGLU(
        gateBlock: gate, gateStride: tile.stride, up: up, upStride: tile.stride, rows: rows,
        columns: columns)
    }
  }
}

extension RowLayout {
  /// Tasks that a product's rows make.
  var segmentCount: Int { (rowCount + MatrixProduct.taskRows - 1) / MatrixProduct.taskRows }

  /// Tokens in each of them.
  var segmentCounts: [Int] {
    (0..<segmentCount).map { segment in
      let first = segment * MatrixProduct.taskRows
      return tokenCount(in: first..<min(first + MatrixProduct.taskRows, rowCount))
    }
  }
}
