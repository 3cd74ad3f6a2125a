/// Rotary position embedding (RoFormer, arXiv 2104.09864) as `rope_theta` and `rope_scaling` say.
public struct RotaryEmbedding: Hashable, Sendable {
  public enum Scaling: Hashable, Sendable {
    case none
    /// All frequencies divided by `factor` (`rope_type` "linear").
    case linear(factor: Double)
    /// Low frequencies divided by `factor`, high ones kept, those between interpolated
    /// (`rope_type` "llama3", Llama 3.1).
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalContextLength: Int)
    /// `rope_type` "yarn".
    case yarn(YarnScaling)
    /// `rope_type` "longrope".
    case longRope(LongRopeScaling)
  }

  /// `rope_theta`: the base of the geometric series of wavelengths.
  public var theta: Double
  public var scaling: Scaling
  /// Channels at the beginning of each head that are turned, an even number
  /// (`partial_rotary_factor`); nil: all.
  public var rotatedDimension: Int?

  public init(theta: Double, scaling: Scaling = .none, rotatedDimension: Int? = nil) {
    self.theta = theta
    self.scaling = scaling
    self.rotatedDimension = rotatedDimension
  }
}

/// YaRN (arXiv 2309.00071): dimensions that turn often within the original context keep their
/// frequencies, those that turn seldom have them divided by `factor`, and between them lies a linear
/// ramp over the dimensions.
public struct YarnScaling: Hashable, Sendable {
  /// How many times longer than the original context texts may be.
  public var factor: Double
  /// `original_max_position_embeddings`, in tokens.
  public var originalContextLength: Int
  /// `beta_fast`: turns within the original context from which on a frequency stays.
  public var fastTurns: Double
  /// `beta_slow`: turns up to which a frequency is divided.
  public var slowTurns: Double
  /// `truncate`: the ends of the ramp are whole dimensions.
  public var truncatesRamp: Bool
  /// What cosines and sines, and with them queries and keys, are multiplied by.
  public var attentionFactor: Double

  public init(
    factor: Double, originalContextLength: Int, fastTurns: Double = 32, slowTurns: Double = 1,
    truncatesRamp: Bool = true, attentionFactor: Double
  ) {
    self.factor = factor
    self.originalContextLength = originalContextLength
    self.fastTurns = fastTurns
    self.slowTurns = slowTurns
    self.truncatesRamp = truncatesRamp
    self.attentionFactor = attentionFactor
  }
}

/// LongRoPE (arXiv 2402.13753): every frequency has a divisor of its own, one for texts within the
/// original context and one for longer ones.
public struct LongRopeScaling: Hashable, Sendable {
  /// `short_factor`, `long_factor`: [turned channels of a head / 2] each.
  public var shortDivisors: [Double]
  public var longDivisors: [Double]
  /// `original_max_position_embeddings`, in tokens; a text of more takes the long divisors, from its
  /// first token on.
  public var originalContextLength: Int
  /// What cosines and sines, and with them queries and keys, are multiplied by.
  public var attentionFactor: Double

  public init(
    shortDivisors: [Double], longDivisors: [Double], originalContextLength: Int,
    attentionFactor: Double
  ) {
    self.shortDivisors = shortDivisors
    self.longDivisors = longDivisors
    self.originalContextLength = originalContextLength
    self.attentionFactor = attentionFactor
  }
}
