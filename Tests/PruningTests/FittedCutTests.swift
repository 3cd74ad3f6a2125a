import FlapCore
import FlapTestKit
import Pruning
import Testing

/// AL-AM that meets the ratio (``StructureSearch/Cut/fitted``).
struct FittedCutTests {
  private static func run(
    _ ratio: Double, _ scores: [LayerScores], _ shape: ModelShape,
    _ cut: StructureSearch.Cut = .fitted
  ) throws -> SearchResult {
    try StructureSearch(structure: .adaptive, ratio: ratio, cut: cut).run(
      scores: scores, shape: shape)
  }

  /// In parameters ÷ hidden size.
  private static func cost(_ result: SearchResult, _ shape: ModelShape) -> Int {
    result.plan.layers.enumerated().reduce(0) { sum, layer in
      let (layer, kept) = (layer.offset, layer.element)
      return sum
        + kept.keptGroupCount * shape.unitCost(layer: layer, tap: .attentionOutput)
        + kept.keptNeuronCount * shape.unitCost(layer: layer, tap: .mlpDown)
    }
  }

  /// One layer: a group costs 16, a neuron 3; 2 · 16 + 16 · 3 = 80 in all.
  private let shape = testShape(headDimension: 4, layers: [(2, 2, 16)])

  /// Ranked: groups stand where their means, standardized, do.
  private func scores(groups: [Double]) -> LayerScores {
    LayerScores(
      attentionOutput: groups.flatMap { Array(repeating: $0, count: 4) },
      mlpDown: (0..<16).map(Double.init))
  }

  @Test("a group that is too large for what is left goes, and neurons behind it stay instead")
  func groupAtTheCut() throws {
    // Standardized, the groups are at ±1 and the neurons at (i − 7.5) / 4.76: three neurons, 13 to 15,
    // score above the better group and ten between the groups. Of 80 · 0.6 = 48 wanted: 9 + 16 = 25
    // after it, 46 and 49 after seven and eight more neurons, of which 49 is the nearer one.
    let result = try Self.run(0.4, [scores(groups: [1, 9])], shape)
    #expect(result.plan.layers[0].keptGroups == [false, true])
    #expect(result.keptNeurons == [11])
    // Of 80 · 0.8 = 64 wanted: 9 + 16 + 30 = 55 before the worse group; 71 with it is nearer than 55
    // is not (7 against 9), so that it stays, and two neurons go for it: 65.
    let wider = try Self.run(0.2, [scores(groups: [1, 9])], shape)
    #expect(wider.plan.layers[0].keptGroups == [true, true])
    #expect(wider.keptNeurons == [11])
    // Of 60 wanted: 55 are nearer than 71, so that the group goes and the next two neurons stay: 61.
    let narrower = try Self.run(0.25, [scores(groups: [1, 9])], shape)
    #expect(narrower.plan.layers[0].keptGroups == [false, true])
    #expect(narrower.keptNeurons == [15])
  }

  @Test("neurons at the cut: the best of those that would go, the worst of those that would stay")
  func whichNeurons() throws {
    let more = try Self.run(0.25, [scores(groups: [1, 9])], shape)
    #expect(more.plan.layers[0].keptNeurons == [false] + Array(repeating: true, count: 15))
    let fewer = try Self.run(0.2, [scores(groups: [1, 9])], shape)
    #expect(
      fewer.plan.layers[0].keptNeurons
        == Array(repeating: false, count: 5) + Array(repeating: true, count: 11))
  }

  @Test("what every layer keeps in any case counts before all else")
  func minimum() throws {
    // All of layer 0 scores lowest but for its best units, which stay: 16 + 3 of 38.4 wanted.
    let low = LayerScores(
      attentionOutput: Array(repeating: 0, count: 4) + [1, 1, 1, 1],
      mlpDown: scores(groups: []).mlpDown)
    let two = testShape(headDimension: 4, layers: [(2, 2, 16), (2, 2, 16)])
    let result = try Self.run(0.75, [low, scores(groups: [1, 9])], two)
    #expect(result.unitsKeptByMinimum == 0)
    #expect(abs(Double(Self.cost(result, two)) - 0.25 * 160) <= 1.5)
  }

  /// Models of random sizes and scores, of which the published cut misses many by more.
  @Test("the cost is within half a neuron of the ratio", arguments: 0..<200)
  func withinHalfANeuron(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let headDimension = [2, 4, 8].randomElement(using: &generator)!
    let layers = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
      let groups = Int.random(in: 1...4, using: &generator)
      return (
        heads: groups * Int.random(in: 1...4, using: &generator), groups: groups,
        neurons: Int.random(in: 60...90, using: &generator)
      )
    }
    let shape = testShape(headDimension: headDimension, layers: layers)
    let scores = layers.map { layer in
      LayerScores(
        attentionOutput: (0..<layer.heads * headDimension).map { _ in
          .random(in: 0..<1, using: &generator)
        },
        mlpDown: (0..<layer.neurons).map { _ in .random(in: 0..<1, using: &generator) })
    }
    let total = Double(shape.decoderParameterCount / shape.hiddenSize)
    for ratio in [0.05, 0.2, 0.37, 0.5] {
      let result = try Self.run(ratio, scores, shape)
      // Half of a neuron's 3; there are neurons enough in all of these.
      #expect(abs(Double(Self.cost(result, shape)) - total * (1 - ratio)) <= 1.5)
      for layer in result.plan.layers {
        #expect(layer.keptGroupCount >= 1 && layer.keptNeuronCount >= 1)
      }
      // Within a module and layer the order is the score's.
      for (layer, kept) in result.plan.layers.enumerated() {
        let neurons = zip(kept.keptNeurons, scores[layer].mlpDown)
        let lowest = neurons.filter(\.0).map(\.1).min()!
        #expect(neurons.allSatisfy { $0 || $1 <= lowest })
      }
    }
  }
}
