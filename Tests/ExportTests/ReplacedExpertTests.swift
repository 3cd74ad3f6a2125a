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

/// A mixture written with means in the places of some of its experts.
struct ReplacedExpertTests {
  private let dense: FusedMapsTests.Folder
  private let values: [String: [Float]]
  private let leaf: Leaf

  init() throws {
    let configuration = try ModelConfiguration(
      json: Array(
        """
        {"model_type": "mixtral", "hidden_size": 32, "intermediate_size": 12, "head_dim": 8,
         "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
         "vocab_size": 50, "hidden_act": "silu", "rms_norm_eps": 1e-05,
         "num_local_experts": 6, "num_experts_per_tok": 2}
        """.utf8), path: "")
    var generator = SeededGenerator(seed: 21)
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
    plan.layers[1].remove(experts: [1, 4])
    for layer in plan.layers.indices { plan.layers[layer].replacesExperts = true }
    return plan
  }

  /// No f32: a writer rounds them.
  private let means: [[[Double]]] = (0..<2).map { layer in
    (0..<2).map { place in
      let scale = Double(30 * (layer + place) + 7)
      return (0..<32).map { Double($0 - 16) / scale }
    }
  }

  private func llama(_ checkpoint: Checkpoint) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: .float32, threadCount: 2,
      limits: MicroBatchLimits(tokensPerSample: 11, samplesPerLeaf: 2, leavesPerMicroBatch: 1))
  }

  private var pruned: PrunedCheckpoint {
    get throws {
      let layout = try PrunedLayout(
        dense: dense.checkpoint, plan: plan, isCompensated: false, maximumShardBytes: 1 << 20)
      return PrunedCheckpoint(layout, expertMeans: means)
    }
  }

  /// The files of a pruned checkpoint, as a run leaves them.
  private func write() throws -> (TemporaryFolder, Checkpoint) {
    let output = try TemporaryFolder()
    let path = FilePath(output.path)
    try pruned.writeShard(0, into: path, attempt: "1") {}.0.putInPlace()
    _ = try output.write(
      PrunedConfiguration.json(
        dense: dense.checkpoint.configuration, plan: plan, compensating: false),
      to: "config.json")
    let checkpoint = try Checkpoint(directory: path)
    try checkpoint.validate()
    return (output, checkpoint)
  }

  @Test("experts that stay keep their numbers and bits, the router all of its rows")
  func written() throws {
    let (output, checkpoint) = try write()
    defer { withExtendedLifetime(output) {} }
    let shape = plan.prunedShape(of: dense.shape, compensating: false)
    #expect(checkpoint.configuration.modelType == "flap_mixtral")
    #expect(checkpoint.configuration.shape == shape)
    #expect(shape.layers[0].experts?.replaced == [0, 3])
    #expect(checkpoint.tensorNames == shape.tensors.map(\.name).sorted())
    #expect(checkpoint.digest != dense.checkpoint.digest)
    for tensor in shape.tensors where !tensor.name.hasSuffix("mean") {
      #expect(
        try checkpoint.tensor(tensor.name, shape: tensor.shape).float32Values()
          == values[tensor.name], "\(tensor.name)")
    }
    #expect(
      try checkpoint.tensor("model.layers.1.block_sparse_moe.experts.4.mean", shape: [32])
        .float32Values() == means[1][1].map { Float($0) })
  }

  @Test("put into the dense model, means make the same bits; zeros are an expert without outputs")
  func evaluated() throws {
    let (output, checkpoint) = try write()
    defer { withExtendedLifetime(output) {} }
    let expected = try llama(checkpoint).logits(of: leaf)
    let model = try llama(dense.checkpoint)
    let whole = try model.logits(of: leaf)
    let maps: [PerTap<PrunedMap?>] = plan.layers.map { _ in PerTap { _ in nil } }
    let written = try pruned
    model.pruning = ModelPruning(
      plan: plan, maps: maps, expertMeans: [0, 1].map { written.meanValues(layer: $0) })
    #expect(try model.logits(of: leaf) == expected)
    #expect(expected.allSatisfy(\.isFinite) && expected != whole)

    model.pruning = ModelPruning(
      plan: plan, maps: maps,
      expertMeans: plan.layers.map { layer in
        Dictionary(
          uniqueKeysWithValues: layer.removedExperts.map {
            ($0, Array(repeating: Float(0), count: 32))
          })
      })
    let silent = try FusedMapsTests.Folder(
      dense.checkpoint.configuration, dense.shape
    ) { name in
      let isGone = [(0, 0), (0, 3), (1, 1), (1, 4)].contains { layer, expert in
        name == "model.layers.\(layer).block_sparse_moe.experts.\(expert).w2.weight"
      }
      return values[name]!.map { isGone ? 0 : $0 }
    }
    #expect(try model.logits(of: leaf) == llama(silent.checkpoint).logits(of: leaf))
  }

  @Test("a plan that replaces, and the sums of outputs, come back from their files")
  func files() throws {
    let folder = try TemporaryFolder()
    let digest = Digest(hashing: [1])
    let path = FilePath(folder.path("plan.safetensors"))
    try PlanFile(
      plan: plan, metric: "REAP", structure: "experts", ratioAsked: 0.2, ratioReached: 0.21,
      shape: dense.shape, modelDigest: digest, dataDigest: digest
    ).write(to: path)
    #expect(try PlanFile(path: path).plan == plan)
    let metadata = try SafetensorsFile(path: path).header.metadata
    #expect(metadata["replaces_experts"] == "true")
    #expect(metadata["shape"]?.contains("replaced") == false)
  }

  @Test("fields that name no experts are refused")
  func refused() throws {
    let json = String(decoding: dense.checkpoint.configuration.json, as: UTF8.self)
    func read(_ replaced: String) throws -> ModelConfiguration {
      try ModelConfiguration(
        json: Array(
          json.replacing(
            "\"num_experts_per_tok\"",
            with: "\"flap_replaced_experts\": \(replaced), \"num_experts_per_tok\""
          ).utf8),
        path: "")
    }
    #expect(
      try read(#"{"01": [0, 5]}"#).shape.layers.map { $0.experts?.replaced } == [[], [0, 5]])
    for wrong in [
      #"{"2": [0]}"#, #"{"0": [6]}"#, #"{"0": [1, 1]}"#, #"{"0": [2, 1]}"#, #"{"0": [-1]}"#,
      #"{"0": [0.5]}"#, #"{"0": [0, 1, 2, 3, 4, 5]}"#, #"{"x": [0]}"#, #"{"0": 1}"#, "[0]",
    ] {
      #expect(throws: ConfigurationError.self, "\(wrong)") { try read(wrong) }
    }
  }
}
