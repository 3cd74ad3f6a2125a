internal import FlapCore

/// The scaling of a rotary embedding as numbers.
struct ScalingText {
  /// nil: none, linear or llama3, which their number of numbers tells apart.
  let type: String?
  /// - none: none.
  /// - linear: factor.
  /// - llama3: factor, low, high, original context.
  /// - yarn: factor, original context, turns at both ends of the ramp, 1 where these are whole
  ///   dimensions, attention factor.
  /// - longrope: original context, attention factor, short divisors, as many long ones.
  let numbers: [Double]

  init(type: String?, numbers: [Double]) {
    self.type = type
    self.numbers = numbers
  }

  init(_ scaling: RotaryEmbedding.Scaling) {
    switch scaling {
    case .none: self.init(type: nil, numbers: [])
    case .linear(let factor): self.init(type: nil, numbers: [factor])
    case .llama3(let factor, let low, let high, let context):
      self.init(type: nil, numbers: [factor, low, high, Double(context)])
    case .yarn(let yarn):
      self.init(
        type: "yarn",
        numbers: [
          yarn.factor, Double(yarn.originalContextLength), yarn.fastTurns, yarn.slowTurns,
          yarn.truncatesRamp ? 1 : 0, yarn.attentionFactor,
        ])
    case .longRope(let long):
      self.init(
        type: "longrope",
        numbers: [Double(long.originalContextLength), long.attentionFactor] + long.shortDivisors
          + long.longDivisors)
    }
  }

  /// nil: the text is of no scaling.
  var scaling: RotaryEmbedding.Scaling? {
    switch (type, numbers.count) {
    case (nil, 0): RotaryEmbedding.Scaling.none
    case (nil, 1): .linear(factor: numbers[0])
    case (nil, 4):
      Int(exactly: numbers[3]).map {
        .llama3(
          factor: numbers[0], lowFrequencyFactor: numbers[1], highFrequencyFactor: numbers[2],
          originalContextLength: $0)
      }
    case ("yarn", 6):
      Int(exactly: numbers[1]).map {
        .yarn(
          YarnScaling(
            factor: numbers[0], originalContextLength: $0, fastTurns: numbers[2],
            slowTurns: numbers[3], truncatesRamp: numbers[4] != 0, attentionFactor: numbers[5]))
      }
    case ("longrope", let count) where count >= 4 && count % 2 == 0:
      Int(exactly: numbers[0]).map {
        .longRope(
          LongRopeScaling(
            shortDivisors: Array(numbers[2..<1 + count / 2]),
            longDivisors: Array(numbers[(1 + count / 2)...]), originalContextLength: $0,
            attentionFactor: numbers[1]))
      }
    default: nil
    }
  }
}
