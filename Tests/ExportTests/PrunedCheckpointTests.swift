import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Pruning
import Storage
import SystemPackage
import Testing

/// What is written of each tensor.
struct PrunedCheckpointTests {
  let tiny: TinyCheckpoint

  init() throws { tiny = try TinyCheckpoint() }

  @Test("rows, columns and biases of a pruned layer; everything else as it was")
  func recipes() throws {
    let written = try write(tiny.plan, compensating: true)
    func rows(_ name: String, _ kept: [Int], width: Int) throws -> [Float] {
      let dense = try tiny.values(name)
      return kept.flatMap { Array(dense[$0 * width..<($0 + 1) * width]) }
    }
    func columns(_ name: String, _ kept: [Int], width: Int) throws -> [Float] {
      let dense = try tiny.values(name)
      return (0..<dense.count / width).flatMap { row in kept.map { dense[row * width + $0] } }
    }
    let attention = "model.layers.0.self_attn."
    // Group 1 has query heads 2 and 3 (rows 4…7) and key and value head 1 (rows 2 and 3).
    try #expect(
      written(attention + "q_proj.weight")
        == rows(attention + "q_proj.weight", [4, 5, 6, 7], width: 4))
    try #expect(
      written(attention + "k_proj.weight") == rows(attention + "k_proj.weight", [2, 3], width: 4))
    try #expect(
      written(attention + "v_proj.weight") == rows(attention + "v_proj.weight", [2, 3], width: 4))
    try #expect(
      written(attention + "o_proj.weight")
        == columns(attention + "o_proj.weight", [4, 5, 6, 7], width: 8))
    let mlp = "model.layers.0.mlp."
    try #expect(
      written(mlp + "gate_proj.weight") == rows(mlp + "gate_proj.weight", [0, 2, 3], width: 4))
    try #expect(
      written(mlp + "up_proj.weight") == rows(mlp + "up_proj.weight", [0, 2, 3], width: 4))
    try #expect(
      written(mlp + "down_proj.weight") == columns(mlp + "down_proj.weight", [0, 2, 3], width: 5))

    // b = W[:, pruned] · mean[pruned]; channel c's mean is c + 1.
    let output = try tiny.values(attention + "o_proj.weight")
    let expected = (0..<4).map { row in
      (0..<4).reduce(Float(0)) { $0 + output[row * 8 + $1] * Float($1 + 1) }
    }
    #expect(written(attention + "o_proj.bias") == expected)
    let down = try tiny.values(mlp + "down_proj.weight")
    #expect(written(mlp + "down_proj.bias") == removed(down))
    // Nothing is missing from layer 1: its biases are zero.
    #expect(written("model.layers.1.mlp.down_proj.bias") == [0, 0, 0, 0])
    for name in [
      "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight",
      "model.layers.0.input_layernorm.weight", "model.layers.1.self_attn.k_proj.weight",
    ] {
      try #expect(written(name) == tiny.values(name))
    }
  }

  @Test("without compensation there are no biases")
  func uncompensated() throws {
    let written = try write(tiny.plan, compensating: false)
    #expect(written("model.layers.0.self_attn.o_proj.bias") == nil)
    #expect(written("model.layers.0.mlp.down_proj.weight")?.count == 12)
  }

  @Test("norms of heads and biases of query heads: the first stay, the others go with their heads")
  func families() throws {
    let qwen3 = try TinyCheckpoint(
      configuration: TinyCheckpoint.configuration
        .replacing("\"llama\"", with: "\"qwen3\"")
        .replacing("\"attention_bias\": false", with: "\"attention_bias\": true"))
    let written = try write(qwen3.plan, of: qwen3, compensating: true)
    let attention = "model.layers.0.self_attn."
    for norm in ["q_norm.weight", "k_norm.weight"] {
      try #expect(written(attention + norm) == qwen3.values(attention + norm))
    }
    try #expect(
      written(attention + "q_proj.bias") == Array(qwen3.values(attention + "q_proj.bias")[4..<8]))
    try #expect(
      written(attention + "k_proj.bias") == Array(qwen3.values(attention + "k_proj.bias")[2..<4]))
    let count = qwen3.plan.prunedShape(of: qwen3.shape).parameterCount
    #expect(count == qwen3.plan.prunedShape(of: qwen3.shape).elementCount)
  }

  @Test(
    "parameters of published models: sum(p.numel()) of transformers'",
    arguments: [
      ("mistral", 4096, 14336, 32, 32, 8, 128, 32000, false, 7_241_732_096),  // Mistral-7B
      ("qwen2", 896, 4864, 24, 14, 2, 64, 151936, true, 494_032_768),  // Qwen2.5-0.5B
      ("qwen2", 3584, 18944, 28, 28, 4, 128, 152064, false, 7_615_616_512),  // Qwen2.5-7B
      ("qwen3", 1024, 3072, 28, 16, 8, 128, 151936, true, 596_049_920),  // Qwen3-0.6B
      ("qwen3", 4096, 12288, 36, 32, 8, 128, 151936, false, 8_190_735_360),  // Qwen3-8B
    ])
  func parameters(
    type: String, hidden: Int, neurons: Int, layers: Int, heads: Int, groups: Int, width: Int,
    vocabulary: Int, ties: Bool, expected: Int
  ) throws {
    let json = """
      {"model_type": "\(type)", "hidden_size": \(hidden), "intermediate_size": \(neurons),
       "num_hidden_layers": \(layers), "num_attention_heads": \(heads), "head_dim": \(width),
       "num_key_value_heads": \(groups), "vocab_size": \(vocabulary),
       "tie_word_embeddings": \(ties)}
      """
    let shape = try ModelConfiguration(json: Array(json.utf8), path: "").shape
    #expect(shape.parameterCount == expected)
    #expect(shape.elementCount == expected)
  }

  @Test("a bias that is there already stays and is added to")
  func existingBias() throws {
    let tiny = try TinyCheckpoint(
      configuration: TinyCheckpoint.configuration
        .replacing("\"mlp_bias\": false", with: "\"mlp_bias\": true"))
    let name = "model.layers.0.mlp."
    let kept = try write(tiny.plan, of: tiny, compensating: false)
    try #expect(kept(name + "down_proj.bias") == tiny.values(name + "down_proj.bias"))
    let gate = try tiny.values(name + "gate_proj.bias")
    #expect(kept(name + "gate_proj.bias") == [gate[0], gate[2], gate[3]])
    let added = try write(tiny.plan, of: tiny, compensating: true)
    let down = try tiny.values(name + "down_proj.weight")
    let bias = try tiny.values(name + "down_proj.bias")
    let expected = zip(bias, removed(down)).map { $0 + $1 }
    #expect(added(name + "down_proj.bias") == expected)
  }

  /// What neurons 1 and 4 with means 2 and 5 contribute to each row of `down_proj` [4, 5].
  private func removed(_ down: [Float]) -> [Float] {
    (0..<4).map { (row: Int) -> Float in
      let first: Float = down[row * 5 + 1] * 2
      let second: Float = down[row * 5 + 4] * 5
      return first + second
    }
  }

  /// Writes all shards and returns how to look up a tensor.
  private func write(
    _ plan: PruningPlan, of tiny: TinyCheckpoint? = nil, compensating: Bool
  ) throws -> (String) -> [Float]? {
    let tiny = tiny ?? self.tiny
    let compensations = tiny.shape.layers.indices.map { layer in
      PerTap { tap in
        let kept = plan.keptChannels(layer: layer, tap: tap, shape: tiny.shape)
        return Compensation(mean: kept.indices.map { Double($0 + 1) }, keptChannels: kept)
      }
    }
    let layout = try PrunedLayout(
      dense: tiny.checkpoint, plan: plan, isCompensated: compensating, maximumShardBytes: 300)
    let pruned = PrunedCheckpoint(layout, compensations: compensating ? compensations : [])
    let output = try TemporaryFolder()
    var tensors: [String: [Float]] = [:]
    for (index, shard) in layout.shards.shards.enumerated() {
      var steps = 0
      let (waiting, file) = try pruned.writeShard(
        index, into: FilePath(output.path), attempt: "1"
      ) { steps += 1 }
      #expect(steps == 1 && steps == pruned.stepCount(shard: index))
      let path = FilePath(output.path(shard.fileName))
      #expect(!SmallFile.exists(path), "it waits")
      try waiting.putInPlace()
      let bytes = try MappedFile(path: path)
      #expect(file.digest == Digest(hashing: bytes.bytes))
      let read = try SafetensorsFile(path: path)
      #expect(read.header.tensors.map(\.name) == shard.tensors.map(\.name))
      for tensor in shard.tensors {
        tensors[tensor.name] = read.tensor(tensor.name)!.float32Values()
      }
    }
    #expect(layout.shards.shards.count > 3)
    return { tensors[$0] }
  }
}

extension ModelShape {
  /// Elements of all tensors that a checkpoint has.
  fileprivate var elementCount: Int {
    tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }
}
