/// Something of each tap of a decoder layer.
public struct PerTap<Value> {
  /// Of the input of `self_attn.o_proj`.
  public var attentionOutput: Value
  /// Of the input of `mlp.down_proj`.
  public var mlpDown: Value

  public init(attentionOutput: Value, mlpDown: Value) {
    self.attentionOutput = attentionOutput
    self.mlpDown = mlpDown
  }

  public init<Failure: Error>(_ value: (Tap) throws(Failure) -> Value) throws(Failure) {
    attentionOutput = try value(.attentionOutput)
    mlpDown = try value(.mlpDown)
  }

  public subscript(tap: Tap) -> Value {
    get {
      switch tap {
      case .attentionOutput: attentionOutput
      case .mlpDown: mlpDown
      }
    }
    _modify {
      switch tap {
      case .attentionOutput: yield &attentionOutput
      case .mlpDown: yield &mlpDown
      }
    }
  }

  public func map<Other, Failure: Error>(
    _ transform: (Value) throws(Failure) -> Other
  ) throws(Failure) -> PerTap<Other> {
    try PerTap<Other> { tap throws(Failure) in try transform(self[tap]) }
  }
}

extension PerTap: Equatable where Value: Equatable {}
extension PerTap: Hashable where Value: Hashable {}
extension PerTap: Sendable where Value: Sendable {}
