public import FlapCore

/// Why a forward pass stopped.
public enum TransformerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A token id that the embedding has no row for.
  case tokenOutsideVocabulary(token: Int32, vocabularySize: Int)
  /// An activation that is infinite or not a number; `sample` counts within the run.
  case nonFinite(layer: Int, tap: Tap, channel: Int, sample: Int)
  /// A logit that is; `tensor` is where one such number stands, nil where none does.
  case nonFiniteOutput(tensor: String?, sample: Int)

  public var description: String {
    switch self {
    case .tokenOutsideVocabulary(let token, let size):
      "token id \(token) is outside the vocabulary of \(size): tokenize with this model's tokenizer"
    case .nonFiniteOutput(let tensor?, let sample):
      "\(tensor) holds a number that is not finite, and so the model's output is none (sample "
        + "\(sample)): the weights are damaged, copy or download them again"
    case .nonFiniteOutput(nil, let sample):
      "the model's output is not finite (sample \(sample)): the model overflows, try --compute f32"
    case .nonFinite(let layer, let tap, let channel, let sample):
      "the input of layer \(layer)'s \(tap.moduleName) is not finite (channel \(channel), sample "
        + "\(sample)): the weights are damaged, or the model overflows: try --compute f32"
    }
  }
}
