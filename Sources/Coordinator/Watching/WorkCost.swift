package import Coordination
package import FlapCore
internal import Pruning
internal import Statistics

/// About how long work takes on some worker: so that a phase whose tasks differ tells truly how far it
/// is. Only ratios matter.
package struct WorkCost {
  private let shape: ModelShape
  /// Of each layer.
  private let layerParameters: [Double]

  /// Operations of matrix products in f32 or bf16, in f64, and bytes that are read or written, a second
  /// and core: rough figures of usual cores. Where a machine's ratios differ, so does the time left.
  private static let productRate = 50e9
  private static let algebraRate = 10e9
  private static let byteRate = 500e6

  package init(_ shape: ModelShape) {
    self.shape = shape
    layerParameters = shape.layers.indices.map { Double(shape.activeParameterCount(layer: $0)) }
  }

  package func seconds(_ work: Work) -> Double {
    switch work {
    case .measureSamples(_, let unit, _):
      products(unit.tokens.count, steps: 0..<stepCount)
    case .measureWeights(_, let layer):
      // Every weight of two maps is read once, and squared.
      Tap.allCases.reduce(0) { $0 + 2 * mapParameters(TapPlace(layer: layer, $1)) }
        / WorkCost.byteRate
    case .measureMap(let map): seconds(map)
    case .score(let score): products(score.tokenCount, steps: 0..<stepCount)
    case .sum(let sum): seconds(sum)
    case .merge(let merge):
      Double(merge.sources.count) * sumBytes(merge)
        / WorkCost.byteRate
    case .writeShard: 1
    }
  }

  private var stepCount: Int { Tap.allCases.count * shape.layers.count }

  private func mapParameters(_ place: TapPlace) -> Double {
    Double(shape.hiddenSize * shape.channelCount(layer: place.layer, tap: place.tap))
  }

  /// A forward pass through some halves of layers.
  private func products(_ tokenCount: Int, steps: Range<Int>) -> Double {
    let halves = Double(Tap.allCases.count)
    let parameters = steps.reduce(0.0) {
      $0 + layerParameters[$1 / Tap.allCases.count] / halves
    }
    return 2 * parameters * Double(tokenCount) / WorkCost.productRate
  }

  private func seconds(_ map: MapWork) -> Double {
    let inputs = shape.mapChannels(layer: map.place.layer, tap: map.place.tap)
    let channels = Double(inputs.width)
    let hidden = Double(shape.hiddenSize)
    let order =
      Double(inputs.mapCount)
      * (channels * channels * channels + 2 * hidden * channels * channels)
      / WorkCost.algebraRate
    guard let samples = map.samples else { return order }
    let tokens = samples.tokens.count
    let head = 2 * hidden * Double(shape.vocabularySize) * Double(tokens) / WorkCost.productRate
    let level = products(tokens, steps: map.place.step..<stepCount) + 2 * head
    return order + Double(map.levels.count) * level
  }

  private func seconds(_ sum: SumWork) -> Double {
    let tokens = Double(sum.unit.tokens.count)
    func squares(_ place: TapPlace) -> Double {
      let channels = Double(shape.mapChannels(layer: place.layer, tap: place.tap).width)
      // A token goes through few of the experts.
      let maps = Double(place.tap == .mlpDown ? shape.mapsPerToken(layer: place.layer) : 1)
      return maps * channels * channels * tokens / WorkCost.productRate
    }
    switch sum.inputs {
    case .dense(let layers):
      let halves = Tap.allCases.count
      return TapPlace.all(in: layers).reduce(0) { $0 + squares($1) }
        + products(
          sum.unit.tokens.count, steps: halves * layers.lowerBound..<halves * layers.upperBound)
    case .pruned(let place, _):
      return squares(place) + 2 * mapParameters(place) * tokens / WorkCost.productRate
        + 2 * products(sum.unit.tokens.count, steps: place.step..<place.step + 1)
    }
  }

  private func sumBytes(_ merge: SumMerge) -> Double {
    switch merge.origin {
    case .dense:
      Double(
        SecondMoments.byteCount(
          shape.mapChannels(layer: merge.place.layer, tap: merge.place.tap)))
    case .pruned:
      Double(
        TargetMoments.layout(
          channelCount: merge.exponents.count, outputCount: shape.hiddenSize
        ).byteCount)
    }
  }
}

extension ModelShape {
  /// MLPs of a layer that a token goes through.
  fileprivate func mapsPerToken(layer: Int) -> Int { layers[layer].experts?.countPerToken ?? 1 }
}
