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
  /// Tokens from the beginning of a consecutive window to that of the next.
  public var stride: Int
  /// The key of the text in a JSON object, or the column of it in a table.
  public var textField: String
  /// Whether CR LF and CR of plain text stay what they are; else they are read as LF.
  public var keepsLineEnds: Bool

  /// - Parameter stride: nil: windows do not overlap.
  /// - Precondition: counts are positive; random sampling has a sample count; a stride is no longer
  ///   than a window.
  public init(
    order: Order, sampleCount: Int?, tokensPerSample: Int, stride: Int? = nil,
    textField: String = "text", keepsLineEnds: Bool = false
  ) {
    precondition(tokensPerSample > 0 && sampleCount ?? 1 > 0)
    precondition((1...tokensPerSample).contains(stride ?? tokensPerSample))
    precondition(sampleCount != nil || order == .consecutive)
    self.order = order
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    self.stride = stride ?? tokensPerSample
    self.textField = textField
    self.keepsLineEnds = keepsLineEnds
  }

  var isRandom: Bool { order != .consecutive }
}
