public import ArgumentParser
internal import FlapCore
internal import Pruning
internal import Statistics

/// A preset of the options that decide what is removed and what makes up for it; options of their
/// own override it.
public enum PruningMethod: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// As published (arXiv 2312.11983).
  case flap
  /// What is measured best: units in the order of OBS, counts by measured loss, least squares map by
  /// map.
  case best

  var metric: Metric { self == .flap ? .weightedVariance : .conditionalVariance }
  var structure: Structure { self == .flap ? .adaptive : .measured }
  var compensation: CompensationMethod { self == .flap ? .bias : .leastSquares }

  /// What a calibration measures of the maps, so that any search finds it.
  var mapKinds: [StatisticKind] {
    self == .flap ? [] : [RemovalCurve.kind, ModuleLosses.kind]
  }
}
