internal import FlapCore
internal import SystemPackage

/// An architecture of llama.cpp that models are written for (`LLM_ARCH_NAMES` in `llama-arch.cpp`).
enum Architecture: String {
  case llama, deci, qwen3
  case qwen3Moe = "qwen3moe"

  /// The one that computes what a model does.
  ///
  /// - Throws: ``GGUFError/noTarget(directory:reason:)`` where there is none.
  init(_ shape: ModelShape, _ directory: FilePath) throws {
    func refuse(_ reason: String) -> GGUFError {
      .noTarget(directory: directory.string, reason: reason)
    }
    guard !shape.hasReplacedExperts else {
      throw refuse("llama.cpp has no place for the means that stand for experts here")
    }
    if shape.normalizesQueriesAndKeys {
      guard shape.isUniform else { throw refuse(ModelFacts.noNormsReason) }
      guard shape.biases == Biases() else {
        throw refuse("llama.cpp's qwen3 has no biases, and this checkpoint has some")
      }
      guard let experts = shape.layers[0].experts else {
        self = .qwen3
        return
      }
      guard experts.normalizesGates else {
        throw refuse("llama.cpp's qwen3moe divides gates by their sum, and norm_topk_prob is false")
      }
      self = .qwen3Moe
      return
    }
    guard !shape.hasExperts || shape.isUniform else {
      throw refuse("llama.cpp has no architecture with experts and sizes per layer")
    }
    self = shape.isUniform ? .llama : .deci
  }

  /// Which channels of a head are rotated together.
  var rotatesPairs: Bool { self == .llama || self == .deci }
}
