import Foundation
import LeastSquares

/// One file of `make_golden.py`.
struct GoldenFixture: Decodable {
  struct Statistics: Decodable {
    var tokenCount: Int
    var mean: [Double]
    /// [channels, channels]
    var covariance: [Double]
  }

  struct Target: Decodable {
    var cross: [Double]
    var mean: [Double]
    var variance: [Double]
  }

  struct Fit: Decodable {
    var ridge: Double
    /// [outputs, kept channels]
    var weight: [Double]
    var bias: [Double]
    var error: Double
    var heldOutError: Double
  }

  struct Order: Decodable {
    var width: Int
    var batch: Int
    var ridge: Double
    var order: [Int]
    var errors: [Double]
  }

  /// [outputs, channels], row-major, times 128.
  var weight128: [Int]
  var kept: String
  var statistics: Statistics
  var heldOut: Statistics
  var fits: [Fit]
  var target: Target
  var heldOutTarget: Target
  var targetFit: Fit
  var orders: [Order]

  static let names = ["neurons", "constants", "groups"]

  static func load(_ name: String) throws -> GoldenFixture {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Golden")
    let data = try Data(contentsOf: folder.appendingPathComponent("\(name).json"))
    return try JSONDecoder().decode(GoldenFixture.self, from: data)
  }

  var channelCount: Int { statistics.mean.count }
  var keptFlags: [Bool] { kept.map { $0 == "1" } }

  /// Calls `body` with the weight, whose numbers live as long.
  func withWeight<Result>(_ body: (WeightRows) throws -> Result) rethrows -> Result {
    try weight128.map { Float($0) / 128 }.withUnsafeBufferPointer {
      try body(WeightRows($0, channelCount: channelCount))
    }
  }
}

extension Covariance {
  init(_ statistics: GoldenFixture.Statistics, target: GoldenFixture.Target? = nil) {
    let channels = statistics.mean.count
    self.init(
      tokenCount: statistics.tokenCount, mean: statistics.mean,
      matrix: Matrix(rows: channels, columns: channels, statistics.covariance),
      target: target.map {
        Target(
          cross: Matrix(rows: $0.mean.count, columns: channels, $0.cross), mean: $0.mean,
          variance: $0.variance)
      })
  }
}
