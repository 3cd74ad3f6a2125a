internal import Coordination
internal import FlapCore
internal import Statistics
internal import Wire

/// Makes reports of the right size and form for a model's shape, from random numbers. Each kind
/// is made once: what differs between two blocks of as many samples, nobody looks at.
struct ReportFactory {
  private struct Counts: Hashable {
    let samples: Int
    let tokens: Int
  }

  private let shape: ModelShape
  private var moments: [Counts: SyntheticReport] = [:]
  private var norms: [LayerShape: SyntheticReport] = [:]

  init(shape: ModelShape) { self.shape = shape }

  /// Bytes of a report of moments.
  var momentsByteCount: Int { Payload.largestReportBytes(shape: shape) }

  /// - Returns: nil for work of which there is no synthetic result.
  mutating func report(on work: Work) -> SyntheticReport? {
    switch work {
    case .calibrate(let block): report(on: block)
    case .measureWeights(let layer): report(onLayer: layer)
    case .evaluate, .writeShard: nil
    }
  }

  private mutating func report(on block: TokenBlock) -> SyntheticReport {
    let counts = Counts(
      samples: block.samplesPerLeaf.reduce(0, +), tokens: block.tokens.count)
    if let made = moments[counts] { return made }
    var random = SplitMix64(seed: 1)
    let layers = shape.layers.indices.map { layer in
      LayerMoments(
        attentionOutput: random.moments(shape, layer, .attentionOutput, tokens: counts.tokens),
        mlpDown: random.moments(shape, layer, .mlpDown, tokens: counts.tokens))
    }
    let report = SyntheticReport(
      Payload.encode(ModelMoments(sampleCount: counts.samples, layers: layers)))
    moments[counts] = report
    return report
  }

  private mutating func report(onLayer layer: Int) -> SyntheticReport? {
    guard shape.layers.indices.contains(layer) else { return nil }
    if let made = norms[shape.layers[layer]] { return made }
    var random = SplitMix64(seed: 2)
    let report = SyntheticReport(
      Payload.encode(
        LayerWeightNorms(
          attentionOutput: random.norms(shape, layer, .attentionOutput),
          mlpDown: random.norms(shape, layer, .mlpDown))))
    norms[shape.layers[layer]] = report
    return report
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): millions of numbers in milliseconds, the same ones
/// in every run.
private struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func moments(_ shape: ModelShape, _ layer: Int, _ tap: Tap, tokens: Int)
    -> ChannelMoments
  {
    let count = shape.channelCount(layer: layer, tap: tap)
    return ChannelMoments(
      count: tokens, mean: values(count, in: -1...1),
      m2: values(count, in: 0...Double(tokens)))
  }

  mutating func norms(_ shape: ModelShape, _ layer: Int, _ tap: Tap) -> WeightNorms {
    let count = shape.channelCount(layer: layer, tap: tap)
    return WeightNorms(
      squareSum: values(count, in: 0...1), absoluteMean: values(count, in: 0...1))
  }

  private mutating func values(_ count: Int, in range: ClosedRange<Double>) -> [Double] {
    (0..<count).map { _ in Double.random(in: range, using: &self) }
  }
}
