/// Which windows of a text become samples.
public struct TextSampling: Hashable, Sendable {
  public enum Order: Hashable, Sendable {
    /// Windows within a text: the text drawn evenly among those long enough, the place within it
    /// evenly too, as FLAP's published code draws from C4 (and from WikiText, a single text).
    /// Other than there, no window is drawn twice.
    case random(seed: UInt64)
    /// One window after another over all texts in a row, as perplexity is measured.
    case consecutive
  }

  public var order: Order
  /// Windows wanted; nil: all that there are, for consecutive ones only.
  public var sampleCount: Int?
  /// Tokens of a window.
  public var tokensPerSample: Int
  /// The key of the text in a line of JSON.
  public var textField: String

  /// - Precondition: counts are positive; random sampling has a sample count.
  public init(
    order: Order, sampleCount: Int?, tokensPerSample: Int, textField: String = "text"
  ) {
    precondition(tokensPerSample > 0 && sampleCount ?? 1 > 0)
    precondition(sampleCount != nil || order == .consecutive)
    self.order = order
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    self.textField = textField
  }

  var isRandom: Bool { order != .consecutive }
}
