internal import FlapCore
internal import Kernels

extension Llama {
  /// x += W_o · attention(RoPE(W_q · n), RoPE(W_k · n), W_v · n), n = norm(x); where the model asks
  /// for it, every head's query and key, or those of all heads together, are normalized before they are
  /// rotated.
  func attention(_ pass: LeafPass) -> TapPassage {
    let layout = AttentionLayout(
      compute, shape.headDimension, pass.layout, window: pass.weights.shape.attentionWindow,
      scale: shape.arithmetic.attentionScale)
    project(pass, layout)
    let heads = attend(pass, layout)
    let counts = pass.layout.segments.map(\.positions.count)
    let passage = passage(pass, .attentionOutput, heads, segmentCounts: counts)
    addProduct(
      heads, pass.packed.output, pass.weights.maps.output,
      norm: pass.weights.attentionOutputNorm, pass)
    return passage
  }

  // MARK: Queries, keys and values

  /// Writes RoPE(W_q · n), RoPE(W_k · n) and W_v · n into the scratch.
  private func project(_ pass: LeafPass, _ layout: AttentionLayout) {
    let normed = normalize(pass.index, pass.layout, pass.weights.attentionNorm, pass.lane)
    let maps = [pass.packed.query, pass.packed.key, pass.packed.value]
    let linears = [pass.weights.maps.query, pass.weights.maps.key, pass.weights.maps.value]
    let areTogether = shape.arithmetic.normalizesHeadsTogether && pass.weights.queryNorm != nil
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
            let heads = HeadBlock(tile)
            switch projection {
            case .query where areTogether, .key where areTogether:
              tile.add(projection == .query ? query : key, to: tile.values())
              return keep(tile, projection, pass)
            case .query: rotate(heads, query, pass.weights.queryNorm, pass)
            case .key: rotate(heads, key, pass.weights.keyNorm, pass)
            case .value: tile.add(value, to: tile.values())
            }
            pack(heads, projection, pass, layout)
          }
        }
      }
    }
    if areTogether { finishKept(pass, layout) }
  }

  /// Some rows of whole heads, f32, row-major.
  private struct HeadBlock {
    let values: UnsafeMutablePointer<Float>
    let stride: Int
    /// Of the leaf's matrices.
    let rows: Range<Int>
    /// Of all heads of the layer.
    let channels: Range<Int>

    init(
      values: UnsafeMutablePointer<Float>, stride: Int, rows: Range<Int>, channels: Range<Int>
    ) {
      self.values = values
      self.stride = stride
      self.rows = rows
      self.channels = channels
    }

    init(_ tile: MatrixProduct.OutputTile) {
      self.init(
        values: tile.values(), stride: tile.stride, rows: tile.rows, channels: tile.outputs)
    }
  }

  /// Normalizes every head where there is a norm, and turns it where the layer does.
  private func rotate(
    _ block: HeadBlock, _ bias: UnsafePointer<Float>?, _ norm: HeadNorm?, _ pass: LeafPass
  ) {
    let d = shape.headDimension
    let heads = block.channels.count / d
    let tables = rotary(of: pass.weights.shape)
    let bias = bias.map { $0 + block.channels.lowerBound }
    // Turning adds the bias where it comes first and turns all channels.
    let addsBias = norm == nil && tables?.turnedDimension == d
    if let bias, !addsBias {
      Elementwise.addBias(
        bias, toBlock: block.values, stride: block.stride, rows: block.rows.count,
        columns: block.channels.count)
    }
    norm?.normalize(block.values, stride: block.stride, rows: block.rows.count, heads: heads)
    guard let tables else { return }
    pass.layout.forPieces(in: block.rows) { piece in
      tables(length: piece.longestSample).withTable { cosines, sines in
        Elementwise.rope(
          block: block.values + (piece.row - block.rows.lowerBound) * block.stride,
          stride: block.stride, rows: piece.tokens.count, heads: heads, headDimension: d,
          turnedDimension: tables.turnedDimension, bias: addsBias ? bias : nil, cosines: cosines,
          sines: sines,
          firstPosition: piece.tokens.lowerBound, positions: limits.tokensPerSample)
      }
    }
  }

  /// Writes whole heads into the operand tiles of attention.
  private func pack(
    _ block: HeadBlock, _ projection: CausalAttention.Operand, _ pass: LeafPass,
    _ layout: AttentionLayout
  ) {
    let d = shape.headDimension
    let first = block.channels.lowerBound / d
    for head in first..<first + block.channels.count / d {
      pass.layout.forPieces(in: block.rows) { piece in
        let row = piece.row - block.rows.lowerBound
        for sample in piece.samples {
          layout.heads[sample].pack(
            projection, block.values + row * block.stride + (head - first) * d,
            stride: block.stride, at: piece.tokens,
            to: bytes(projection, sample, head, pass, layout))
        }
      }
    }
  }

  // MARK: Norms over all heads

  /// Queries and keys as they lie in the scratch, f32 [rows, query channels + key channels].
  private func kept(_ pass: LeafPass) -> (values: UnsafeMutablePointer<Float>, widths: [Int]) {
    guard let kept = pass.lane.scratch.unnormed?.floats() else {
      preconditionFailure("scratch was made for a model without such norms")
    }
    let layer = pass.weights.shape
    return (kept, [layer.headCount, layer.keyValueHeadCount].map { $0 * shape.headDimension })
  }

  /// Keeps an output tile until its rows are whole.
  private func keep(
    _ tile: MatrixProduct.OutputTile, _ projection: CausalAttention.Operand, _ pass: LeafPass
  ) {
    let (values, widths) = kept(pass)
    let first = projection == .query ? 0 : widths[0]
    tile.copy(to: values + first + tile.outputs.lowerBound, stride: widths[0] + widths[1])
  }

  /// Normalizes, turns and packs what was kept.
  private func finishKept(_ pass: LeafPass, _ layout: AttentionLayout) {
    let (values, widths) = kept(pass)
    let stride = widths[0] + widths[1]
    let parts: [(CausalAttention.Operand, HeadNorm?)] = [
      (.query, pass.weights.queryNorm), (.key, pass.weights.keyNorm),
    ]
    pass.lane.team.run(.norms, taskCount: pass.layout.rowCount / Tile.side) { panel, _ in
      let rows = panel * Tile.side..<(panel + 1) * Tile.side
      for (index, (projection, norm)) in parts.enumerated() {
        let block = HeadBlock(
          values: values + rows.lowerBound * stride + (index == 0 ? 0 : widths[0]),
          stride: stride, rows: rows, channels: 0..<widths[index])
        norm?.weight.withUnsafeBufferPointer { weight in
          Elementwise.rmsNorm(
            block.values, stride: stride, rows: rows.count, weight: weight.baseAddress!,
            epsilon: Float(shape.rmsNormEpsilon), channels: widths[index])
        }
        rotate(block, nil, nil, pass)
        pack(block, projection, pass, layout)
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
