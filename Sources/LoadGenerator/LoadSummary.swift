/// What was put on the coordinator, and how long it took.
public struct LoadSummary: Hashable, Sendable, Codable {
  public var connections: Int
  /// Reports of moments that were acknowledged.
  public var reports: Int
  /// Reports of weight norms that were acknowledged.
  public var normReports: Int
  /// Sums of maps, and maps that were added up, which were acknowledged.
  public var sumReports: Int
  /// Bytes of one report of moments.
  public var reportBytes: Int
  /// Bytes of results, without headers and framing.
  public var sentBytes: Int
  /// Workers that the coordinator gave up or turned away.
  public var lostWorkers: Int
  /// From the first connection to the coordinator's goodbye.
  public var seconds: Double
  /// From the first announcement of a report of moments to the last acknowledgement of one.
  public var reportSeconds: Double
}

extension LoadSummary: CustomStringConvertible {
  public var description: String {
    """
    connections                \(connections)\(lostWorkers > 0 ? ", \(lostWorkers) lost" : "")
    reports                    \(reports) of \(reportBytes) bytes, \(normReports) of norms, \(sumReports) of sums
    bytes sent                 \(sentBytes)
    seconds                    \(LoadSummary.rounded(seconds))
    first to last report       \(LoadSummary.rounded(reportSeconds))
    """
  }

  private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}
