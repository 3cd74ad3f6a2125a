internal import FlapCore
internal import Kernels

extension Llama {
  /// x += W_o · attention(RoPE(W_q · n), RoPE(W_k · n), W_v · n), n = norm(x); where the model asks
  /// for it, every head's query and key is normalized before it is rotated.
  func attention(_ pass: LeafPass) -> TapInput {
    let tiles = AttentionTiles(
      compute, shape.headDimension, pass.layout, window: pass.weights.shape.attentionWindow)
    project(pass, tiles)
    let heads = attend(pass, tiles)
    let counts = Array(repeating: pass.layout.tokensPerSample, count: pass.layout.sampleCount)
    let input = tapInput(pass, .attentionOutput, heads, partCounts: counts)
    addProduct(heads, pass.tiles.output, pass.weights.maps.output, pass)
    return input
  }

  // MARK: Queries, keys and values

  /// Writes RoPE(W_q · n), RoPE(W_k · n) and W_v · n into the scratch.
  private func project(_ pass: LeafPass, _ tiles: AttentionTiles) {
    let normed = normalize(pass.index, pass.layout, pass.weights.inputNorm, pass.lane)
    let maps = [pass.tiles.query, pass.tiles.key, pass.tiles.value]
    let linears = [pass.weights.maps.query, pass.weights.maps.key, pass.weights.maps.value]
    var projections: [CausalAttention.Operand] = []
    let strips = zip(CausalAttention.Operand.allCases, maps).flatMap { projection, map in
      let strips = MatrixProduct.Strip.covering(map, width: tiles.stripWidth)
      projections += Array(repeating: projection, count: strips.count)
      return strips
    }
    linears[0].withBias { query in
      linears[1].withBias { key in
        linears[2].withBias { value in
          MatrixProduct.run(
            normed, rows: pass.layout.rowCount, strips, team: pass.lane.team,
            scratch: pass.lane.perThread.blocks
          ) { block in
            pass.lane.team.enter(.activation, thread: block.thread)
            let projection = projections[block.strip]
            switch projection {
            case .query: rotate(block, query, pass.weights.queryNorm, pass.layout)
            case .key: rotate(block, key, pass.weights.keyNorm, pass.layout)
            case .value: block.add(value, to: block.values())
            }
            pack(block, projection, pass, tiles)
          }
        }
      }
    }
  }

  private func rotate(
    _ block: MatrixProduct.OutputTile, _ bias: UnsafePointer<Float>?, _ norm: HeadNorm?,
    _ layout: RowLayout
  ) {
    if let norm {
      block.add(bias, to: block.values())
      norm.normalize(
        block.values(), stride: block.stride, rows: block.rows.count,
        heads: block.outputs.count / shape.headDimension)
    }
    layout.forPieces(in: block.rows) { piece in
      rotary.withTable { cosines, sines in
        Elementwise.rope(
          block: block.values() + (piece.row - block.rows.lowerBound) * block.stride,
          stride: block.stride, rows: piece.tokens.count,
          heads: block.outputs.count / shape.headDimension, headDimension: shape.headDimension,
          bias: norm == nil ? bias.map { $0 + block.outputs.lowerBound } : nil, cosines: cosines,
          sines: sines,
          firstPosition: piece.tokens.lowerBound, positions: limits.tokensPerSample)
      }
    }
  }

  /// Writes a block of whole heads into their tiles.
  private func pack(
    _ block: MatrixProduct.OutputTile, _ projection: CausalAttention.Operand, _ pass: LeafPass,
    _ tiles: AttentionTiles
  ) {
    let d = shape.headDimension
    let first = block.outputs.lowerBound / d
    for head in first..<first + block.outputs.count / d {
      pass.layout.forPieces(in: block.rows) { piece in
        let row = piece.row - block.rows.lowerBound
        tiles.head.pack(
          projection, block.values() + row * block.stride + (head - first) * d,
          stride: block.stride, block: piece.tokens,
          to: bytes(projection, piece.sample, head, pass, tiles))
      }
    }
  }

  /// The tiles of a head in a sample.
  private func bytes(
    _ operand: CausalAttention.Operand, _ sample: Int, _ head: Int, _ pass: LeafPass,
    _ tiles: AttentionTiles
  ) -> UnsafeMutableRawPointer {
    let layer = pass.weights.shape
    let (buffer, heads) =
      switch operand {
      case .query: (pass.lane.scratch.queries, layer.headCount)
      case .key: (pass.lane.scratch.keys, layer.keyValueHeadCount)
      case .value: (pass.lane.scratch.values, layer.keyValueHeadCount)
      }
    return buffer.bytes + tiles.offset(of: operand, sample: sample, head: head, of: heads)
  }

  // MARK: Heads

  /// The outputs of all heads as tiles, [rows, heads · d], and their moments by sample; g query
  /// heads share a key and value head.
  private func attend(_ pass: LeafPass, _ tiles: AttentionTiles) -> RowTiles {
    let (layer, lane) = (pass.weights.shape, pass.lane)
    let d = shape.headDimension
    let heads = RowTiles(compute, channels: layer.headCount * d, at: lane.scratch.inner.bytes)
    let bundles = (layer.headCount + tiles.headsPerBundle - 1) / tiles.headsPerBundle
    lane.team.run(.attention, taskCount: pass.layout.sampleCount * bundles) { task, thread in
      let sample = task / bundles
      let first = task % bundles * tiles.headsPerBundle
      let bundle = first..<min(first + tiles.headsPerBundle, layer.headCount)
      // [queries, heads of the bundle · d]
      let out = lane.perThread.headOutputs[thread].floats()
      let step = AttentionTiles.queriesPerStep
      for start in stride(from: 0, to: pass.layout.tokensPerSample, by: step) {
        let queries = start..<min(start + step, pass.layout.tokensPerSample)
        for head in bundle {
          let group = head / layer.headsPerGroup
          tiles.head.attend(
            query: bytes(.query, sample, head, pass, tiles),
            key: bytes(.key, sample, group, pass, tiles),
            value: bytes(.value, sample, group, pass, tiles), queries: queries,
            to: out + (head - first) * d, stride: tiles.bundleStride,
            scratch: lane.perThread.scores[thread].bytes)
        }
        let channels = bundle.lowerBound * d..<bundle.upperBound * d
        lane.team.enter(.activation, thread: thread)
        heads.pack(
          out, stride: tiles.bundleStride, rows: queries.count,
          atRow: sample * pass.layout.rowsPerSample + start, channels: channels)
        lane.team.enter(.statistics, thread: thread)
        lane.scratch.moments.add(
          out, stride: tiles.bundleStride, rows: queries.count, channels: channels,
          toPart: sample, width: heads.channels, seenCount: start)
        lane.team.enter(.attention, thread: thread)
      }
    }
    return heads
  }
}
