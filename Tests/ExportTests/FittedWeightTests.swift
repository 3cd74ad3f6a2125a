import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Kernels
import Pruning
import Storage
import SystemPackage
import Testing
import Transformer

/// Fitted weights: run as if they were written, and written, they are the same model.
struct FittedWeightTests {
  /// Of two layers, with biases at `o_proj` and none at `down_proj`.
  private static let configuration = """
    {"model_type": "llama", "hidden_size": 32, "intermediate_size": 40, "head_dim": 8,
     "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
     "vocab_size": 50, "hidden_act": "silu", "rms_norm_eps": 1e-05, "attention_bias": true}
    """

  /// Numbers that no type of weights holds as they are.
  private struct Fits: FittedMaps {
    let plan: PruningPlan
    let shape: ModelShape
    let type: ElementType

    func fit(layer: Int, _ tap: Tap, expert: Int?) throws -> FittedMap? {
      let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape)
      guard kept.contains(false) else { return nil }
      let columns = kept.count { $0 }
      let weight = try FittedWeight(elementType: type, rows: shape.hiddenSize, columns: columns) {
        row, values in
        var generator = SeededGenerator(seed: UInt64(1000 * layer + row))
        for column in 0..<columns {
          values[column] = Float.random(in: -0.5...0.5, using: &generator)
        }
      }
      let bias = (0..<shape.hiddenSize).map { Double($0) / 30 + Double(layer) }
      return FittedMap(weight: weight, bias: bias, ridge: 1e-3)
    }
  }

  @Test(
    "a pass with fitted weights has the bits of one over the checkpoint that has them",
    arguments: [ElementType.bfloat16, .float16, .float32], ComputeType.allCases)
  func pruned(type: ElementType, compute: ComputeType) throws {
    let configuration = try ModelConfiguration(
      json: Array(FittedWeightTests.configuration.utf8), path: "")
    let shape = configuration.shape
    var generator = SeededGenerator(seed: 11)
    let leaf = Leaf(
      tokens: (0..<22).map { _ in Int32.random(in: 0..<50, using: &generator) }, sampleCount: 2,
      tokensPerSample: 11)
    let dense = try folder(configuration) { tensor in
      let values = (0..<tensor.shape.reduce(1, *)).map { _ in
        Float.random(in: -0.5...0.5, using: &generator)
      }
      return (type, encode(values, type))
    }
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[0] = .init(
      keptGroups: [false, true], keptNeurons: (0..<40).map { $0 % 3 != 1 })
    plan.layers[1].keptNeurons = (0..<40).map { $0 > 16 }
    let layout = try PrunedLayout(
      dense: dense.checkpoint, plan: plan, isCompensated: true, maximumShardBytes: 1 << 20)
    let compensations = shape.layers.indices.map { layer in
      PerTap { tap in
        let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape)
        return Compensation(mean: kept.map { $0 ? 0 : 1 }, keptChannels: kept)
      }
    }
    let pruned = PrunedCheckpoint(
      layout, compensations: compensations, fits: Fits(plan: plan, shape: shape, type: type))
    let output = try TemporaryFolder()
    try pruned.writeShard(0, into: FilePath(output.path), attempt: "1") {}.0.putInPlace()
    let file = try SafetensorsFile(path: FilePath(output.path(layout.shards.shards[0].fileName)))
    var prunedConfiguration = configuration
    prunedConfiguration.shape = plan.prunedShape(of: shape, compensating: true)
    let written = try folder(prunedConfiguration) { tensor in
      let view = try #require(file.tensor(tensor.name))
      return (view.elementType, Array(view.bytes))
    }
    let expected = try llama(written.checkpoint, compute).logits(of: leaf)
    #expect(expected.allSatisfy(\.isFinite) && Set(expected).count > 50)

    let model = try llama(dense.checkpoint, compute)
    let unpruned = try model.logits(of: leaf)
    model.pruning = ModelPruning(plan: plan, maps: try maps(pruned, shape))
    #expect(try model.logits(of: leaf) == expected)
    #expect(unpruned != expected)
    model.pruning = nil
    #expect(try model.logits(of: leaf) == unpruned, "the dense model is left as it was")
  }

  /// As a worker takes them for `eval`.
  private func maps(_ pruned: PrunedCheckpoint, _ shape: ModelShape) throws -> [PerTap<PrunedMap?>]
  {
    var fittedCount = 0
    let maps = try shape.layers.indices.map { layer in
      try PerTap { tap -> PrunedMap? in
        let weight = try pruned.fittedWeight(layer: layer, tap)
        if weight != nil { fittedCount += 1 }
        return PrunedMap(bias: try pruned.biasValues(layer: layer, tap), weight: weight)
      }
    }
    // All of layer 1's attention stays.
    #expect(fittedCount == 3)
    return maps
  }

  private func llama(_ checkpoint: Checkpoint, _ compute: ComputeType) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: compute, threadCount: 2,
      limits: MicroBatchLimits(tokensPerSample: 11, samplesPerLeaf: 2, leavesPerMicroBatch: 1))
  }

  private func folder(
    _ configuration: ModelConfiguration,
    _ tensor: (ModelTensor) throws -> (type: ElementType, bytes: [UInt8])
  ) throws -> (folder: TemporaryFolder, checkpoint: Checkpoint) {
    let folder = try TemporaryFolder()
    let shapes = configuration.shape.tensors
    let contents = try shapes.map { try tensor($0) }
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: zip(shapes, contents).map {
        TensorDeclaration(name: $0.name, elementType: $1.type, shape: $0.shape)
      })
    for content in contents { try content.bytes.withUnsafeBytes { try writer.append($0) } }
    _ = try writer.commit()
    let checkpoint = try Checkpoint(
      directory: FilePath(folder.path), configuration: configuration)
    return (folder, checkpoint)
  }

  private func encode(_ values: [Float], _ type: ElementType) -> [UInt8] {
    func bytes<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] {
      withUnsafeBytes(of: word.littleEndian) { Array($0) }
    }
    return switch type {
    case .bfloat16: values.flatMap { bytes($0.bfloat16Bits) }
    case .float16: values.flatMap { bytes(Float16($0).bitPattern) }
    default: values.flatMap { bytes($0.bitPattern) }
    }
  }
}
