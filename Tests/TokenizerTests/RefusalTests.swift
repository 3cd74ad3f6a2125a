import FlapTestKit
import Testing
import Tokenizer

/// What is not supported is refused by its name, in one line.
@Suite struct RefusalTests {
  private static let model = #""model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "#

  private static func refusal(_ json: String) -> String? {
    do {
      _ = try Array(json.utf8).withUnsafeBytes {
        try Tokenizer(tokenizerJSON: $0, path: "x/tokenizer.json")
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func aSmallOneIsRead() throws {
    let json = "{" + RefusalTests.model + #""merges": ["a b"]}}"#
    let tokenizer = try Array(json.utf8).withUnsafeBytes { try Tokenizer(tokenizerJSON: $0) }
    #expect(tokenizer.encode("abxba") == [2, 1, 0])
  }

  @Test(arguments: [
    (#""normalizer": {"type": "Lowercase"}"#, "normalizer Lowercase"),
    (#""normalizer": {"type": "NFKC"}"#, "normalizer NFKC"),
    (
      #""normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}"#,
      "normalizer Replace of a+"
    ),
    (#""pre_tokenizer": {"type": "Whitespace"}"#, "pre_tokenizer Whitespace"),
    (
      #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#,
      "pre_tokenizer Split"
    ),
    (
      #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "#
        + #""pattern": {"Regex": "\\w+\n"}, "behavior": "Isolated"}, {"type": "ByteLevel"}]}"#,
      #"pre_tokenizer Split by \w+?"#
    ),
    (#""post_processor": {"type": "BertProcessing"}"#, "post_processor BertProcessing"),
  ])
  func unsupportedPartsAreNamed(part: String, name: String) throws {
    let json = "{" + part + "," + RefusalTests.model + #""merges": []}}"#
    let line = try #require(RefusalTests.refusal(json))
    #expect(line.hasPrefix("x/tokenizer.json: the \(name)"), "\(line)")
    #expect(line.contains("not supported") && !line.contains("\n"))
  }

  @Test(arguments: [
    (#"{"model": {"type": "Unigram", "vocab": [["a", 0]]}}"#, "list as vocabulary"),
    (#"{"model": {"type": "WordPiece", "vocab": {"a": 0}}}"#, "model WordPiece"),
    (#"{"model": {"vocab": {"a": 0}, "dropout": 0.1}}"#, "with dropout"),
    (#"{"model": {"vocab": {"a": 0}, "end_of_word_suffix": "</w>"}}"#, "end_of_word_suffix"),
    (#"{"model": {"vocab": {"a": 0}, "merges": ["a b"]}}"#, "needs \"ab\""),
    (#"{"model": {"vocab": {"a": 0}, "merges": ["a"]}}"#, "no pair"),
    (#"{"model": {"vocab": {"a": 0, "a": 1}}}"#, "twice"),
    (#"{"model": {"vocab": {}}}"#, "no vocabulary"),
    (#"{"model": {"vocab": {"a": 0}, "unk_token": "u"}}"#, "unk_token"),
    (#"{"model": {"vocab": {"a": -1}}}"#, "not valid JSON at byte 28"),
    (#"{"model": {"vocab": {"a": 0}}} x"#, "not valid JSON at byte 31"),
    (#"{"added_tokens": [{"id": 3, "content": "a"}], "model": {"vocab": {"a": 0}}}"#, "differ"),
    (#"{}"#, "model is missing"),
    ("", "not valid JSON at byte 0"),
    (String(repeating: "[", count: 100_000), "not valid JSON"),
    (#"{"x":"# + String(repeating: "[", count: 100_000), "not valid JSON"),
  ])
  func malformedFilesAreRefused(json: String, reason: String) throws {
    let line = try #require(RefusalTests.refusal(json))
    #expect(line.contains(reason), "\(line)")
  }

  @Test func mergesMayComeBeforeTheVocabulary() throws {
    let json = #"{"model": {"merges": [["a", "b"]], "vocab": {"a": 0, "b": 1, "ab": 2}}}"#
    let tokenizer = try Array(json.utf8).withUnsafeBytes { try Tokenizer(tokenizerJSON: $0) }
    #expect(tokenizer.encode("ab") == [2])
  }

  @Test(
    arguments: [
      // trainer_spec { model_type: 1 } and a piece
      ([0x0A, 3, 0x0A, 1, 0x61, 0x12, 2, 0x18, 1], "model type unigram"),
      ([0x0A, 5, 0x0A, 1, 0x61, 0x18, 5, 0x12, 2, 0x18, 2], "piece type unused"),
      ([0x0A, 5, 0x0A, 1, 0x61, 0x18, 5, 0x12, 2, 0x18], "ends too early"),
      ([0x0A, 5, 0x0A, 1, 0x61, 0x18, 9], "unknown type 9"),
      ([0x12, 2, 0x18, 2], "no pieces"),
      ([], "no pieces"),
    ] as [([UInt8], String)])
  func sentencePieceModelsAreRefused(bytes: [UInt8], reason: String) {
    do {
      _ = try bytes.withUnsafeBytes { try Tokenizer(sentencePieceModel: $0) }
      Issue.record("was read")
    } catch {
      #expect("\(error)".contains(reason), "\(error)")
    }
  }

  /// Damaged files are refused or read; they never trap.
  @Test(arguments: ["llama2.json", "qwen2.json", "nfkc.model", "noprefix.model"])
  func damagedFilesNeverTrap(name: String) throws {
    let whole = try Golden.file(name)
    var random = SeededGenerator(seed: 5)
    #if DEBUG
      let count = 3
    #else
      let count = 60
    #endif
    for _ in 0..<count {
      var bytes = whole
      for _ in 0..<random.below(4) {
        bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.chance(0.3) { bytes.removeLast(random.below(bytes.count)) }
      if let tokenizer = try? Golden.tokenizer(name, bytes) {
        _ = tokenizer.encode("The quick  brown fox – ﬁne Å ½ 123\n")
      }
    }
  }
}
