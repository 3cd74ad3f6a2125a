public import FlapCore

/// Why a forward pass stopped.
public enum TransformerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A token id that the embedding has no row for.
  case tokenOutsideVocabulary(token: Int32, vocabularySize: Int)
  /// An activation that is infinite or not a number; `sample` counts within the run.
  case nonFinite(layer: Int, tap: Tap, channel: Int, sample: Int)

  public var description: String {
    switch self {
    case .tokenOutsideVocabulary(let token, let size):
      "token id \(token) is outside the vocabulary of \(size): tokenize with this model's tokenizer"
    case .nonFinite(let layer, let tap, let channel, let sample):
      "the input of layer \(layer)'s \(tap.moduleName) is not finite (channel \(channel), sample "
        + "\(sample)): the weights are damaged, or the model overflows: try --compute f32"
    }
  }
}
