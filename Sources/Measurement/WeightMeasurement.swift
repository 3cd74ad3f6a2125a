public import Checkpoint
internal import FlapCore
internal import Kernels
public import Statistics

/// Measures weights: reads the maps that the taps of a layer feed.
public struct WeightMeasurement {
  private let checkpoint: Checkpoint

  public init(_ checkpoint: Checkpoint) { self.checkpoint = checkpoint }

  /// Calls of `onStep` in ``run(_:layer:onStep:emit:)``.
  public static let stepCount = Tap.allCases.count

  /// - Parameter emit: gets the parts in the order of a report
  ///   (`StatisticCatalog.keys(of:layer:)`).
  /// - Throws: ``MeasurementError``, `CheckpointError`.
  public func run(
    _ kinds: [StatisticKind], layer: Int, onStep: () throws -> Void,
    emit: (StatisticPart) throws -> Void
  ) throws {
    if let unknown = kinds.first(where: { $0 != WeightNorms.kind }) {
      throw MeasurementError.unknownKind(unknown)
    }
    for tap in Tap.allCases {
      let place = TapPlace(layer: layer, tap)
      for _ in kinds { try emit(StatisticPart(try norms(place), at: place, node: nil)) }
      try onStep()
    }
  }

  /// The norms of the map that a tap feeds, per input channel; of experts, of each one's after another.
  private func norms(_ place: TapPlace) throws -> WeightNorms {
    let maps = checkpoint.configuration.shape.table(layer: place.layer).maps
    let norms = try maps.filter { $0.tap == place.tap }.map { try self.norms($0, place.layer) }
    return WeightNorms(
      squareSum: norms.flatMap(\.squareSum), absoluteMean: norms.flatMap(\.absoluteMean))
  }

  private func norms(_ map: LinearMap, _ layer: Int) throws -> WeightNorms {
    let name = ModelShape.name(ofLayer: layer, "\(map.module).weight")
    let view = try checkpoint.tensor(name, shape: [map.rows, map.columns])
    checkpoint.checksum(name)
    var accumulator = WeightNormsAccumulator(channelCount: map.columns)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: map.columns) { row in
      for index in 0..<map.rows {
        Conversion.toFloat32(
          view.rows(index..<index + 1).bytes.baseAddress!, view.elementType, count: map.columns,
          to: row.baseAddress!)
        accumulator.add(row: UnsafeBufferPointer(row))
      }
    }
    return accumulator.norms
  }
}
