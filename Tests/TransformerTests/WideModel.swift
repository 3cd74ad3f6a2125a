import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Kernels
import SystemPackage
import Transformer

/// A checkpoint of three layers with random weights, whose vocabulary is compared in sections.
struct WideModel {
  let folder: TemporaryFolder
  let checkpoint: Checkpoint
  static let vocabularySize = 2500
  static let tokensPerSample = 21

  /// - Parameter neurons: the more of a layer, the more tokens of the vocabulary are packed at once.
  init(neurons: Int) throws {
    let configuration = """
      {"model_type": "llama", "hidden_size": 32, "intermediate_size": \(neurons), "head_dim": 8,
       "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
       "vocab_size": \(WideModel.vocabularySize), "hidden_act": "silu", "rms_norm_eps": 1e-05}
      """
    folder = try TemporaryFolder()
    try folder.write(Array(configuration.utf8), to: "config.json")
    let shape = try ModelConfiguration(json: Array(configuration.utf8), path: "").shape
    var generator = SeededGenerator(seed: 17)
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: shape.tensors.map {
        TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
      })
    for tensor in shape.tensors {
      let values = (0..<tensor.shape.reduce(1, *)).map { _ in
        Float.random(in: -0.5...0.5, using: &generator)
      }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
    checkpoint = try Checkpoint(directory: FilePath(folder.path))
  }

  var shape: ModelShape { checkpoint.configuration.shape }

  /// Leaves of one sample to three.
  var leaves: [Leaf] {
    var generator = SeededGenerator(seed: 18)
    return [2, 3, 1, 1, 3].map { sampleCount in
      Leaf(
        tokens: (0..<sampleCount * WideModel.tokensPerSample).map { _ in
          Int32.random(in: 0..<Int32(WideModel.vocabularySize), using: &generator)
        }, sampleCount: sampleCount, tokensPerSample: WideModel.tokensPerSample)
    }
  }

  func model(
    _ compute: ComputeType, threads: Int = 1, lanes: Int? = nil, leaves: Int = 2
  ) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: compute, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: WideModel.tokensPerSample, samplesPerLeaf: 3, leavesPerMicroBatch: leaves)
    )
  }

  /// Layer 1 without a group and some neurons, what reads them fitted anew; layer 2 without some.
  func pruning() throws -> ModelPruning {
    var plan = PruningPlan(keepingAllOf: shape)
    let neurons = shape.layers[1].intermediateSize
    plan.layers[1] = .init(
      keptGroups: [false, true], keptNeurons: (0..<neurons).map { $0 % 3 != 1 })
    plan.layers[2].keptNeurons = (0..<neurons).map { $0 > 16 }
    var maps = shape.layers.map { _ in PerTap<PrunedMap?>(attentionOutput: nil, mlpDown: nil) }
    for (layer, tap) in [(1, Tap.attentionOutput), (1, .mlpDown), (2, .mlpDown)] {
      let columns = plan.keptChannels(layer: layer, tap: tap, shape: shape).count { $0 }
      maps[layer][tap] = PrunedMap(
        bias: (0..<shape.hiddenSize).map { Float($0) / 100 },
        weight: try FittedWeight(rows: shape.hiddenSize, columns: columns) { row, values in
          var generator = SeededGenerator(seed: UInt64(1000 * layer + row))
          for column in 0..<columns {
            values[column] = Float.random(in: -0.5...0.5, using: &generator)
          }
        })
    }
    return ModelPruning(plan: plan, maps: maps)
  }
}
