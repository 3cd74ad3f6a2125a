public import Checkpoint
public import FlapCore
public import Kernels

/// The forward pass of LLaMA and the families that share its layers, dense or pruned
/// (arXiv 2302.13971; names and details as in transformers' `modeling_llama.py`). What tells the
/// families apart is in the shape: biases, norms of heads (Qwen3), windows of attention (Mistral),
/// by what layers are turned (SmolLM3, Gemma 3), and `Arithmetic`.
///
/// Samples go through the model layer by layer, a whole micro-batch of leaves at a time, so that a
/// model larger than memory is read from disk once per micro-batch, and each layer's weights are
/// packed once.
/// The residual stream and all sums are f32; the products' operands are bf16 or f32, and so are
/// those of attention.
public final class Llama {
  public let shape: ModelShape
  public let limits: MicroBatchLimits
  public let split: LaneSplit
  public let scratchPlan: ScratchPlan
  /// What to leave out of the model from the next pass on; nil: nothing.
  public var pruning: ModelPruning?
  public let compute: ComputeType
  let checkpoint: Checkpoint
  let scratch: Scratch
  let lanes: Lanes
  private let rotary: RotaryTables
  private let localRotary: RotaryTables?

  /// Allocates all scratch. Weights are mapped, not read.
  ///
  /// - Parameter laneCount: leaves that are computed at the same time; nil: what suits the model.
  /// - Throws: `OutOfMemory`, of all scratch together.
  public init(
    checkpoint: Checkpoint, compute: ComputeType, threadCount: Int, laneCount: Int? = nil,
    limits: MicroBatchLimits
  ) throws(OutOfMemory) {
    self.checkpoint = checkpoint
    self.compute = compute
    self.limits = limits
    shape = checkpoint.configuration.shape
    split = LaneSplit(
      threadCount: threadCount, laneCount: laneCount, shape: shape, limits: limits)
    scratchPlan = ScratchPlan(shape: shape, compute: compute, split: split, limits: limits)
    do {
      scratch = try Scratch(
        plan: scratchPlan, compute: compute, split: split,
        leavesPerMicroBatch: limits.leavesPerMicroBatch)
    } catch {
      throw OutOfMemory(byteCount: scratchPlan.totalBytes)
    }
    lanes = Lanes(split, scratch: scratch)
    let (headDimension, positions) = (shape.headDimension, limits.tokensPerSample)
    rotary = RotaryTables(
      shape.rotaryEmbedding, headDimension: headDimension, positions: positions)
    localRotary = shape.localRotaryEmbedding.map {
      RotaryTables($0, headDimension: headDimension, positions: positions)
    }
  }

  /// By which a layer turns queries and keys; nil: it does not.
  func rotary(of layer: LayerShape) -> RotaryTables? {
    switch layer.rotation {
    case .global: rotary
    case .local: localRotary
    case .none: nil
    }
  }

  /// Runs a micro-batch through the decoder layers and leaves its residual stream in the scratch.
  ///
  /// - Parameters:
  ///   - observers: are shown all that flows through the taps.
  ///   - onTap: called when a leaf has gone through a tap and the observers have seen it: leaf by leaf
  ///     in every layer, on the calling thread. What it throws ends the pass.
  /// - Throws: ``TransformerError``, `CheckpointError`.
  /// - Precondition: the micro-batch is within the limits.
  public func forward(
    _ microBatch: [Leaf], observers: [any TapObserver] = [],
    onTap: (TapPassage) throws -> Void = { _ in }
  ) throws {
    try embed(microBatch)
    try run(0..<stepCount, microBatch, observers: observers, onTap: onTap)
  }

  /// Halves of layers: attention and MLP of each.
  public var stepCount: Int { Tap.allCases.count * shape.layers.count }

  /// Takes the residual stream that the scratch holds through some halves of layers: 2·l is the
  /// attention of layer l, 2·l + 1 its MLP.
  ///
  /// - Parameters: as of ``forward(_:observers:onTap:)``.
  ///   - first: the number of the first leaf, of which passages count.
  func run(
    _ steps: Range<Int>, _ microBatch: [Leaf], from first: Int = 0,
    observers: [any TapObserver] = [], onTap: (TapPassage) throws -> Void
  ) throws {
    precondition(limits.admits(microBatch), "scratch was allocated for smaller micro-batches")
    let halves = Tap.allCases.count
    for layer in steps.lowerBound / halves..<(steps.upperBound + halves - 1) / halves {
      let taps = Tap.allCases.filter { steps.contains(halves * layer + $0.rawValue) }
      var weights = try LayerWeights(checkpoint, layer: layer, of: shape)
      takeChecksums(
        of: shape.table(layer: layer).tensors.map {
          ModelShape.name(ofLayer: layer, $0.name)
        })
      pruning?.apply(to: &weights, layer: layer, of: shape)
      let packed = scratch.weights.pack(weights, for: taps, team: lanes.whole.team)
      if halves * (layer + 1) < steps.upperBound {
        let next = try LayerWeights(checkpoint, layer: layer + 1, of: shape)
        for map in next.maps.all { map.willNeed() }
      }
      try lanes.run(microBatch.count) { index, lane in
        let pass = LeafPass(
          layer: layer, weights: weights, packed: packed, leaf: microBatch[index], index: index,
          number: first + index, lane: lane, observers: observers)
        return taps.map { $0 == .attentionOutput ? attention(pass) : feedForward(pass) }
      } _: { passages in
        for passage in passages { try onTap(passage) }
      }
    }
  }

  /// What observers have to make room for.
  public var observerLimits: ObserverLimits { scratchPlan.observerLimits }

  /// What the threads' time was spent on so far, summed over them; between passes.
  public var phaseSeconds: PhaseSeconds { lanes.phaseSeconds }

  /// One leaf at one layer.
  struct LeafPass {
    let layer: Int
    let weights: LayerWeights
    /// The same in the form in which they are multiplied.
    let packed: LayerMaps<ColumnTiles>
    let layout: RowLayout
    /// The leaf's position in its micro-batch.
    let index: Int
    /// The leaf's position among all that are taken along.
    let number: Int
    let lane: Lane
    let observers: [any TapObserver]

    init(
      layer: Int, weights: LayerWeights, packed: LayerMaps<ColumnTiles>, leaf: Leaf, index: Int,
      number: Int, lane: Lane, observers: [any TapObserver]
    ) {
      self.layer = layer
      self.weights = weights
      self.packed = packed
      self.index = index
      self.number = number
      self.lane = lane
      self.observers = observers
      layout = RowLayout(leaf)
    }
  }

  // MARK: Embedding

  /// x[t] = embedding[token[t]] · scale, a segment per task; rows that are no tokens become zeros.
  func embed(_ microBatch: [Leaf]) throws {
    precondition(limits.admits(microBatch), "scratch was allocated for smaller micro-batches")
    let (width, count) = (shape.hiddenSize, shape.vocabularySize)
    let unknown = microBatch.lazy.flatMap(\.tokens).first { !(0..<count).contains(Int($0)) }
    if let unknown {
      throw TransformerError.tokenOutsideVocabulary(token: unknown, vocabularySize: count)
    }
    let view = try checkpoint.tensor(shape.embedding.name, shape: shape.embedding.shape)
    takeChecksums(of: [shape.embedding.name])
    let embedding = Linear(view, bias: nil).weight
    let scale = embeddingScale
    let segments = microBatch.enumerated().flatMap { index, leaf in
      leaf.layout.segments.map { (leaf: index, segment: $0) }
    }
    lanes.whole.team.run(.other, taskCount: segments.count) { task, _ in
      let (index, segment) = segments[task]
      let count = segment.positions.count
      let tokens = microBatch[index].tokens[segment.firstToken..<segment.firstToken + count]
      let x = scratch.residuals[index].floats() + segment.row * width
      for (row, token) in tokens.enumerated() {
        embedding.copyRows(Int(token)..<Int(token) + 1, to: x + row * width)
      }
      if scale != 1 {
        for index in 0..<count * width { x[index] *= scale }
      }
      let padding = Tile.count(ofRows: count) * Tile.side - count
      (x + count * width).update(repeating: 0, count: padding * width)
    }
  }

  private var embeddingScale: Float {
    let scale = Float(shape.arithmetic.embeddingScale)
    guard shape.arithmetic.roundsEmbeddingScale, compute == .bfloat16 else { return scale }
    return Float(bfloat16Bits: scale.bfloat16Bits)
  }

  /// Takes the checksums of tensors at their first use, on all threads: what follows reads them from
  /// memory then. Of the embedding a pass reads only some rows, but its results depend on them.
  func takeChecksums(of names: [String]) {
    // Several may be parts of one.
    let missing = Set(names.map { checkpoint.storedName(of: $0) })
      .filter { !checkpoint.hasChecksum($0) }.sorted()
    lanes.whole.team.run(.packing, taskCount: missing.count) { task, _ in
      checkpoint.checksum(missing[task])
    }
  }

  // MARK: Steps that both halves of a layer have

  /// norm(x) as tiles, [rows, hidden].
  ///
  /// - Parameter weight: nil: x itself.
  func normalize(
    _ leaf: Int, _ layout: RowLayout, _ weight: [Float]?, _ lane: Lane
  ) -> RowTiles {
    let x = scratch.residuals[leaf].floats()
    if let weight { return normalize(x, layout, weight, lane) }
    let (width, side) = (shape.hiddenSize, Tile.side)
    let tiles = RowTiles(compute, channels: width, at: lane.scratch.hidden.bytes)
    lane.team.run(.norms, taskCount: layout.rowCount / side) { panel, _ in
      tiles.pack(
        x + panel * side * width, stride: width, rows: side, atRow: panel * side,
        channels: 0..<width)
    }
    return tiles
  }

  /// - Parameter x: [rows, hidden]
  func normalize(
    _ x: UnsafePointer<Float>, _ layout: RowLayout, _ weight: [Float], _ lane: Lane
  ) -> RowTiles {
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

  /// x += norm(input · Wᵀ + b)
  ///
  /// - Parameter norm: nil: none, and the output is scaled as the model asks for it.
  func addProduct(
    _ input: RowTiles, _ map: ColumnTiles, _ linear: Linear, norm: [Float]? = nil,
    _ pass: LeafPass
  ) {
    if let norm { return addNormed(input, map, linear, norm, pass) }
    let hidden = shape.hiddenSize
    let scale = Float(shape.arithmetic.residualScale)
    let x = scratch.residuals[pass.index].floats()  // [rows, hidden]
    let strips = MatrixProduct.Strip.covering(map)
    linear.withBias { bias in
      MatrixProduct.run(
        input, rows: pass.layout.rowCount, strips, team: pass.lane.team,
        scratch: pass.lane.perThread.outputs
      ) { tile in
        pass.lane.team.enter(.activation, thread: tile.thread)
        let column = tile.outputs.lowerBound
        let to = x + tile.rows.lowerBound * hidden + column
        if scale == 1 {
          Elementwise.add(
            block: tile.values(), stride: tile.stride, bias: bias.map { $0 + column },
            to: to, toStride: hidden, rows: tile.rows.count, columns: tile.outputs.count)
        } else {
          Elementwise.add(
            block: tile.values(), stride: tile.stride, bias: bias.map { $0 + column },
            scaledBy: scale, to: to, toStride: hidden, rows: tile.rows.count,
            columns: tile.outputs.count)
        }
      }
    }
  }

  /// Shows the observers a piece of a tap's input. For a thread of the pass's lane.
  func show(
    _ pass: LeafPass, _ tap: Tap, segment: Int, seenCount: Int, tokenCount: Int,
    channels: Range<Int>,
    of width: Int, _ values: UnsafePointer<Float>, stride: Int, thread: Int
  ) {
    let piece = TapPiece(
      layer: pass.layer, tap: tap, lane: pass.lane.index, thread: thread, segment: segment,
      seenCount: seenCount, tokenCount: tokenCount, channels: channels, width: width,
      values: values, stride: stride)
    for observer in pass.observers { observer.observe(piece) }
  }

  /// Tells the observers that they have seen a leaf at a tap.
  func passage(
    _ pass: LeafPass, _ tap: Tap, _ operand: RowTiles, segmentCounts: [Int],
    experts: ExpertPassage? = nil
  ) -> TapPassage {
    let passage = TapPassage(
      layer: pass.layer, tap: tap, leaf: pass.number, lane: pass.lane.index,
      segmentCounts: segmentCounts,
      width: operand.channels, experts: experts, layout: pass.layout, operand: operand,
      team: pass.lane.team)
    for observer in pass.observers { observer.finish(passage) }
    return passage
  }
}
