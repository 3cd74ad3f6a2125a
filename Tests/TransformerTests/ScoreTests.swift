import FlapCore
import Glibc
import Kernels
import Testing
import Transformer

/// Scores of single tokens, and samples that share what they begin with.
struct ScoreTests {
  @Test("every next token, against transformers' logits", arguments: GoldenModel.names)
  func golden(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try golden.model(.float32)
    let (leaf, width) = (golden.leaf, GoldenModel.tokensPerSample)
    let queries = leaf.tokens.indices.filter { ($0 + 1) % width != 0 }.map {
      TokenQuery(leaf.tokens[$0 + 1], after: $0)
    }
    try model.forward([leaf])
    var steps = 0
    let scores = try model.scores(of: [leaf], [queries.reversed()]) { steps += 1 }[0]
    #expect(steps == model.lossStepCount && scores.count == queries.count)
    let logits = golden.values("logits")
    let vocabulary = logits.count / leaf.tokenCount
    for (query, score) in zip(queries.reversed(), scores) {
      let row = logits[query.previous * vocabulary..<(query.previous + 1) * vocabulary]
      let largest = row.max()!
      let logSum = largest + log(row.reduce(0) { $0 + exp($1 - largest) })
      let own = row[row.startIndex + Int(query.token)]
      // f32 logits of some 10 in sums of another order, as the whole loss has them.
      #expect(abs(score.logProbability - (own - logSum)) < 1e-4)
      #expect(score.isLargest == (own == largest))
    }
    try model.forward([leaf])
    let loss = try model.losses(of: [leaf]) {}[0]
    #expect(abs(scores.reduce(0) { $0 - $1.logProbability } / loss.sum - 1) < 1e-12)
  }

  @Test("the most probable token is told", arguments: ComputeType.allCases)
  func largest(compute: ComputeType) throws {
    let golden = try GoldenModel("gqa-llama3-bf16")
    let model = try golden.model(compute)
    let leaf = golden.leaf(0..<1)
    try model.forward([leaf])
    let queries = (0..<Int32(model.shape.vocabularySize)).map { TokenQuery($0, after: 20) }
    let scores = try model.scores(of: [leaf], [queries]) {}[0]
    let largest = scores.map(\.logProbability).max()
    for score in scores { #expect(score.isLargest == (score.logProbability == largest)) }
    // All of them together are certain.
    #expect(abs(scores.reduce(0) { $0 + exp($1.logProbability) } - 1) < 1e-5)
  }

  @Test(
    "a shared beginning changes no bit, nor does what is in the leaf besides",
    arguments: GoldenModel.names, ComputeType.allCases)
  func shared(name: String, compute: ComputeType) throws {
    let golden = try GoldenModel(name)
    let tokens = Array(golden.leaf(0..<1).tokens)
    let other = Array(golden.leaf(1..<2).tokens)
    let model = try golden.model(compute, threads: 2, leaves: 2)
    for shared in [1, 2, 15, 16, 17, 31, 32] {
      let beginning = Array(tokens.prefix(shared))
      // What is left of it, something else, and nothing at all.
      let branches = [Array(tokens.dropFirst(shared).prefix(9)), Array(other.prefix(5)), []]
      let texts = branches.map { beginning + $0 }
      // Beyond the original context LongRoPE rotates otherwise: a group by its longest text.
      if name.contains("longrope"), texts.contains(where: { $0.count <= 24 }),
        texts.contains(where: { $0.count > 16 })
      {
        continue
      }
      let together = Leaf([SampleGroup(beginning: beginning, branches: branches)])
      var places: [[Int]] = []
      var next = shared
      for branch in branches {
        places.append(Array(0..<shared) + Array(next..<next + branch.count))
        next += branch.count
      }
      let found = try scores(
        model, [together, Leaf([SampleGroup(beginning: Array(other.prefix(20)))])],
        [
          zip(texts, places).flatMap { text, places in
            places.map { TokenQuery(text.last!, after: $0) }
          }, [TokenQuery(1, after: 3)],
        ])
      let expected = try texts.flatMap { text in
        try scores(
          model, [Leaf(tokens: text, sampleCount: 1, tokensPerSample: text.count)],
          [text.indices.map { TokenQuery(text.last!, after: $0) }])[0]
      }
      #expect(found[0] == expected, "\(shared) tokens")
    }
  }

  @Test("samples of other lengths than the scratch was made for, as long as there is room")
  func lengths() throws {
    let golden = try GoldenModel("mha-f32")
    let model = try golden.model(.float32)
    let tokens = golden.leaf(0..<1).tokens
    func group(_ count: Int) -> SampleGroup { SampleGroup(beginning: Array(tokens.prefix(count))) }
    // Three samples of 37 tokens take two tiles of 32 each: room for six of 16.
    let expected = try scores(model, [Leaf([group(16)])], [[TokenQuery(7, after: 15)]])[0]
    let leaf = Leaf(Array(repeating: group(16), count: 6))
    let found = try scores(
      model, [leaf], [(0..<6).map { TokenQuery(7, after: 16 * $0 + 15) }])[0]
    #expect(found == Array(repeating: expected[0], count: 6))
    #expect(model.limits.admits(sampleLengths: Array(repeating: 16, count: 6)))
    #expect(!model.limits.admits(sampleLengths: [38]))
    #expect(!model.limits.admits(sampleLengths: Array(repeating: 16, count: 7)))
  }

  @Test("a token that the vocabulary lacks is refused")
  func outside() throws {
    let golden = try GoldenModel("mha-f32")
    let model = try golden.model(.float32)
    let token = Int32(model.shape.vocabularySize)
    #expect(
      throws: TransformerError.tokenOutsideVocabulary(
        token: token, vocabularySize: model.shape.vocabularySize)
    ) {
      try scores(model, [golden.leaf], [[TokenQuery(token, after: 0)]])
    }
  }

  @discardableResult
  private func scores(
    _ model: Llama, _ leaves: [Leaf], _ queries: [[TokenQuery]]
  ) throws -> [[TokenScore]] {
    try model.forward(leaves)
    return try model.scores(of: leaves, queries) {}
  }
}
