import Testing
import Tokenizer

/// Token for token what the packages `tokenizers` and `sentencepiece` give, on 5.3 MB of text.
@Suite struct EqualityTests {
  @Test func textIsThatOfThePackages() throws {
    let digests = try Golden.textDigests()
    for document in try Golden.documents.get() {
      #expect(fnv64(document.text).hexadecimal == digests[document.index], "\(document.index)")
    }
  }

  @Test(arguments: [
    "llama1.json", "llama2.json", "llama2.model", "mistral.json", "words.json", "unfused.json",
    "llama3.json", "qwen2.json", "digits.json", "gpt2.json", "nfkc.model", "suffix.model",
    "noprefix.model",
  ])
  func tokensAreThoseOfThePackages(name: String) throws {
    let expected = try Golden.tokenDigests(name)
    var encoder = TokenEncoder(try Golden.tokenizer(name))
    for document in try Golden.documents.get() {
      let ids = document.text.withUnsafeBufferPointer { encoder.encode($0) }
      let digest = ids.withUnsafeBytes { fnv64($0) }.hexadecimal
      #expect("\(ids.count) \(digest)" == expected[document.index], "document \(document.index)")
    }
  }

  @Test func wordsMetBeforeChangeNothing() throws {
    let tokenizer = try Golden.tokenizer("llama3.json")
    var encoder = TokenEncoder(tokenizer)
    for word in ["the", "'S", "'ſ", "  x", "1234567", "a\r\n\r\n b", "\u{301}e\u{301}"] {
      for _ in 0..<2 {
        var word = word
        let ids = word.withUTF8 { encoder.encode($0) }
        #expect(ids == tokenizer.encode(word))
      }
    }
  }

  @Test func specialTokensAreLeftOutWhereAsked() throws {
    let tokenizer = try Golden.tokenizer("words.json")
    let ids = tokenizer.encode("the")
    #expect(ids.first == 1 && ids.last == 2)
    #expect(
      tokenizer.encode("the", addingSpecialTokens: false) == Array(ids.dropFirst().dropLast()))
  }

  @Test func vocabularySizeCountsAddedTokens() throws {
    #expect(try Golden.tokenizer("llama2.json").vocabularySize == 2400)
    #expect(try Golden.tokenizer("mistral.json").vocabularySize == 2402)
    #expect(try Golden.tokenizer("nfkc.model").vocabularySize == 1600)
  }

  /// Found by comparing random small tokenizers; the ids are those of `tokenizers` 0.22.2.
  @Test(arguments: [
    // A scalar without a token leaves its neighbours side by side.
    ("[]", "cab", [2] as [Int32]),
    // The first token takes the spaces of the second one along.
    (
      #"[{"id": 3, "content": "  ", "special": true, "lstrip": true, "rstrip": true}]"#,
      "c    b", [0, 3, 1]
    ),
  ])
  func oddTokenizers(added: String, text: String, ids: [Int32]) throws {
    let json =
      #"{"added_tokens": "# + added
      + #", "model": {"vocab": {"c": 0, "b": 1, "cb": 2}, "merges": [["c", "b"]]}}"#
    #expect(try Golden.tokenizer("odd.json", Array(json.utf8)).encode(text) == ids)
  }
}
