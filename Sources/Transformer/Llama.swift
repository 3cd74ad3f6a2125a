public import Checkpoint
public import FlapCore
public import Kernels

/// The forward pass of LLaMA and the families that share its layers, dense or pruned
/// (arXiv 2302.13971; names and details as in transformers' `modeling_llama.py`). What tells the
/// families apart is in the shape: biases, norms of heads (Qwen3), windows of attention (Mistral).
///
/// Samples go through the model layer by layer, a whole block of leaves at a time, so that a model
/// larger than memory is read from disk once per block, and each layer's weights are packed once.
/// The residual stream and all sums are f32; the products' operands are bf16 or f32, and so are
/// those of attention.
public final class Llama {
  public let shape: ModelShape
  public let limits: BlockLimits
  public let split: LaneSplit
  public let scratchPlan: ScratchPlan
  /// What to leave out of the model from the next pass on; nil: nothing.
  public var pruning: ModelPruning?
  let compute: ComputeType
  let checkpoint: Checkpoint
  let scratch: Scratch
  let lanes: Lanes
  let rotary: RotaryTable

  /// What flowed into `o_proj` or `down_proj` for one leaf.
  public struct TapInput {
    public let layer: Int
    public let tap: Tap
    /// The leaf's position in its block.
    public let leafIndex: Int
    /// Of every channel over the leaf's tokens.
    public let moments: ColumnMoments
    /// The first channel with a value that is not finite, and the sample in the leaf that has it.
    public let nonFinite: (channel: Int, sample: Int)?
  }

  /// Allocates all scratch. Weights are mapped, not read.
  ///
  /// - Parameter laneCount: leaves that are computed at the same time; nil: what suits the model.
  public init(
    checkpoint: Checkpoint, compute: ComputeType, threadCount: Int, laneCount: Int? = nil,
    limits: BlockLimits
  ) {
    self.checkpoint = checkpoint
    self.compute = compute
    self.limits = limits
    shape = checkpoint.configuration.shape
    split = LaneSplit(
      threadCount: threadCount, laneCount: laneCount, shape: shape, limits: limits)
    scratchPlan = ScratchPlan(shape: shape, compute: compute, split: split, limits: limits)
    scratch = Scratch(
      plan: scratchPlan, compute: compute, split: split, leavesPerBlock: limits.leavesPerBlock)
    lanes = Lanes(split, scratch: scratch)
    rotary = RotaryTable(
      shape.rotaryEmbedding, headDimension: shape.headDimension, positions: limits.tokensPerSample)
  }

  /// Runs a block through the decoder layers and leaves its residual stream in the scratch.
  ///
  /// - Parameters:
  ///   - onTap: sees every leaf at both taps of every layer; what it throws ends the pass.
  /// - Throws: ``TransformerError``, `CheckpointError`.
  /// - Precondition: the block is within the limits.
  public func forward(block: [Leaf], onTap: (TapInput) throws -> Void) throws {
    precondition(limits.admits(block), "scratch was allocated for smaller blocks")
    try embed(block)
    for layer in shape.layers.indices {
      var weights = try LayerWeights(checkpoint, layer: layer, of: shape)
      pruning?.apply(to: &weights, layer: layer, of: shape)
      let tiles = scratch.weights.pack(weights, team: lanes.whole.team)
      if layer + 1 < shape.layers.count {
        let next = try LayerWeights(checkpoint, layer: layer + 1, of: shape)
        for map in next.maps.all { map.willNeed() }
      }
      try lanes.run(block.count) { index, lane in
        let pass = LeafPass(
          layer: layer, weights: weights, tiles: tiles, leaf: block[index], index: index,
          lane: lane)
        return (attention(pass), feedForward(pass))
      } _: { heads, neurons in
        try onTap(heads)
        try onTap(neurons)
      }
    }
  }

  /// What the threads' time was spent on so far, summed over them; between passes.
  public var phaseSeconds: PhaseSeconds { lanes.phaseSeconds }

  /// One leaf at one layer.
  struct LeafPass {
    let layer: Int
    let weights: LayerWeights
    let tiles: LayerMaps<ColumnTiles>
    let layout: RowLayout
    /// The leaf's position in its block.
    let index: Int
    let lane: Lane

    init(
      layer: Int, weights: LayerWeights, tiles: LayerMaps<ColumnTiles>, leaf: Leaf, index: Int,
      lane: Lane
    ) {
      self.layer = layer
      self.weights = weights
      self.tiles = tiles
      self.index = index
      self.lane = lane
      layout = RowLayout(leaf)
    }
  }

  // MARK: Embedding

  /// x[t] = embedding[token[t]], a sample per task; rows that are no tokens become zeros.
  private func embed(_ block: [Leaf]) throws {
    let (width, count) = (shape.hiddenSize, shape.vocabularySize)
    let unknown = block.lazy.flatMap(\.tokens).first { !(0..<count).contains(Int($0)) }
    if let unknown {
      throw TransformerError.tokenOutsideVocabulary(token: unknown, vocabularySize: count)
    }
    let view = try checkpoint.tensor("model.embed_tokens.weight", shape: [count, width])
    let embedding = view.matrix(rows: count, columns: width)
    let samples = block.enumerated().flatMap { index, leaf in
      (0..<leaf.sampleCount).map { (leaf: index, sample: $0) }
    }
    lanes.whole.team.run(.other, taskCount: samples.count) { task, _ in
      let (index, sample) = samples[task]
      let layout = RowLayout(block[index])
      let tokens = block[index].tokens.dropFirst(sample * layout.tokensPerSample)
      let x = scratch.residuals[index].floats() + sample * layout.rowsPerSample * width
      for (row, token) in tokens.prefix(layout.tokensPerSample).enumerated() {
        embedding.copyRows(Int(token)..<Int(token) + 1, to: x + row * width)
      }
      let padding = layout.rowsPerSample - layout.tokensPerSample
      (x + layout.tokensPerSample * width).update(repeating: 0, count: padding * width)
    }
  }

  // MARK: Steps that both halves of a layer have

  /// norm(x) as tiles, [rows, hidden].
  func normalize(
    _ leaf: Int, _ layout: RowLayout, _ weight: [Float], _ lane: Lane
  ) -> RowTiles {
    let x = scratch.residuals[leaf].floats()  // [rows, hidden]
    let tiles = RowTiles(compute, channels: shape.hiddenSize, at: lane.scratch.hidden.bytes)
    weight.withUnsafeBufferPointer { weight in
      lane.team.run(.norms, taskCount: layout.rowCount / Tile.side) { panel, _ in
        Elementwise.rmsNormPanel(
          x + panel * Tile.side * shape.hiddenSize, stride: shape.hiddenSize, rows: Tile.side,
          weight: weight.baseAddress!, epsilon: Float(shape.rmsNormEpsilon),
          channels: shape.hiddenSize, compute, to: tiles.tile(row: panel * Tile.side))
      }
    }
    return tiles
  }

  /// x += input · Wᵀ + b
  func addProduct(_ input: RowTiles, _ map: ColumnTiles, _ linear: Linear, _ pass: LeafPass) {
    let hidden = shape.hiddenSize
    let x = scratch.residuals[pass.index].floats()  // [rows, hidden]
    let strips = MatrixProduct.Strip.covering(map)
    linear.withBias { bias in
      MatrixProduct.run(
        input, rows: pass.layout.rowCount, strips, team: pass.lane.team,
        scratch: pass.lane.perThread.blocks
      ) { block in
        pass.lane.team.enter(.activation, thread: block.thread)
        let column = block.outputs.lowerBound
        Elementwise.add(
          block: block.values(), stride: block.stride, bias: bias.map { $0 + column },
          to: x + block.rows.lowerBound * hidden + column, toStride: hidden,
          rows: block.rows.count, columns: block.outputs.count)
      }
    }
  }

  /// The tap's moments, merged from its parts.
  func tapInput(
    _ pass: LeafPass, _ tap: Tap, _ input: RowTiles, partCounts: [Int]
  ) -> TapInput {
    let moments = pass.lane.scratch.moments.merged(counts: partCounts, width: input.channels)
    let nonFinite = moments.firstNonFiniteChannel.map { channel in
      // What is not finite in f32 is not in an operand, either.
      let token = (0..<pass.layout.tokenCount).first { token in
        !input.value(row: pass.layout.row(ofToken: token), channel: channel).isFinite
      }
      return (channel, (token ?? 0) / pass.layout.tokensPerSample)
    }
    return TapInput(
      layer: pass.layer, tap: tap, leafIndex: pass.index, moments: moments, nonFinite: nonFinite)
  }
}
