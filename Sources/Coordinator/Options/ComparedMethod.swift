public import ArgumentParser
internal import Pruning

/// A way to prune that `compare` tries.
public enum ComparedMethod: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// Norms of the weights, the same ratio in every layer, no compensation.
  case magnitude = "magnitude-sp"
  /// Wanda's metric (arXiv 2306.11695) for whole units, as FLAP's code has it as a baseline: the same
  /// ratio in every layer, layer after layer on what the pruned ones before give, no compensation.
  case wanda = "wanda-sp"
  /// As published.
  case flap
  /// FLAP's plan, its weights fitted anew.
  case leastSquares = "least-squares"
  /// The same with units in the order of OBS.
  case order = "obs"
  /// The same with counts by measured loss.
  case measured
  /// The same, fitted map by map.
  case best

  var compensation: CompensationMethod {
    switch self {
    case .magnitude, .wanda: .none
    case .flap: .bias
    case .leastSquares, .order, .measured, .best: .leastSquares
    }
  }

  /// nil: it searches layer by layer.
  func search(_ ratio: Double) throws -> SearchOptions? {
    let (metric, structure): (Metric, Structure)
    switch self {
    case .magnitude: (metric, structure) = (.magnitude, .uniform)
    case .wanda: return nil
    case .flap, .leastSquares: (metric, structure) = (.weightedVariance, .adaptive)
    case .order: (metric, structure) = (.conditionalVariance, .adaptive)
    case .measured, .best: (metric, structure) = (.conditionalVariance, .measured)
    }
    return try SearchOptions(
      ratios: [ratio], metric: metric.rawValue, structure: structure.rawValue, groupsRemoved: nil)
  }
}

/// `flap,best`: methods with commas between.
public struct MethodList: ExpressibleByArgument, Sendable {
  public let methods: [ComparedMethod]

  public static let all = MethodList(methods: ComparedMethod.allCases)

  init(methods: [ComparedMethod]) { self.methods = methods }

  /// - Returns: nil for anything but names of methods, each once.
  public init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let methods = parts.compactMap { ComparedMethod(rawValue: String($0)) }
    guard methods.count == parts.count, Set(methods).count == methods.count else { return nil }
    self.methods = methods
  }

  public var defaultValueDescription: String {
    methods.map(\.rawValue).joined(separator: ",")
  }
}
