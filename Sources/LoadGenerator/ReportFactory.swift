internal import Coordination
internal import FlapCore
internal import Statistics
internal import Storage
internal import Wire

/// Makes reports of the right size and form for a model's shape, from random numbers. Each part is
/// made once: what differs between two units of as many samples, nobody looks at.
struct ReportFactory {
  private let shape: ModelShape
  private let catalog = StatisticCatalog.standard
  /// Without nodes; moments count the tokens of the key.
  private var parts: [Int: [StatisticKey: StatisticPart]] = [:]

  init(shape: ModelShape) { self.shape = shape }

  /// Bytes of a report of moments.
  var momentsByteCount: Int {
    let keys = try? catalog.keys(of: [ChannelMoments.kind], node: .leaf(0), in: shape)
    return keys.flatMap { try? StatisticReport.byteCount(of: $0, catalog, in: shape) } ?? 0
  }

  /// - Returns: nil for work of which there is no synthetic result.
  mutating func report(on work: Work) -> SyntheticReport? {
    switch work {
    case .measureSamples([ChannelMoments.kind], let unit, nil):
      report(
        try? catalog.keys(of: [ChannelMoments.kind], node: unit.node, in: shape),
        tokens: unit.tokens.count)
    case .measureWeights([WeightNorms.kind], let layer):
      shape.layers.indices.contains(layer)
        ? report(try? catalog.keys(of: [WeightNorms.kind], layer: layer), tokens: 0) : nil
    case .sum(let sum):
      // What stays with the worker; nobody asks for it but others like this one.
      SyntheticReport(
        WireCodec.encode(
          sum.expected.map { place, kind in
            let name = SumWork.fileName(place, kind, sum.unit.node)
            return HeldSum(place, kind, Digest(hashing: Array(name.utf8)))
          }))
    case .merge(let merge):
      SyntheticReport(
        WireCodec.encode(
          MergeOutcome.merged(
            tokenCount: merge.tokenCount, heldOutTokenCount: merge.heldOutTokenCount)))
    case .measureSamples, .measureWeights, .measureMap, .score, .writeShard: nil
    }
  }

  private mutating func report(_ keys: [StatisticKey]?, tokens: Int) -> SyntheticReport? {
    keys.map { keys in
      SyntheticReport(
        Array(keys.map { StatisticReport.encode(part($0, tokens: tokens)) }.joined()))
    }
  }

  private mutating func part(_ key: StatisticKey, tokens: Int) -> StatisticPart {
    var plain = key
    plain.node = nil
    var part = parts[tokens]?[plain] ?? makePart(plain, tokens: tokens)
    parts[tokens, default: [:]][plain] = part
    part.key = key
    return part
  }

  private func makePart(_ key: StatisticKey, tokens: Int) -> StatisticPart {
    guard let place = key.place else { preconditionFailure("synthetic parts are of taps") }
    let count = shape.channelCount(layer: place.layer, tap: place.tap)
    var random = SplitMix64(seed: UInt64(place.layer))
    return key.kind == WeightNorms.kind
      ? StatisticPart(random.norms(count), at: place, node: nil)
      : StatisticPart(random.moments(count, tokens: tokens), at: place, node: nil)
  }
}

/// Millions of numbers in milliseconds, the same ones in every run.
extension SplitMix64 {
  fileprivate mutating func moments(_ count: Int, tokens: Int) -> ChannelMoments {
    ChannelMoments(
      count: tokens, mean: values(count, in: -1...1), m2: values(count, in: 0...Double(tokens)))
  }

  fileprivate mutating func norms(_ count: Int) -> WeightNorms {
    WeightNorms(squareSum: values(count, in: 0...1), absoluteMean: values(count, in: 0...1))
  }

  private mutating func values(_ count: Int, in range: ClosedRange<Double>) -> [Double] {
    (0..<count).map { _ in Double.random(in: range, using: &self) }
  }
}
