import FlapCore
import FlapTestKit
import SystemPackage
import Testing
import TextData

/// Which windows are chosen.
@Suite struct SamplingTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A text of `count` bytes that differ from their neighbours; `count` + 1 tokens.
  private func text(_ count: Int) -> String {
    String(decoding: (0..<count).map { UInt8(33 + $0 * 7 % 90) }, as: UTF8.self)
  }

  private func write(_ texts: [String], to name: String = "a.jsonl") throws -> String {
    let lines = texts.map { text in
      #"{"text": ""# + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + #""}"#
    }
    return try folder.write(Array(lines.joined(separator: "\n").utf8), to: name)
  }

  private func windows(
    _ path: String, _ order: TextSampling.Order, count: Int?, length: Int, vocabulary: Int = 257
  ) throws -> TextWindows {
    try TextWindows(
      path: FilePath(path), tokenizer: ByteTokenizer.tokenizer,
      sampling: TextSampling(order: order, sampleCount: count, tokensPerSample: length),
      vocabularySize: vocabulary)
  }

  private func rows(_ windows: TextWindows) -> [[Int32]] {
    (0..<windows.sampleCount).map {
      Array(windows.tokens[$0 * windows.tokensPerSample..<($0 + 1) * windows.tokensPerSample])
    }
  }

  @Test func consecutiveWindowsRunOverTexts() throws {
    let path = try write(["abc", "defgh", "i"])
    let all = try windows(path, .consecutive, count: nil, length: 4)
    #expect(rows(all) == [[256, 97, 98, 99], [256, 100, 101, 102], [103, 104, 256, 105]])
    #expect(try rows(windows(path, .consecutive, count: 2, length: 4)).count == 2)
  }

  @Test func consecutiveWindowsMayOverlap() throws {
    let path = try write(["abc", "defgh", "i"])
    func overlapping(_ stride: Int, count: Int? = nil) throws -> [[Int32]] {
      try rows(
        TextWindows(
          path: FilePath(path), tokenizer: ByteTokenizer.tokenizer,
          sampling: TextSampling(
            order: .consecutive, sampleCount: count, tokensPerSample: 4, stride: stride),
          vocabularySize: 257))
    }
    // 12 tokens: a window begins at 0, 3 and 6.
    #expect(
      try overlapping(3) == [[256, 97, 98, 99], [99, 256, 100, 101], [101, 102, 103, 104]])
    #expect(try overlapping(1).count == 9)
    #expect(try overlapping(3, count: 2).count == 2)
    #expect(try overlapping(4) == rows(windows(path, .consecutive, count: nil, length: 4)))
  }

  @Test func randomWindowsLieWithinTextsAndDiffer() throws {
    let texts = [text(300), "short", text(40), text(64)]
    let path = try write(texts)
    let drawn = try windows(path, .random(seed: 3), count: 9, length: 32)
    let ids = texts.map { [256] + $0.utf8.map { Int32($0) } }
    let chosen = rows(drawn)
    #expect(Set(chosen).count == 9)
    for row in chosen {
      #expect(
        ids.contains { text in
          text.indices.contains { $0 + 32 <= text.count && Array(text[$0..<$0 + 32]) == row }
        })
    }
  }

  /// Every text that is long enough gets its share, however long.
  @Test func textsAreDrawnEvenly() throws {
    let path = try write([text(20_000), String(repeating: "é", count: 500)])
    let drawn = try windows(path, .random(seed: 0), count: 400, length: 16)
    let short = rows(drawn).count { $0.allSatisfy { $0 >= 128 } }
    // Binomial, 400 draws of a half: 200 ± 10 is one standard deviation.
    #expect((150...250).contains(short))
  }

  @Test func theSeedDecides() throws {
    let path = try write([text(5000)])
    let first = try windows(path, .random(seed: 1), count: 8, length: 16)
    #expect(try windows(path, .random(seed: 1), count: 8, length: 16).digest == first.digest)
    #expect(try windows(path, .random(seed: 2), count: 8, length: 16).digest != first.digest)
    // By make_golden.py. Never to change: a recorded run must find the same windows again.
    #expect(
      first.digest.hexadecimal
        == "34954984e1e80e3f73e1ad5465cfbe7572655d72ef6d7b11c49d5da56e932944")
  }

  @Test func everyWindowOfATightTextIsFound() throws {
    // 10 tokens: 2 windows of 4 that do not overlap, 7 places.
    let path = try write([text(9)])
    #expect(try Set(rows(windows(path, .random(seed: 1), count: 2, length: 4))).count == 2)
    // A text of one place among others is taken once and then left.
    let many = try write(Array(repeating: text(7), count: 5) + [text(79)], to: "b.jsonl")
    #expect(try windows(many, .random(seed: 1), count: 15, length: 8).sampleCount == 15)
  }

  @Test(arguments: [
    (TextSampling.Order.consecutive, 6, "holds 5 windows of 4 tokens, and 6 are asked for"),
    (.random(seed: 1), 5, "holds 4 windows of 4 tokens within its texts, and 5 are asked for"),
  ])
  func tooShortTextsAreRefused(order: TextSampling.Order, count: Int, reason: String) throws {
    // 10, 10 and 1 tokens.
    let path = try write([text(9), text(9), "", "x"])
    do {
      _ = try windows(path, order, count: count, length: 4)
      Issue.record("was sampled")
    } catch {
      #expect("\(error)".contains(reason), "\(error)")
    }
  }

  @Test func tokensOutsideTheVocabularyAreRefused() throws {
    let path = try write([text(100)])
    #expect(throws: TextDataError.tokenOutsideVocabulary(token: 256, size: 256)) {
      try windows(path, .consecutive, count: 1, length: 4, vocabulary: 256)
    }
  }

  @Test func whatWasReadIsSummed() throws {
    let path = try write(["abc", "defgh"])
    let summary = try windows(path, .consecutive, count: nil, length: 2).summary
    #expect("\(summary)" == "1 file, 2 texts, 8 bytes; 10 tokens made")
  }
}
