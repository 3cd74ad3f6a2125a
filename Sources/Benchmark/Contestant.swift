/// Something whose speed is compared, in a process of its own that works when it is told to.
public protocol Contestant {
  /// What it runs on, for the record.
  var details: [String: String] { get }
  /// Most bytes of anonymous memory that it was seen to hold; nil when it does not look.
  var peakBytes: Int? { get }
  /// Seconds per phase since the last call, summed over the threads; nil when it keeps none.
  mutating func takePhaseSeconds() -> [String: Double]?
  /// Does the smallest piece of work that counts.
  mutating func runUnit() throws -> Work
}

extension Contestant {
  public var peakBytes: Int? { nil }
  public mutating func takePhaseSeconds() -> [String: Double]? { nil }
}

/// What a unit of work was.
public struct Work: Hashable, Sendable {
  public var tokenCount = 0
  /// Multiplications and additions of the matrix products.
  public var productOperations = 0.0
  /// Σ of the variances of all channels: shows that contestants computed the same.
  public var varianceSum: Double?

  public init(tokenCount: Int = 0, productOperations: Double = 0, varianceSum: Double? = nil) {
    self.tokenCount = tokenCount
    self.productOperations = productOperations
    self.varianceSum = varianceSum
  }
}
