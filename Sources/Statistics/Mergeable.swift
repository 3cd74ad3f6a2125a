/// A summary of calibration or evaluation samples that can be combined with the summary of the
/// samples that follow it.
///
/// Merging is exact in meaning but not in bits: floating-point results depend on how the samples
/// were grouped. ``TreeReducer`` fixes the grouping, and so the bits.
public protocol Mergeable: Sendable {
  /// Adds the summary of the samples that come after this value's own.
  mutating func merge(_ right: Self)
}

extension Mergeable {
  /// The summary of `left`'s samples followed by `right`'s.
  public static func merge(_ left: consuming Self, _ right: Self) -> Self {
    left.merge(right)
    return left
  }
}
