internal import Checkpoint
internal import FlapCore
internal import Kernels
internal import LeastSquares
internal import Statistics

/// A map that reads what is measured at a tap.
struct FedMap: Hashable {
  var place: TapPlace
  /// Whose it is; nil: the layer's own.
  var expert: Int?

  init(_ place: TapPlace, expert: Int? = nil) {
    self.place = place
    self.expert = expert
  }
}

/// The maps that the taps feed, as least squares reads them.
extension Checkpoint {
  private var shape: ModelShape { configuration.shape }

  private func name(_ map: FedMap) -> String {
    shape.moduleName(layer: map.place.layer, tap: map.place.tap, expert: map.expert)
  }

  /// The maps that a tap feeds: of a layer with experts one of each.
  func maps(at place: TapPlace) -> [FedMap] {
    guard place.tap == .mlpDown, let experts = shape.layers[place.layer].experts else {
      return [FedMap(place)]
    }
    return (0..<experts.count).map { FedMap(place, expert: $0) }
  }

  /// W [hidden, channels].
  func weightView(of map: FedMap) throws -> TensorView {
    let channels = shape.channels(
      layer: map.place.layer, tap: map.place.tap, expert: map.expert)
    return try tensor("\(name(map)).weight", shape: [shape.hiddenSize, channels.count])
  }

  func weightRows(of map: FedMap) throws -> WeightRows {
    let view = try weightView(of: map)
    let channels = view.shape[1]
    return WeightRows(outputCount: view.shape[0], channelCount: channels) { row, values in
      Conversion.toFloat32(
        view.rows(row..<row + 1).bytes.baseAddress!, view.elementType, count: channels, to: values)
    }
  }

  /// The bias that the map has, [hidden], and how it is stored; nil where it has none.
  func bias(of map: FedMap) throws -> TensorView? {
    let hasBias =
      map.place.tap == .mlpDown ? shape.biases.mlpDown : shape.biases.attentionOutput
    guard hasBias else { return nil }
    return try tensor("\(name(map)).bias", shape: [shape.hiddenSize])
  }
}
