public import Checkpoint
public import FlapCore
public import Kernels

/// The forward pass of the LLaMA family, dense or pruned (arXiv 2302.13971; names and details as
/// in transformers' `modeling_llama.py`).
///
/// Samples go through the model layer by layer, a whole block of leaves at a time, so that a model
/// larger than memory is read from disk once per block. The residual stream and all sums are f32;
/// the products' operands are bf16 or f32.
public final class Llama {
  public let shape: ModelShape
  public let limits: BlockLimits
  public let team: ThreadTeam
  public let scratchPlan: ScratchPlan
  let checkpoint: Checkpoint
  let multiply: MatrixProduct
  let scratch: Scratch
  private let rotary: RotaryTable

  /// What flows into `o_proj` or `down_proj` for one leaf.
  public struct TapInput {
    public let layer: Int
    public let tap: Tap
    /// The leaf's position in its block.
    public let leafIndex: Int
    /// f32 [tokenCount, channelCount], row-major; valid during the call only.
    public let values: UnsafePointer<Float>
    public let tokenCount: Int
    public let channelCount: Int
  }

  /// Allocates all scratch. Weights are mapped, not read.
  ///
  /// - Throws: ``KernelError`` when the CPU cannot do such products.
  public init(
    checkpoint: Checkpoint, compute: ComputeType, threadCount: Int, limits: BlockLimits
  ) throws {
    self.checkpoint = checkpoint
    self.limits = limits
    shape = checkpoint.configuration.shape
    team = ThreadTeam(threadCount: threadCount)
    scratchPlan = ScratchPlan(
      shape: shape, compute: compute, threadCount: threadCount, limits: limits)
    scratch = Scratch(plan: scratchPlan, shape: shape, threadCount: threadCount, limits: limits)
    let widest =
      shape.layers.map {
        max($0.headCount * checkpoint.configuration.shape.headDimension, $0.intermediateSize)
      }.max() ?? 0
    multiply = try MatrixProduct(
      compute: compute, team: team, largestInner: max(widest, shape.hiddenSize))
    rotary = RotaryTable(
      shape.rotaryEmbedding, headDimension: shape.headDimension, positions: limits.tokensPerSample)
  }

  /// Runs a block through the decoder layers and leaves its residual stream in the scratch.
  ///
  /// - Parameters:
  ///   - onTap: sees every leaf at both taps of every layer; what it throws ends the pass.
  /// - Throws: ``TransformerError``, ``CheckpointError``, ``KernelError``.
  /// - Precondition: the block is within the limits.
  public func forward(block: [Leaf], onTap: (TapInput) throws -> Void) throws {
    precondition(limits.admits(block), "scratch was allocated for smaller blocks")
    for (index, leaf) in block.enumerated() { try embed(leaf, index) }
    for layer in shape.layers.indices {
      let weights = try LayerWeights(checkpoint, layer: layer, of: shape)
      for (index, leaf) in block.enumerated() {
        try attention(weights, leaf, index) { values, channels in
          try onTap(tapInput(layer, .attentionOutput, leaf, index, values, channels))
        }
        try feedForward(weights, leaf, index) { values, channels in
          try onTap(tapInput(layer, .mlpDown, leaf, index, values, channels))
        }
      }
    }
  }

  // MARK: Embedding

  /// x[t] = embedding[token[t]]
  private func embed(_ leaf: Leaf, _ index: Int) throws {
    let view = try checkpoint.tensor(
      "model.embed_tokens.weight", shape: [shape.vocabularySize, shape.hiddenSize])
    let embedding = view.matrix(rows: shape.vocabularySize, columns: shape.hiddenSize)
    let x = scratch.residuals[index].floats()  // [tokens, hidden]
    for (row, token) in leaf.tokens.enumerated() {
      guard token >= 0, Int(token) < shape.vocabularySize else {
        throw TransformerError.tokenOutsideVocabulary(
          token: token, vocabularySize: shape.vocabularySize)
      }
      embedding.copyRows(Int(token)..<Int(token) + 1, to: x + row * shape.hiddenSize)
    }
  }

  // MARK: Attention

  /// x += W_o · attention(RoPE(W_q · n), RoPE(W_k · n), W_v · n), n = norm(x)
  private func attention(
    _ weights: LayerWeights, _ leaf: Leaf, _ index: Int,
    tap: (UnsafePointer<Float>, Int) throws -> Void
  ) throws {
    let tokens = leaf.tokenCount
    let queryWidth = weights.shape.headCount * shape.headDimension
    let keyWidth = weights.shape.keyValueHeadCount * shape.headDimension
    let x = scratch.residuals[index].floats()  // [tokens, hidden]
    let query = scratch.activations.floats()  // [tokens, heads · d]
    let key = query + tokens * queryWidth  // [tokens, kv heads · d]
    let value = key + tokens * keyWidth  // [tokens, kv heads · d]
    let heads = value + tokens * keyWidth  // [tokens, heads · d]

    normalize(x, weights.inputNorm, rows: tokens)
    try weights.query(multiply, scratch.operand.bytes, rows: tokens, to: query)
    try weights.key(multiply, scratch.operand.bytes, rows: tokens, to: key)
    try weights.value(multiply, scratch.operand.bytes, rows: tokens, to: value)
    rotate(query, heads: weights.shape.headCount, leaf)
    rotate(key, heads: weights.shape.keyValueHeadCount, leaf)
    attend(weights.shape, leaf, query, key, value, to: heads)
    try tap(heads, queryWidth)
    convert(heads, rows: tokens, width: queryWidth)
    let y = scratch.projection.floats()  // [tokens, hidden]
    try weights.output(multiply, scratch.operand.bytes, rows: tokens, to: y)
    add(y, to: x, rows: tokens)
  }

  private func rotate(_ x: UnsafeMutablePointer<Float>, heads: Int, _ leaf: Leaf) {
    let width = heads * shape.headDimension
    forRows(leaf.tokenCount) { row in
      rotary.withRow(row % leaf.tokensPerSample) { cosines, sines in
        Elementwise.rope(
          x + row * width, cosines: cosines, sines: sines, heads: heads,
          headDimension: shape.headDimension)
      }
    }
  }

  /// One task per sample and query head; g query heads share a key and value head.
  private func attend(
    _ layer: LayerShape, _ leaf: Leaf, _ query: UnsafePointer<Float>, _ key: UnsafePointer<Float>,
    _ value: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>
  ) {
    let d = shape.headDimension
    let queryWidth = layer.headCount * d
    let keyWidth = layer.keyValueHeadCount * d
    team.run(taskCount: leaf.sampleCount * layer.headCount) { task, thread in
      let head = task % layer.headCount
      let group = head / layer.headsPerGroup
      let first = task / layer.headCount * leaf.tokensPerSample
      CausalAttention.attend(
        query: .init(start: query + first * queryWidth + head * d, stride: queryWidth),
        key: .init(start: key + first * keyWidth + group * d, stride: keyWidth),
        value: .init(start: value + first * keyWidth + group * d, stride: keyWidth),
        to: out + first * queryWidth + head * d, stride: queryWidth,
        tokens: leaf.tokensPerSample, headDimension: d,
        scratch: scratch.attention[thread].floats())
    }
  }

  // MARK: Feed-forward

  /// x += W_down · (SiLU(W_gate · n) · (W_up · n)), n = norm(x)
  private func feedForward(
    _ weights: LayerWeights, _ leaf: Leaf, _ index: Int,
    tap: (UnsafePointer<Float>, Int) throws -> Void
  ) throws {
    let tokens = leaf.tokenCount
    let neurons = weights.shape.intermediateSize
    let x = scratch.residuals[index].floats()  // [tokens, hidden]
    let gate = scratch.activations.floats()  // [tokens, intermediate]
    let up = gate + tokens * neurons  // [tokens, intermediate]

    normalize(x, weights.postAttentionNorm, rows: tokens)
    try weights.gate(multiply, scratch.operand.bytes, rows: tokens, to: gate)
    try weights.up(multiply, scratch.operand.bytes, rows: tokens, to: up)
    forRows(tokens) { row in
      Elementwise.swiGLU(gate: gate + row * neurons, up: up + row * neurons, count: neurons)
    }
    try tap(gate, neurons)
    convert(gate, rows: tokens, width: neurons)
    let y = scratch.projection.floats()  // [tokens, hidden]
    try weights.down(multiply, scratch.operand.bytes, rows: tokens, to: y)
    add(y, to: x, rows: tokens)
  }

  // MARK: Rows

  /// operand[t] = norm(x[t]) in the products' format.
  func normalize(_ x: UnsafePointer<Float>, _ weight: [Float], rows: Int) {
    let hidden = shape.hiddenSize
    let normalized = scratch.projection.floats()  // [tokens, hidden], free between products
    let operand = scratch.operand.bytes
    let compute = multiply.compute
    weight.withUnsafeBufferPointer { weight in
      forRows(rows) { row in
        Elementwise.rmsNorm(
          x + row * hidden, weight: weight.baseAddress!, epsilon: Float(shape.rmsNormEpsilon),
          to: normalized + row * hidden, count: hidden)
        Conversion.toOperand(
          normalized + row * hidden, count: hidden, compute,
          to: operand + row * hidden * compute.operandByteCount)
      }
    }
  }

  /// operand[t] = x[t] in the products' format.
  private func convert(_ x: UnsafePointer<Float>, rows: Int, width: Int) {
    let operand = scratch.operand.bytes
    let compute = multiply.compute
    forRows(rows) { row in
      Conversion.toOperand(
        x + row * width, count: width, compute,
        to: operand + row * width * compute.operandByteCount)
    }
  }

  private func add(_ y: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, rows: Int) {
    let hidden = shape.hiddenSize
    forRows(rows) { row in
      Elementwise.add(y + row * hidden, to: x + row * hidden, count: hidden)
    }
  }

  /// Shares rows out, some at a time.
  private func forRows(_ rows: Int, _ body: (Int) -> Void) {
    let rowsPerTask = 32
    team.run(taskCount: (rows + rowsPerTask - 1) / rowsPerTask) { task, _ in
      for row in task * rowsPerTask..<min((task + 1) * rowsPerTask, rows) { body(row) }
    }
  }

  private func tapInput(
    _ layer: Int, _ tap: Tap, _ leaf: Leaf, _ index: Int, _ values: UnsafePointer<Float>,
    _ channels: Int
  ) -> TapInput {
    TapInput(
      layer: layer, tap: tap, leafIndex: index, values: values, tokenCount: leaf.tokenCount,
      channelCount: channels)
  }
}
