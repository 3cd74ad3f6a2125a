import Checkpoint
import FlapCore
import Foundation
import SystemPackage
import Transformer

/// A tiny checkpoint and what transformers computes with it (`make_golden.py`).
struct GoldenModel {
  static let names =
    [
      "mha-f32", "gqa-llama3-bf16", "linear-tied-f16", "biases-f32", "mistral-f32",
      "mistral-full-bf16", "qwen2-bf16", "qwen2-windows-f16", "qwen3-bf16", "qwen3-biases-f32",
      "phi3-f32", "phi3-windows-bf16", "smollm3-f32", "smollm3-windows-bf16", "gemma3-f32",
      "gemma3-capped-bf16", "granite-f32", "granite-biases-bf16", "olmo2-f32", "olmo2-bf16",
      "olmo3-f32", "olmo3-bf16",
    ] + scaledNames + mixtureNames

  /// Of a RoPE whose numbers depend on the original context, 16 or 24 tokens.
  static let scaledNames = [
    "qwen2-yarn-f32", "llama-yarn-f32", "qwen3-yarn-f32", "mistral-longrope-f32",
    "qwen2-longrope-f32", "phi3-longrope-f32", "gemma3-linear-f32", "olmo3-yarn-f32",
  ]

  /// With experts: in all layers or in the second, gates normalized or not.
  static let mixtureNames = [
    "qwen3-moe-f32", "qwen3-moe-dense-f32", "qwen3-moe-bf16", "qwen3-moe-ties-f32", "mixtral-f32",
  ]

  let checkpoint: Checkpoint
  private let golden: SafetensorsFile
  static let sampleCount = 3
  static let tokensPerSample = 37
  static let tokensPerShortSample = 12

  init(_ name: String) throws {
    let folder = Bundle.module.bundleURL.appending(path: "Golden/\(name)").path
    checkpoint = try Checkpoint(directory: FilePath(folder))
    golden = try SafetensorsFile(path: FilePath(folder + "/golden.safetensors"))
  }

  func values(_ name: String) -> [Double] { golden.tensor(name)!.float64Values() }

  var tokens: [Int32] { values("tokens").map { Int32($0) } }

  /// All samples in one leaf.
  var leaf: Leaf { leaf(0..<GoldenModel.sampleCount) }

  /// The beginning of every sample.
  var shortLeaf: Leaf {
    let width = GoldenModel.tokensPerShortSample
    let tokens = (0..<GoldenModel.sampleCount).flatMap { sample in
      self.tokens.dropFirst(sample * GoldenModel.tokensPerSample).prefix(width)
    }
    return Leaf(
      tokens: tokens, sampleCount: GoldenModel.sampleCount, tokensPerSample: width)
  }

  func leaf(_ samples: Range<Int>) -> Leaf {
    let width = GoldenModel.tokensPerSample
    return Leaf(
      tokens: Array(tokens[samples.lowerBound * width..<samples.upperBound * width]),
      sampleCount: samples.count, tokensPerSample: width)
  }

  func model(
    _ compute: ComputeType, threads: Int = 1, lanes: Int? = nil, leaves: Int = 1
  ) throws -> Llama {
    try Llama(
      checkpoint: checkpoint, compute: compute, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: GoldenModel.tokensPerSample, samplesPerLeaf: GoldenModel.sampleCount,
        leavesPerMicroBatch: leaves))
  }
}

/// The largest difference, as a share of the largest expected value.
func largestError(_ values: some Collection<Double>, _ expected: [Double]) -> Double {
  let scale = expected.map(abs).max() ?? 1
  return zip(values, expected).map { abs($0 - $1) }.max()! / scale
}
