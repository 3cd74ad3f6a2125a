/// The ridge λ, relative to each channel's variance.
enum Ridge {
  /// The largest that is tried.
  private static let largest = 100.0
  /// What follows none at all.
  private static let least = 1e-6

  /// Calls `body` with a ridge, ten times as large again as long as something is not positive
  /// definite.
  static func raising<Result>(
    from asked: Double, _ body: (_ ridge: Double) throws(LeastSquaresError) -> Result
  ) throws(LeastSquaresError) -> (result: Result, ridge: Double) {
    precondition(asked >= 0, "A ridge is not negative.")
    var ridge = asked
    while true {
      do {
        return (try body(ridge), ridge)
      } catch .notPositiveDefinite {
        guard ridge < largest else { throw .notFactored(ridge: ridge) }
        ridge = max(ridge * 10, least)
      }
    }
  }
}
