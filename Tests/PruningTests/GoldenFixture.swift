import FlapCore
import Foundation
import Pruning
import Statistics

/// One file of `make_golden.py`.
struct GoldenFixture: Decodable {
  struct Shape: Decodable {
    struct Layer: Decodable {
      var headCount: Int
      var keyValueHeadCount: Int
      var intermediateSize: Int
    }
    var hiddenSize: Int
    var headDimension: Int
    var layers: [Layer]
  }

  struct TapValuePair<Value: Decodable>: Decodable {
    var attentionOutput: Value
    var mlpDown: Value
    subscript(tap: Tap) -> Value { tap == .attentionOutput ? attentionOutput : mlpDown }
  }

  struct TapValues: Decodable {
    var mean: [Double]
    var m2: [Double]
    /// [hidden, channels], row-major, times 128.
    var weight128: [Int]
    var squareSum: [Double]
    var absoluteMean: [Double]

    var weight: [Float] { weight128.map { Float($0) / 128 } }
  }

  struct Search: Decodable {
    var structure: String
    var ratio: Double
    var groupsRemoved: Int?
    var keptGroups: [String]
    var keptNeurons: [String]
    var restored: Int
    var reached: Double
    var biases: [TapValuePair<[Double]>]?
  }

  struct MetricValues: Decodable {
    var metric: String
    var scores: [TapValuePair<[Double]>]
    var searches: [Search]
  }

  var shape: Shape
  var tokenCount: Int
  var sampleCount: Int
  var taps: [TapValuePair<TapValues>]
  var metrics: [MetricValues]

  static let names = ["multi-head", "grouped-query", "uneven"]

  static func load(_ name: String) throws -> GoldenFixture {
    try goldenValue(GoldenFixture.self, name)
  }
}

/// Decodes `Golden/name.json`.
func goldenValue<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
  let folder = Bundle.module.bundleURL.appendingPathComponent("Golden")
  let data = try Data(contentsOf: folder.appendingPathComponent("\(name).json"))
  return try JSONDecoder().decode(type, from: data)
}

extension GoldenFixture {
  var modelShape: ModelShape {
    testShape(
      hiddenSize: shape.hiddenSize, headDimension: shape.headDimension,
      layers: shape.layers.map { ($0.headCount, $0.keyValueHeadCount, $0.intermediateSize) })
  }

  var moments: ModelMoments {
    ModelMoments(
      sampleCount: sampleCount,
      layers: taps.map { layer in
        PerTap { moments(layer[$0]) }
      })
  }

  var norms: [PerTap<WeightNorms>] {
    taps.map { layer in
      PerTap { norms(layer[$0]) }
    }
  }

  private func moments(_ tap: TapValues) -> ChannelMoments {
    ChannelMoments(count: tokenCount, mean: tap.mean, m2: tap.m2)
  }

  private func norms(_ tap: TapValues) -> WeightNorms {
    WeightNorms(squareSum: tap.squareSum, absoluteMean: tap.absoluteMean)
  }
}
