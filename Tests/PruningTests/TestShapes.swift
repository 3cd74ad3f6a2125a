import FlapCore
import Pruning

/// A shape of these sizes and no biases.
func testShape(
  hiddenSize: Int = 16, headDimension: Int, layers: [(heads: Int, groups: Int, neurons: Int)]
) -> ModelShape {
  ModelShape(
    hiddenSize: hiddenSize, headDimension: headDimension, vocabularySize: 32,
    rmsNormEpsilon: 1e-6, rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false,
    biases: Biases(),
    layers: layers.map {
      LayerShape(
        headCount: $0.heads, keyValueHeadCount: $0.groups, intermediateSize: $0.neurons)
    })
}

/// "0110" as flags.
func flags(_ text: String) -> [Bool] { text.map { $0 == "1" } }

/// Every value repeated for `count` channels.
func repeated(_ values: [Double], count: Int) -> [Double] {
  values.flatMap { value -> [Double] in Array(repeating: value, count: count) }
}

extension Structure {
  /// Those that a search by scores knows.
  static let decidedByScores = allCases.filter { $0 != .measured && $0 != .experts }
}
