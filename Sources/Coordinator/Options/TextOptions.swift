/// How samples are taken from text; token ids in a `.npy` are taken as they are.
public struct TextOptions: Sendable {
  /// nil: random to calibrate, consecutive to evaluate.
  public var order: SamplingOrder?
  /// Tokens of a sample; nil: 128, as in the paper.
  public var sequenceLength: Int?
  /// Of the random order; nil: 0.
  public var seed: UInt64?
  /// The key of the text in a line of JSON; nil: `text`.
  public var field: String?

  public init() {}
}

public enum SamplingOrder: String, Sendable, CaseIterable {
  case random
  case consecutive
}
