/// What makes up for the channels that are taken from a map; `rawValue` as on the command line.
public enum CompensationMethod: String, Hashable, Sendable, CaseIterable {
  /// Nothing.
  case none
  /// A bias that restores the mean output (FLAP).
  case bias
  /// New weights of the channels that stay, and a bias, that restore what they can predict.
  case leastSquares = "least-squares"
}
