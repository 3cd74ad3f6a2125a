internal import Statistics

/// How likely a continuation is.
public struct SpanScore: Hashable, Sendable {
  /// Σ log p over its tokens, natural logarithm.
  public let logLikelihood: Double
  /// Whether each of its tokens is the most probable one.
  public let isGreedy: Bool

  public init(logLikelihood: Double, isGreedy: Bool) {
    self.logLikelihood = logLikelihood
    self.isGreedy = isGreedy
  }
}

/// The report on ``ScoreWork``: of every span a log-likelihood, f64, then a byte each, 1 for a greedy
/// one.
extension SpanScore {
  public static func byteCount(spanCount: Int) -> Int { 9 * spanCount }

  public static func encode(_ scores: [SpanScore]) -> [UInt8] {
    var writer = ByteWriter(byteCount: byteCount(spanCount: scores.count))
    writer.append(scores.map(\.logLikelihood))
    return writer.bytes + scores.map { $0.isGreedy ? 1 : 0 }
  }

  /// - Returns: nil where it is no report on so many spans.
  public static func decode(_ bytes: [UInt8], spanCount: Int) -> [SpanScore]? {
    guard bytes.count == byteCount(spanCount: spanCount) else { return nil }
    var reader = ByteReader(bytes)
    guard let values = reader.values(spanCount), values.allSatisfy(\.isFinite) else { return nil }
    let flags = bytes.suffix(spanCount)
    guard flags.allSatisfy({ $0 <= 1 }) else { return nil }
    return zip(values, flags).map { SpanScore(logLikelihood: $0, isGreedy: $1 == 1) }
  }
}
