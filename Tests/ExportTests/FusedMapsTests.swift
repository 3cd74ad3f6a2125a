import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Pruning
import Storage
import SystemPackage
import Testing
import Transformer

/// One model written twice, once with `qkv_proj` and `gate_up_proj` as Phi-3 has them: only the
/// table of a layer tells the two apart, and everything that is made from it comes out the same.
struct FusedMapsTests {
  let separate: Folder
  let fused: Folder
  let leaf: Leaf

  init() throws {
    let configuration = try ModelConfiguration(
      json: Array(
        """
        {"model_type": "llama", "hidden_size": 32, "intermediate_size": 40, "head_dim": 8,
         "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
         "vocab_size": 50, "hidden_act": "silu", "rms_norm_eps": 1e-05,
         "attention_bias": true, "mlp_bias": true}
        """.utf8), path: "")
    var generator = SeededGenerator(seed: 11)
    let shape = configuration.shape
    let values = Dictionary(
      uniqueKeysWithValues: shape.tensors.map { tensor in
        (
          tensor.name,
          (0..<tensor.shape.reduce(1, *)).map { _ in
            Float.random(in: -0.5...0.5, using: &generator)
          }
        )
      })
    separate = try Folder(configuration, shape) { values[$0, default: []] }
    var fusedShape = shape
    fusedShape.fusedMaps = FusedMaps(queryKeyValue: true, gateUp: true)
    fused = try Folder(configuration, fusedShape) { name in
      FusedMapsTests.parts(of: name).flatMap { values[$0, default: []] }
    }
    leaf = Leaf(
      tokens: (0..<22).map { _ in Int32.random(in: 0..<50, using: &generator) }, sampleCount: 2,
      tokensPerSample: 11)
  }

  @Test("the tensors of a layer have Phi-3's names, shapes and order")
  func names() {
    let names = fused.shape.tensors.filter { $0.name.contains("layers.0.") }.map {
      "\($0.name.dropFirst("model.layers.0.".count)) \($0.shape)"
    }
    #expect(
      names == [
        "input_layernorm.weight [32]", "self_attn.qkv_proj.weight [64, 32]",
        "self_attn.qkv_proj.bias [64]", "self_attn.o_proj.weight [32, 32]",
        "self_attn.o_proj.bias [32]", "post_attention_layernorm.weight [32]",
        "mlp.gate_up_proj.weight [80, 32]", "mlp.gate_up_proj.bias [80]",
        "mlp.down_proj.weight [32, 40]", "mlp.down_proj.bias [32]",
      ])
    #expect(fused.shape.parameterCount == separate.shape.parameterCount)
    #expect(fused.checkpoint.digest != separate.checkpoint.digest)
  }

  @Test("the same logits, bit for bit")
  func logits() throws {
    let expected = try logits(of: separate.checkpoint)
    #expect(expected.allSatisfy(\.isFinite) && Set(expected).count > 50)
    #expect(try logits(of: fused.checkpoint) == expected)
  }

  @Test("pruned, a fused tensor is the pruned ones of its maps, and the model the same")
  func pruned() throws {
    var plan = PruningPlan(keepingAllOf: separate.shape)
    plan.layers[0] = .init(
      keptGroups: [false, true], keptNeurons: (0..<40).map { $0 % 3 != 1 })
    plan.layers[1].keptNeurons = (0..<40).map { $0 > 16 }
    let expected = try prune(separate, plan)
    let found = try prune(fused, plan)
    for tensor in found.shape.tensors {
      let parts = try FusedMapsTests.parts(of: tensor.name).flatMap { try expected.values($0) }
      #expect(try found.values(tensor.name) == parts, "\(tensor.name)")
    }
    #expect(try logits(of: found.checkpoint) == logits(of: expected.checkpoint))

    // Left out of the dense model, as eval does it.
    let model = try llama(fused.checkpoint)
    model.pruning = ModelPruning(
      plan: plan, maps: try biases(of: expected).map { $0.map { PrunedMap(bias: $0) } })
    #expect(try model.logits(of: leaf) == logits(of: expected.checkpoint))
  }

  // MARK: Helpers

  /// A checkpoint that is read by a shape.
  struct Folder {
    let folder: TemporaryFolder
    let checkpoint: Checkpoint

    var shape: ModelShape { checkpoint.configuration.shape }

    init(
      _ configuration: ModelConfiguration, _ shape: ModelShape,
      values: (_ tensor: String) throws -> [Float]
    ) throws {
      folder = try TemporaryFolder()
      var writer = try SafetensorsWriter(
        destination: FilePath(folder.path("model.safetensors")),
        tensors: shape.tensors.map {
          TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
        })
      for tensor in shape.tensors {
        let values = try values(tensor.name)
        try values.withUnsafeBytes { try writer.append($0) }
      }
      _ = try writer.commit()
      var configuration = configuration
      configuration.shape = shape
      checkpoint = try Checkpoint(
        directory: FilePath(folder.path), configuration: configuration)
      try checkpoint.validate()
    }

    func values(_ name: String) throws -> [Float] {
      let tensor = try #require(shape.tensors.first { $0.name == name })
      return try checkpoint.tensor(name, shape: tensor.shape).float32Values()
    }
  }

  /// The tensors of the separate checkpoint that one of the fused has, in their order.
  private static func parts(of name: String) -> [String] {
    let modules =
      name.contains("qkv_proj")
      ? ["q_proj", "k_proj", "v_proj"].map { ("qkv_proj", $0) }
      : name.contains("gate_up_proj") ? ["gate_proj", "up_proj"].map { ("gate_up_proj", $0) } : []
    return modules.isEmpty ? [name] : modules.map { name.replacing($0.0, with: $0.1) }
  }

  private func llama(_ checkpoint: Checkpoint) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: .float32, threadCount: 2,
      limits: MicroBatchLimits(tokensPerSample: 11, samplesPerLeaf: 2, leavesPerMicroBatch: 1))
  }

  private func logits(of checkpoint: Checkpoint) throws -> [Float] {
    try llama(checkpoint).logits(of: leaf)
  }

  /// Channel c's mean is c ÷ 100.
  private func compensations(_ plan: PruningPlan) -> [PerTap<Compensation>] {
    separate.shape.layers.indices.map { layer in
      PerTap { tap in
        let kept = plan.keptChannels(layer: layer, tap: tap, shape: separate.shape)
        return Compensation(mean: kept.indices.map { Double($0) / 100 }, keptChannels: kept)
      }
    }
  }

  private func biases(of pruned: Folder) throws -> [PerTap<[Float]?>] {
    try pruned.shape.layers.indices.map { layer in
      try PerTap { tap in try pruned.values("\(tap.moduleName(layer: layer)).bias") }
    }
  }

  private func prune(_ dense: Folder, _ plan: PruningPlan) throws -> Folder {
    let layout = try PrunedLayout(
      dense: dense.checkpoint, plan: plan, isCompensated: true, maximumShardBytes: 1 << 20)
    let output = try TemporaryFolder()
    let pruned = PrunedCheckpoint(layout, compensations: compensations(plan))
    try pruned.writeShard(0, into: FilePath(output.path), attempt: "1") {}.0.putInPlace()
    let file = try SafetensorsFile(
      path: FilePath(output.path(layout.shards.shards[0].fileName)))
    return try Folder(
      dense.checkpoint.configuration,
      plan.prunedShape(of: dense.shape, compensating: true)
    ) { name in
      try #require(file.tensor(name)).float32Values()
    }
  }
}
