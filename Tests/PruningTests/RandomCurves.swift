import FlapCore
import FlapTestKit
import Pruning

/// Loss curves drawn from a seed.
struct RandomCurves {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// A curve of any monotone shape, with flat parts and jumps: errors and levels are drawn without
  /// regard to one another.
  mutating func next(units: Int, levels: Int) -> LossCurve {
    var error = 0.0
    var errors = [0.0]
    for _ in 1..<max(units, 2) {
      let jump = Double.random(in: 0...1, using: &generator)
      // Every third step is none.
      error += jump < 1 / 3.0 ? 0 : jump * jump * jump
      errors.append(error)
    }
    let counts = (1..<max(units, 2)).shuffled(using: &generator).prefix(units > 1 ? levels : 0)
    return LossCurve(
      errors: Array(errors.prefix(units)),
      measured: counts.map {
        let loss = Double.random(in: -0.2...2, using: &generator)
        return LossCurve.Level(kept: $0, loss: loss)
      })
  }

  /// Errors like those of trained models: the first units cost little, the last very much.
  mutating func nextSmooth(units: Int) -> LossCurve {
    let power = Int.random(in: 2...4, using: &generator)
    let scale = Double.random(in: 0.001...0.2, using: &generator)
    func error(_ removed: Int) -> Double {
      let part = Double(removed) / Double(units)
      return (0..<power).reduce(part) { product, _ in product * part } + 0.05 * part
    }
    var levels: [LossCurve.Level] = []
    for kept in [units / 4, units / 2, units * 3 / 4] where kept > (levels.last?.kept ?? 0) {
      let noise = Double.random(in: 0.8...1.25, using: &generator)
      levels.append(LossCurve.Level(kept: kept, loss: scale * error(units - kept) * noise))
    }
    return LossCurve(errors: (0..<units).map(error), measured: levels)
  }

  /// For every layer of a shape.
  mutating func layers(of shape: ModelShape, levels: Int) -> [PerTap<LossCurve>] {
    shape.layers.map { layer in
      PerTap(
        attentionOutput: next(units: layer.keyValueHeadCount, levels: levels),
        mlpDown: next(units: layer.intermediateSize, levels: levels))
    }
  }

  mutating func smoothLayers(of shape: ModelShape) -> [PerTap<LossCurve>] {
    shape.layers.map { layer in
      PerTap(
        attentionOutput: nextSmooth(units: layer.keyValueHeadCount),
        mlpDown: nextSmooth(units: layer.intermediateSize))
    }
  }
}
