import Foundation
import Questions
import Testing
import Tokenizer

/// What lm-evaluation-harness makes of the same texts and numbers (`make_golden.py`).
struct GoldenTests {
  private struct Pairs: Decodable {
    struct Case: Decodable {
      let context: String
      let continuation: String
      /// nil where the harness has no answer.
      let input: [Int32]?
      let tokens: [Int32]?
    }
    let tokenizer: String
    let positions: Int
    let prefix: Int32
    let prefixText: String
    let cases: [Case]
  }

  private struct Scores: Decodable {
    let lines: [String]
    let logLikelihoods: [[Double]]
    /// Mean and standard error by metric.
    let scores: [String: [Double]]
  }

  @Test(
    "contexts and continuations as tokens", arguments: ["llama2", "mistral", "llama3", "qwen2"])
  func pairs(name: String) throws {
    let all = try read([Pairs].self, "pairs.json")
    let golden = try #require(all.first { $0.tokenizer == name })
    let path = repository.appending(path: "Tests/TokenizerTests/Golden/\(name).json")
    let tokenizer = try Data(contentsOf: path).withUnsafeBytes {
      try Tokenizer(tokenizerJSON: $0)
    }
    var encoder = PairEncoder(
      tokenizer, prefix: PrefixToken(id: golden.prefix, text: golden.prefixText),
      positionCount: golden.positions)
    #expect(golden.cases.count > 20)
    for pair in golden.cases {
      let request = Question.Request(context: pair.context, continuation: pair.continuation)
      guard let tokens = pair.tokens else {
        #expect(throws: PairDefect.noPrefix) { try encoder.encode(request) }
        continue
      }
      let encoded = try encoder.encode(request)
      #expect(encoded.continuation == tokens, "\(pair.context)|\(pair.continuation)")
      #expect(encoded.input == pair.input, "\(pair.context)|\(pair.continuation)")
    }
  }

  @Test("accuracies and standard errors, of many equal log-likelihoods too", arguments: [0, 1])
  func scores(set: Int) throws {
    let golden = try read([Scores].self, "scores.json")[set]
    let questions = try golden.lines.map { line in
      try Data(line.utf8).withUnsafeBytes { try Question(line: $0) }
    }
    let answers = zip(questions, golden.logLikelihoods).map {
      QuestionAnswer($0, logLikelihoods: $1)
    }
    let scores = TaskScore.scores(questions, answers)
    let score = try #require(scores.first)
    #expect(scores.count == 1 && score.questionCount == questions.count)
    let found = [
      "acc": score.accuracy, "acc_norm": score.normalizedByCharacters,
      "acc_bytes": score.normalizedByBytes,
    ]
    for (metric, accuracy) in found {
      let expected = try #require(golden.scores[metric])
      #expect(accuracy.value == expected[0], "\(metric)")
      // The harness sums squares, answer by answer.
      let error = try #require(accuracy.standardError)
      #expect(abs(error - expected[1]) < 1e-12, "\(metric)")
    }
  }

  private let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func read<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let url = try #require(Bundle.module.url(forResource: "Golden/\(name)", withExtension: nil))
    return try decoder.decode(type, from: Data(contentsOf: url))
  }
}
