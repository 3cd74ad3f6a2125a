public import FlapCore
internal import Foundation

/// The ridge λ with which least squares fitted a map.
public struct FittedRidge: Hashable, Sendable {
  public var layer: Int
  public var tap: Tap
  /// λ, relative to each channel's variance.
  public var ridge: Double
  /// Whether it is larger than the one that was chosen, with which the covariance did not factor.
  public var isRaised: Bool

  public init(layer: Int, tap: Tap, ridge: Double, isRaised: Bool) {
    self.layer = layer
    self.tap = tap
    self.ridge = ridge
    self.isRaised = isRaised
  }

  /// 0.001 → "1e-3".
  var text: String {
    String(format: "%.0e", ridge).replacing("e-0", with: "e-").replacing("e+0", with: "e+")
  }
}

extension [FittedRidge] {
  /// "1e-4 of 5 maps, 1e-3 of 7, 2 of them raised"; nil where there are none.
  var summary: String? {
    guard !isEmpty else { return nil }
    let counts = Dictionary(grouping: self, by: \.ridge).sorted { $0.key < $1.key }
    let raised = count { $0.isRaised }
    return counts.map { "\($0.value[0].text) of \($0.value.count)" }.joined(separator: ", ")
      + (count == 1 ? " map" : " maps") + (raised > 0 ? ", \(raised) of them raised" : "")
  }
}
