import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Pruning
import Statistics
import Storage
import SystemPackage
import Testing
import Transformer

/// A mixture of experts, written whole and without some of them.
struct MixtureTests {
  private let dense: FusedMapsTests.Folder
  private let values: [String: [Float]]
  private let leaf: Leaf

  init() throws {
    let configuration = try ModelConfiguration(
      json: Array(
        """
        {"model_type": "qwen3_moe", "hidden_size": 32, "intermediate_size": 40, "head_dim": 8,
         "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "vocab_size": 50, "hidden_act": "silu", "rms_norm_eps": 1e-05, "mlp_only_layers": [1],
         "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
         "norm_topk_prob": true}
        """.utf8), path: "")
    var generator = SeededGenerator(seed: 12)
    let values = Dictionary(
      uniqueKeysWithValues: configuration.shape.tensors.map { tensor in
        (
          tensor.name,
          (0..<tensor.shape.reduce(1, *)).map { _ in
            Float.random(in: -0.5...0.5, using: &generator)
          }
        )
      })
    self.values = values
    dense = try FusedMapsTests.Folder(configuration, configuration.shape) { values[$0]! }
    leaf = Leaf(
      tokens: (0..<22).map { _ in Int32.random(in: 0..<50, using: &generator) }, sampleCount: 2,
      tokensPerSample: 11)
  }

  private var plan: PruningPlan {
    var plan = PruningPlan(keepingAllOf: dense.shape)
    plan.layers[0].remove(experts: [0, 3])
    plan.layers[2].remove(experts: [1, 4])
    return plan
  }

  private func llama(_ checkpoint: Checkpoint) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: .float32, threadCount: 2,
      limits: MicroBatchLimits(tokensPerSample: 11, samplesPerLeaf: 2, leavesPerMicroBatch: 1))
  }

  /// The files of a pruned checkpoint, as a run leaves them.
  private func write(_ dense: Checkpoint) throws -> (TemporaryFolder, Checkpoint) {
    let layout = try PrunedLayout(
      dense: dense, plan: plan, isCompensated: false, maximumShardBytes: 1 << 20, isUniform: true)
    let output = try TemporaryFolder()
    let path = FilePath(output.path)
    try PrunedCheckpoint(layout).writeShard(0, into: path, attempt: "1") {}.0.putInPlace()
    _ = try output.write(
      PrunedConfiguration.transformersJSON(
        dense: dense.configuration, plan: plan, compensating: false), to: "config.json")
    let checkpoint = try Checkpoint(directory: path)
    try checkpoint.validate()
    return (output, checkpoint)
  }

  @Test("what is left has its own numbers, the dense one's bits, and its class's configuration")
  func pruned() throws {
    let (output, checkpoint) = try write(dense.checkpoint)
    defer { withExtendedLifetime(output) {} }
    #expect(checkpoint.configuration.modelType == "qwen3_moe")
    #expect(
      checkpoint.configuration.shape == plan.prunedShape(of: dense.shape, compensating: false))
    #expect(checkpoint.tensorNames == checkpoint.configuration.shape.tensors.map(\.name).sorted())
    for (new, old) in [(0, 1), (1, 2), (2, 4), (3, 5)] {
      for map in ["gate_proj", "up_proj", "down_proj"] {
        let name = "model.layers.0.mlp.experts.\(new).\(map).weight"
        let shape = map == "down_proj" ? [32, 12] : [12, 32]
        #expect(
          try checkpoint.tensor(name, shape: shape).float32Values()
            == values["model.layers.0.mlp.experts.\(old).\(map).weight"], "\(name)")
      }
    }
    let router = try #require(values["model.layers.2.mlp.gate.weight"])
    #expect(
      try checkpoint.tensor("model.layers.2.mlp.gate.weight", shape: [4, 32]).float32Values()
        == [0, 2, 3, 5].flatMap { router[$0 * 32..<($0 + 1) * 32] })
    #expect(
      try checkpoint.tensor("model.layers.1.mlp.gate_proj.weight", shape: [40, 32])
        .float32Values() == values["model.layers.1.mlp.gate_proj.weight"])
  }

  /// Half of the neurons of the experts that stay, others of each, and a group of heads.
  private var narrowed: PruningPlan {
    var plan = plan
    for layer in [0, 2] {
      for expert in 0..<6 where plan.layers[layer].keptExperts[expert] {
        for neuron in 0..<12 where (neuron + expert) % 2 == 0 {
          plan.layers[layer].keptNeurons[expert * 12 + neuron] = false
        }
      }
    }
    plan.layers[1].keptGroups[0] = false
    return plan
  }

  @Test(
    "what goes of an expert leaves its mean in a bias, and the written model is the evaluated one")
  func narrow() throws {
    let plan = narrowed
    let layout = try PrunedLayout(
      dense: dense.checkpoint, plan: plan, isCompensated: true, maximumShardBytes: 1 << 20)
    let mean = { (channel: Int) in Double(channel % 7) / 4 - 0.5 }
    let compensations = plan.layers.indices.map { layer in
      PerTap { tap in
        Compensation(
          mean: (0..<dense.shape.channelCount(layer: layer, tap: tap)).map(mean),
          keptChannels: plan.channelsWithoutBias(layer: layer, tap: tap, shape: dense.shape))
      }
    }
    // Nothing of the two experts that go.
    #expect(compensations[0].mlpDown.prunedChannels.count == 4 * 6)
    let pruned = PrunedCheckpoint(layout, compensations: compensations)
    let output = try TemporaryFolder()
    let path = FilePath(output.path)
    try pruned.writeShard(0, into: path, attempt: "1") {}.0.putInPlace()
    _ = try output.write(
      PrunedConfiguration.json(
        dense: dense.checkpoint.configuration, plan: plan, compensating: true), to: "config.json")
    let checkpoint = try Checkpoint(directory: path)
    try checkpoint.validate()
    #expect(checkpoint.configuration.shape == plan.prunedShape(of: dense.shape))
    #expect(checkpoint.tensorNames == checkpoint.configuration.shape.tensors.map(\.name).sorted())

    // The third expert of the first layer was the fifth.
    let weight = try #require(values["model.layers.0.mlp.experts.4.down_proj.weight"])
    let kept = (0..<12).filter { $0 % 2 == 1 }
    #expect(
      try checkpoint.tensor("model.layers.0.mlp.experts.2.down_proj.weight", shape: [32, 6])
        .float32Values() == (0..<32).flatMap { row in kept.map { weight[row * 12 + $0] } })
    let bias = try checkpoint.tensor("model.layers.0.mlp.experts.2.down_proj.bias", shape: [32])
      .float32Values()
    for row in 0..<32 {
      let expected = stride(from: 0, to: 12, by: 2).reduce(0) {
        $0 + Double(weight[row * 12 + $1]) * mean(4 * 12 + $1)
      }
      #expect(abs(Double(bias[row]) - expected) < 1e-6)
    }

    let expected = try llama(checkpoint).logits(of: leaf)
    let model = try llama(dense.checkpoint)
    model.pruning = ModelPruning(
      plan: plan,
      maps: try plan.layers.indices.map { layer in
        try PerTap { tap in
          guard tap == .attentionOutput || layer == 1 else { return nil }
          return PrunedMap(bias: try pruned.biasValues(layer: layer, tap))
        }
      },
      expertMaps: try plan.layers.indices.map { layer in
        let kept = plan.layers[layer].keptExperts
        return Dictionary(
          uniqueKeysWithValues: try kept.indices.filter { kept[$0] }.map {
            ($0, PrunedMap(bias: try pruned.biasValues(layer: layer, .mlpDown, expert: $0)))
          })
      })
    #expect(try model.logits(of: leaf) == expected)
    let isFinite = expected.allSatisfy(\.isFinite)
    #expect(isFinite)
  }

  @Test("what transformers 5 takes only with a point has one")
  func fractions() throws {
    var configuration = dense.checkpoint.configuration
    configuration = try ModelConfiguration(
      json: Array(
        String(decoding: configuration.json, as: UTF8.self)
          .replacing(
            "\"norm_topk_prob\"",
            with: """
              "router_jitter_noise": 0.0, "initializer_range": 1.0, "router_aux_loss_coef": 0.001,
              "attention_dropout": 0.0, "norm_topk_prob"
              """
          ).utf8), path: "")
    let json = try PrunedConfiguration.transformersJSON(
      dense: configuration, plan: plan, compensating: false)
    let lines = String(decoding: json, as: UTF8.self).split(separator: "\n")
    for line in [
      "  \"router_jitter_noise\" : 0.0,", "  \"initializer_range\" : 1.0,",
      "  \"router_aux_loss_coef\" : 0.001,", "  \"attention_dropout\" : 0,",
    ] {
      #expect(lines.contains { $0 == line }, "\(line)")
    }
  }

  @Test("left out of the dense model it computes the same bits")
  func evaluated() throws {
    let (output, checkpoint) = try write(dense.checkpoint)
    defer { withExtendedLifetime(output) {} }
    let expected = try llama(checkpoint).logits(of: leaf)
    let model = try llama(dense.checkpoint)
    let whole = try model.logits(of: leaf)
    model.pruning = ModelPruning(
      plan: plan, maps: plan.layers.map { _ in PerTap { _ in nil } })
    #expect(try model.logits(of: leaf) == expected)
    #expect(expected.allSatisfy(\.isFinite) && expected != whole)
  }

  @Test("experts that lie in one tensor are the same model, and leave the same")
  func fused() throws {
    let folder = try TemporaryFolder()
    let shape = dense.shape
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    for tensor in shape.tensors where !tensor.name.contains(".experts.") {
      tensors.append((tensor.name, tensor.shape, values[tensor.name]!))
    }
    for layer in [0, 2] {
      func experts(_ maps: String...) -> [Float] {
        (0..<6).flatMap { expert in
          maps.flatMap { values["model.layers.\(layer).mlp.experts.\(expert).\($0).weight"]! }
        }
      }
      let name = "model.layers.\(layer).mlp.experts"
      tensors.append(("\(name).gate_up_proj", [6, 24, 32], experts("gate_proj", "up_proj")))
      tensors.append(("\(name).down_proj", [6, 32, 12], experts("down_proj")))
    }
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: tensors.map {
        TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
      })
    for tensor in tensors { try tensor.values.withUnsafeBytes { try writer.append($0) } }
    _ = try writer.commit()
    let fused = try Checkpoint(
      directory: FilePath(folder.path), configuration: dense.checkpoint.configuration)
    try fused.validate()
    #expect(fused.notes.isEmpty, "\(fused.notes)")
    #expect(try llama(fused).logits(of: leaf) == llama(dense.checkpoint).logits(of: leaf))
    let (first, _) = try write(dense.checkpoint)
    let (second, _) = try write(fused)
    #expect(
      try SmallFile.digest(FilePath(first.path("model.safetensors")))
        == SmallFile.digest(FilePath(second.path("model.safetensors"))))
    // Checksums are of the tensors that the files have.
    #expect(fused.checksum("model.layers.0.mlp.experts.3.up_proj.weight") != nil)
    #expect(
      fused.checksum("model.layers.0.mlp.experts.3.up_proj.weight")
        == fused.checksum("model.layers.0.mlp.experts.gate_up_proj"))
  }

  @Test("a router that is missing is named")
  func missingRouter() throws {
    let folder = try TemporaryFolder()
    let names = dense.shape.tensors.filter { $0.name != "model.layers.2.mlp.gate.weight" }
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: names.map {
        TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
      })
    for tensor in names { try values[tensor.name]!.withUnsafeBytes { try writer.append($0) } }
    _ = try writer.commit()
    let checkpoint = try Checkpoint(
      directory: FilePath(folder.path), configuration: dense.checkpoint.configuration)
    let error = #expect(throws: CheckpointError.self) { try checkpoint.validate() }
    #expect("\(error!)".contains("model.layers.2.mlp.gate.weight"), "\(error!)")
  }

  @Test("plans and statistics of experts come back from their files")
  func files() throws {
    let folder = try TemporaryFolder()
    let digest = Digest(hashing: [1])
    let path = FilePath(folder.path("plan.safetensors"))
    try PlanFile(
      plan: plan, metric: "REAP", structure: "experts", ratioAsked: 0.2, ratioReached: 0.21,
      shape: dense.shape, modelDigest: digest, dataDigest: digest, isUniform: true
    ).write(to: path)
    let read = try PlanFile(path: path)
    #expect(read.plan == plan && read.shape == dense.shape)

    var statistics = ModelStatistics(sampleCount: 2)
    func moments(_ count: Int) -> ChannelMoments {
      ChannelMoments(
        count: 22, mean: (0..<count).map(Double.init), m2: (0..<count).map(Double.init))
    }
    func norms(_ count: Int) -> WeightNorms {
      WeightNorms(
        squareSum: (0..<count).map(Double.init), absoluteMean: (0..<count).map(Double.init))
    }
    let none = ExpertActivity(counts: [], gateSums: [], normSums: [], gatedNormSums: [])
    let activity = ExpertActivity(
      counts: [9, 0, 1, 3, 20, 11], gateSums: [1, 0, 2, 3, 4, 5], normSums: [6, 0, 7, 8, 9, 10],
      gatedNormSums: [1, 0, 1, 1, 1, 2])
    statistics[ChannelMoments.self] = [0, 40, 0].map {
      PerTap(attentionOutput: moments(32), mlpDown: moments($0))
    }
    statistics[WeightNorms.self] = [72, 40, 72].map {
      PerTap(attentionOutput: norms(32), mlpDown: norms($0))
    }
    statistics[ExpertActivity.self] = [activity, none, activity].map {
      PerTap(attentionOutput: none, mlpDown: $0)
    }
    let file = FilePath(folder.path("statistics.safetensors"))
    try StatisticsFile(
      statistics: statistics, shape: dense.shape, modelDigest: digest, dataDigest: digest,
      compute: .float32
    ).write(to: file)
    let back = try StatisticsFile(path: file).statistics
    #expect(back[ExpertActivity.self] == statistics[ExpertActivity.self])
    #expect(back[ChannelMoments.self] == statistics[ChannelMoments.self])
    #expect(back[WeightNorms.self] == statistics[WeightNorms.self])
    let names = try SafetensorsFile(path: file).header.tensors.map(\.name)
    #expect(names.filter { $0.contains("expert_count") }.count == 2)
    #expect(!names.contains("model.layers.0.mlp.down_proj.input_mean"))
  }
}
