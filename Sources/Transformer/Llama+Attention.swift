internal import FlapCore
internal import Kernels

extension Llama {
  /// x += W_o · attention(RoPE(W_q · n), RoPE(W_k · n), W_v · n), n = norm(x); where the model asks
  /// for it, every head's query and key is normalized before it is rotated.
  func attention(_ pass: LeafPass) -> TapPassage {
    let layout = AttentionLayout(
      compute, shape.headDimension, pass.layout, window: pass.weights.shape.attentionWindow)
    project(pass, layout)
    let heads = attend(pass, layout)
    let counts = pass.layout.segments.map(\.positions.count)
    let passage = passage(pass, .attentionOutput, heads, segmentCounts: counts)
    addProduct(heads, pass.packed.output, pass.weights.maps.output, pass)
    return passage
  }

  // MARK: Queries, keys and values

  /// Writes RoPE(W_q · n), RoPE(W_k · n) and W_v · n into the scratch.
  private func project(_ pass: LeafPass, _ layout: AttentionLayout) {
    let normed = normalize(pass.index, pass.layout, pass.weights.attentionNorm, pass.lane)
    let maps = [pass.packed.query, pass.packed.key, pass.packed.value]
    let linears = [pass.weights.maps.query, pass.weights.maps.key, pass.weights.maps.value]
    var projections: [CausalAttention.Operand] = []
    let strips = zip(CausalAttention.Operand.allCases, maps).flatMap { projection, map in
      let strips = MatrixProduct.Strip.covering(map, width: layout.stripWidth)
      projections += Array(repeating: projection, count: strips.count)
      return strips
    }
    linears[0].withBias { query in
      linears[1].withBias { key in
        linears[2].withBias { value in
          MatrixProduct.run(
            normed, rows: pass.layout.rowCount, strips, team: pass.lane.team,
            scratch: pass.lane.perThread.outputs
          ) { tile in
            pass.lane.team.enter(.activation, thread: tile.thread)
            let projection = projections[tile.strip]
            switch projection {
            case .query: rotate(tile, query, pass.weights.queryNorm, pass.layout)
            case .key: rotate(tile, key, pass.weights.keyNorm, pass.layout)
            case .value: tile.add(value, to: tile.values())
            }
            pack(tile, projection, pass, layout)
          }
        }
      }
    }
  }

  private func rotate(
    _ tile: MatrixProduct.OutputTile, _ bias: UnsafePointer<Float>?, _ norm: HeadNorm?,
    _ layout: RowLayout
  ) {
    if let norm {
      tile.add(bias, to: tile.values())
      norm.normalize(
        tile.values(), stride: tile.stride, rows: tile.rows.count,
        heads: tile.outputs.count / shape.headDimension)
    }
    layout.forPieces(in: tile.rows) { piece in
      rotary(length: piece.longestSample).withTable { cosines, sines in
        Elementwise.rope(
          block: tile.values() + (piece.row - tile.rows.lowerBound) * tile.stride,
          stride: tile.stride, rows: piece.tokens.count,
          heads: tile.outputs.count / shape.headDimension, headDimension: shape.headDimension,
          bias: norm == nil ? bias.map { $0 + tile.outputs.lowerBound } : nil, cosines: cosines,
          sines: sines,
          firstPosition: piece.tokens.lowerBound, positions: limits.tokensPerSample)
      }
    }
  }

  /// Writes an output tile of whole heads into the operand tiles of attention.
  private func pack(
    _ tile: MatrixProduct.OutputTile, _ projection: CausalAttention.Operand, _ pass: LeafPass,
    _ layout: AttentionLayout
  ) {
    let d = shape.headDimension
    let first = tile.outputs.lowerBound / d
    for head in first..<first + tile.outputs.count / d {
      pass.layout.forPieces(in: tile.rows) { piece in
        let row = piece.row - tile.rows.lowerBound
        for sample in piece.samples {
          layout.heads[sample].pack(
            projection, tile.values() + row * tile.stride + (head - first) * d,
            stride: tile.stride, at: piece.tokens,
            to: bytes(projection, sample, head, pass, layout))
        }
      }
    }
  }

  /// The tiles of a head in a sample.
  private func bytes(
    _ operand: CausalAttention.Operand, _ sample: Int, _ head: Int, _ pass: LeafPass,
    _ layout: AttentionLayout
  ) -> UnsafeMutableRawPointer {
    let layer = pass.weights.shape
    let (buffer, heads) =
      switch operand {
      case .query: (pass.lane.scratch.queries, layer.headCount)
      case .key: (pass.lane.scratch.keys, layer.keyValueHeadCount)
      case .value: (pass.lane.scratch.values, layer.keyValueHeadCount)
      }
    return buffer.bytes + layout.offset(of: operand, sample: sample, head: head, of: heads)
  }

  // MARK: Heads

  /// The outputs of all heads as tiles, [rows, heads · d], shown to the observers segment by segment;
  /// g query heads share a key and value head.
  private func attend(_ pass: LeafPass, _ layout: AttentionLayout) -> RowTiles {
    let (layer, lane) = (pass.weights.shape, pass.lane)
    let d = shape.headDimension
    let heads = RowTiles(compute, channels: layer.headCount * d, at: lane.scratch.inner.bytes)
    let bundles = (layer.headCount + layout.headsPerBundle - 1) / layout.headsPerBundle
    lane.team.run(.attention, taskCount: pass.layout.segments.count * bundles) { task, thread in
      let index = task / bundles
      let segment = pass.layout.segments[index]
      // What several samples begin with sees the same in each.
      let sample = segment.samples.lowerBound
      let first = task % bundles * layout.headsPerBundle
      let bundle = first..<min(first + layout.headsPerBundle, layer.headCount)
      // [computed queries, heads of the bundle · d]
      let computed = lane.perThread.headOutputs[thread].floats()
      let step = AttentionLayout.queriesPerStep
      for seen in stride(from: 0, to: segment.positions.count, by: step) {
        let start = segment.positions.lowerBound + seen
        let queries = start..<min(start + step, segment.positions.upperBound)
        let range = AttentionLayout.computed(queries)
        let out = computed + (queries.lowerBound - range.lowerBound) * layout.bundleStride
        for head in bundle {
          let group = head / layer.headsPerGroup
          layout.heads[sample].attend(
            query: bytes(.query, sample, head, pass, layout),
            key: bytes(.key, sample, group, pass, layout),
            value: bytes(.value, sample, group, pass, layout), queries: range,
            to: computed + (head - first) * d, stride: layout.bundleStride,
            scratch: lane.perThread.scores[thread].bytes)
        }
        let channels = bundle.lowerBound * d..<bundle.upperBound * d
        lane.team.enter(.activation, thread: thread)
        heads.pack(
          out, stride: layout.bundleStride, rows: queries.count,
          atRow: segment.row + seen, channels: channels)
        lane.team.enter(.observers, thread: thread)
        show(
          pass, .attentionOutput, segment: index, seenCount: seen, tokenCount: queries.count,
          channels: channels, of: heads.channels, out, stride: layout.bundleStride, thread: thread)
        lane.team.enter(.attention, thread: thread)
      }
    }
    return heads
  }
}
