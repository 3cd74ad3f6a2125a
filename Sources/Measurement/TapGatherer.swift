internal import FlapCore
public import Statistics
internal import Synchronization
public import Transformer

/// Gathers a kind of statistic of taps while samples go through a model.
public protocol TapGatherer: TapObserver {
  associatedtype Value: SampleStatistic

  /// Allocates its scratch.
  init(_ limits: ObserverLimits) throws
  /// Bytes of that scratch.
  static func byteCount(_ limits: ObserverLimits) -> Int
  /// The value of a leaf whose passage was finished; it can be taken once.
  func take(_ passage: TapPassage) -> Value
}

extension TapGatherer {
  static var kind: StatisticKind { Value.kind }
}

/// Which kinds of statistics of taps a program can gather.
public struct GathererCatalog: Sendable {
  private let types: [any TapGatherer.Type]

  public init(_ types: [any TapGatherer.Type]) { self.types = types }

  public static let standard = GathererCatalog([
    MomentsGatherer.self, ExpertActivityGatherer.self, ExpertOutputsGatherer.self,
    ExpertMomentsGatherer.self,
  ])

  func type(of kind: StatisticKind) -> (any TapGatherer.Type)? { types.first { $0.kind == kind } }
}

/// What gatherers keep of each leaf until it is taken.
final class GatheredValues<Value: Sendable>: Sendable {
  private struct Place: Hashable {
    let leaf: Int
    let tap: Tap
  }

  private let values = Mutex<[Place: Value]>([:])

  func put(_ value: Value, of passage: TapPassage) {
    values.withLock { $0[Place(leaf: passage.leaf, tap: passage.tap)] = value }
  }

  /// nil where there is none.
  func take(_ passage: TapPassage) -> Value? {
    values.withLock { $0.removeValue(forKey: Place(leaf: passage.leaf, tap: passage.tap)) }
  }
}
