internal import Pruning

/// What is to be removed, and by which score.
public struct SearchOptions: Sendable {
  let metric: Metric
  let search: StructureSearch

  /// - Throws: ``UsageError`` for a name that is none, or a ratio outside [0, 1).
  public init(ratio: Double, metric: String, structure: String, groupsRemoved: Int?) throws {
    guard let metric = Metric(rawValue: metric) else {
      let names = Metric.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--metric \(metric): choose one of \(names)")
    }
    guard let structure = Structure(rawValue: structure) else {
      let names = Structure.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--structure \(structure): choose one of \(names)")
    }
    guard ratio >= 0, ratio < 1 else {
      throw UsageError("--ratio \(ratio): the share to remove is at least 0 and less than 1")
    }
    if groupsRemoved != nil, !structure.needsGroupsRemoved {
      throw UsageError("--groups-removed goes with --structure AL-MM or UL-MM")
    }
    if groupsRemoved == nil, structure.needsGroupsRemoved {
      throw UsageError("--structure \(structure.rawValue) needs --groups-removed")
    }
    self.metric = metric
    search = StructureSearch(structure: structure, ratio: ratio, groupsRemoved: groupsRemoved)
  }
}
