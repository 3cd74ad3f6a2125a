internal import Checkpoint
internal import FlapCore
internal import Kernels
internal import LeastSquares
internal import Statistics

/// The maps that the taps feed, as least squares reads them.
extension Checkpoint {
  private var shape: ModelShape { configuration.shape }

  /// W [hidden, channels].
  func weightView(at place: TapPlace) throws -> TensorView {
    try tensor(
      "\(place.tap.moduleName(layer: place.layer)).weight",
      shape: [shape.hiddenSize, shape.channelCount(layer: place.layer, tap: place.tap)])
  }

  func weightRows(at place: TapPlace) throws -> WeightRows {
    let view = try weightView(at: place)
    let channels = view.shape[1]
    return WeightRows(outputCount: view.shape[0], channelCount: channels) { row, values in
      Conversion.toFloat32(
        view.rows(row..<row + 1).bytes.baseAddress!, view.elementType, count: channels, to: values)
    }
  }

  /// The bias that the map has, [hidden], and how it is stored; nil where it has none.
  func bias(at place: TapPlace) throws -> TensorView? {
    guard shape.table(layer: place.layer).map(at: place.tap).hasBias else { return nil }
    return try tensor(
      "\(place.tap.moduleName(layer: place.layer)).bias", shape: [shape.hiddenSize])
  }
}
