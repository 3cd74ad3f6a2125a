internal import FlapCore
internal import Kernels

extension Llama {
  /// x += W_down · (SiLU(W_gate · n) · (W_up · n)), n = norm(x)
  func feedForward(_ pass: LeafPass) -> TapInput {
    let neurons = self.neurons(pass)
    let input = tapInput(pass, .mlpDown, neurons, partCounts: pass.layout.partCounts)
    addProduct(neurons, pass.tiles.down, pass.weights.maps.down, pass)
    return input
  }

  /// SiLU(W_gate · n) · (W_up · n) as tiles, [rows, intermediate], and its moments in parts.
  private func neurons(_ pass: LeafPass) -> RowTiles {
    let lane = pass.lane
    let normed = normalize(pass.index, pass.layout, pass.weights.postAttentionNorm, lane)
    let neurons = RowTiles(
      compute, channels: pass.weights.shape.intermediateSize, at: lane.scratch.inner.bytes)
    let strips = MatrixProduct.Strip.covering(pass.tiles.gate, pass.tiles.up)
    pass.weights.maps.gate.withBias { gateBias in
      pass.weights.maps.up.withBias { upBias in
        MatrixProduct.run(
          normed, rows: pass.layout.rowCount, strips, team: lane.team,
          scratch: lane.perThread.blocks
        ) { block in
          lane.team.enter(.activation, thread: block.thread)
          let (gate, up) = (block.values(0), block.values(1))
          block.add(gateBias, to: gate)
          block.add(upBias, to: up)
          Elementwise.swiGLU(
            gateBlock: gate, gateStride: block.stride, up: up, upStride: block.stride,
            rows: block.rows.count, columns: block.outputs.count)
          block.pack(gate, into: neurons)
          lane.team.enter(.statistics, thread: block.thread)
          addMoments(of: block, pass, width: neurons.channels)
        }
      }
    }
    return neurons
  }

  /// Parts are what one task computes.
  private func addMoments(of block: MatrixProduct.OutputTile, _ pass: LeafPass, width: Int) {
    let layout = pass.layout
    let part = block.rows.lowerBound / MatrixProduct.taskRows
    var seen = layout.tokenCount(in: part * MatrixProduct.taskRows..<block.rows.lowerBound)
    layout.forPieces(in: block.rows) { piece in
      pass.lane.scratch.moments.add(
        block.values() + (piece.row - block.rows.lowerBound) * block.stride, stride: block.stride,
        rows: piece.tokens.count, channels: block.outputs, toPart: part, width: width,
        seenCount: seen)
      seen += piece.tokens.count
    }
  }
}

extension RowLayout {
  /// Tasks that a product's rows make.
  var partCount: Int { (rowCount + MatrixProduct.taskRows - 1) / MatrixProduct.taskRows }

  /// Tokens in each of them.
  var partCounts: [Int] {
    (0..<partCount).map { part in
      let first = part * MatrixProduct.taskRows
      return tokenCount(in: first..<min(first + MatrixProduct.taskRows, rowCount))
    }
  }
}
