import FlapCore
import Pruning
import Testing

@Suite struct ParameterCountTests {
  /// Published sizes: `sum(p.numel())` of transformers' models.
  @Test(arguments: [
    // hidden, head dimension, heads, groups, intermediate, layers, vocabulary, tied, parameters
    (4096, 128, 32, 32, 11008, 32, 32_000, false, 6_738_415_616),  // Llama-2-7B
    (4096, 128, 32, 8, 14336, 32, 128_256, false, 8_030_261_248),  // Llama-3-8B
    (8192, 128, 64, 8, 28672, 80, 32_000, false, 68_976_648_192),  // Llama-2-70B
    (2048, 64, 32, 8, 8192, 16, 128_256, true, 1_235_814_400),  // Llama-3.2-1B
  ])
  func publishedModelsHaveTheirSize(
    hidden: Int, headDimension: Int, heads: Int, groups: Int, intermediate: Int, layers: Int,
    vocabulary: Int, tied: Bool, parameters: Int
  ) {
    var shape = testShape(
      hiddenSize: hidden, headDimension: headDimension,
      layers: Array(repeating: (heads, groups, intermediate), count: layers))
    shape.vocabularySize = vocabulary
    shape.tiesEmbeddings = tied
    #expect(shape.parameterCount == parameters)
    #expect(shape.parameterByteCount(.bfloat16) == 2 * parameters)
  }

  @Test func biasesCount() {
    var shape = testShape(hiddenSize: 10, headDimension: 4, layers: [(4, 2, 7)])
    let without = shape.parameterCount
    shape.biases = Biases(
      queryKeyValue: true, attentionOutput: true, gateUp: true, mlpDown: true)
    #expect(shape.parameterCount == without + (4 + 2 + 2) * 4 + 10 + 14 + 10)
    #expect(shape.decoderParameterCount == 10 * (2 * 16 + 2 * 8 + 3 * 7))
  }
}
