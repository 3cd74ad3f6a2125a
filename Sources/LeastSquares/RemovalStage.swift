internal import Kernels

/// A map on the way of a ``RemovalOrder``: without the units that are gone, what is left made up for
/// them.
///
/// That is what ``LeastSquaresFit`` gives for the same units and λ, but for rounding: the weights as
/// compensated so far are the solution, so no level needs another.
public struct RemovalStage {
  /// Ascending.
  public let keptUnits: [Int]
  /// Ascending.
  public let keptChannels: [Int]
  /// What makes up for the mean of what is gone, [outputs].
  public let addedBias: [Double]
  private let original: WeightRows
  private let fitted: Matrix
  /// Of every kept channel, its column in `fitted`; nil: it is constant, and keeps its weights.
  private let places: [Int?]

  /// - Parameter idle: units that are still there though all of their channels are constant.
  init(
    _ elimination: Elimination, of original: WeightRows, _ unitWidth: Int,
    _ covariance: Covariance, idle: ArraySlice<Int>, on algebra: AlgebraTeam
  ) {
    var places: [Int: Int] = [:]
    for place in elimination.places { places[elimination.channels[place]] = place }
    let units = Set(places.keys.map { $0 / unitWidth }).union(idle).sorted()
    let channels = units.flatMap { $0 * unitWidth..<($0 + 1) * unitWidth }
    let columns = channels.map { places[$0] }
    let fitted = elimination.weight
    let added = Matrix(rows: original.outputCount, columns: 1)
    original.forEachRow(0..<original.outputCount, on: algebra) { row, w in
      var bias = 0.0
      for (channel, mean) in covariance.mean.enumerated() { bias += Double(w[channel]) * mean }
      for (channel, place) in zip(channels, columns) {
        let weight = place.map { fitted.row(row)[$0] } ?? Double(w[channel])
        bias -= weight * covariance.mean[channel]
      }
      added.values[row] = bias
    }
    keptUnits = units
    keptChannels = channels
    addedBias = (0..<added.rows).map { added.values[$0] }
    self.original = original
    self.fitted = fitted
    self.places = columns
  }

  /// W' of one output, [``keptChannels``.count]. Only during the visit.
  public func readRow(_ output: Int, to values: UnsafeMutablePointer<Double>) {
    let row = fitted.row(output)
    guard places.contains(nil) else {
      for (index, place) in places.enumerated() { values[index] = row[place!] }
      return
    }
    original.readRow(output) { w in
      for (index, place) in places.enumerated() {
        values[index] = place.map { row[$0] } ?? Double(w[keptChannels[index]])
      }
    }
  }
}
