import Foundation
import Questions
import Testing
import Tokenizer

struct PairTests {
  @Test("a continuation longer than the model's positions is refused; nothing else is cut from it")
  func tooLong() throws {
    var encoder = try encoder(positions: 4)
    do {
      _ = try encoder.encode(.init(context: "a b c d e f g h", continuation: " one two three"))
      Issue.record("it was taken")
    } catch PairDefect.continuationTooLong(let count, let limit) {
      #expect(count > 4 && limit == 4)
    }
    let short = try encoder.encode(.init(context: "a b c d e f g h", continuation: "."))
    #expect(short.isTruncated && short.input.count == 4)
  }

  @Test("no token stands before nothing")
  func noPrefix() throws {
    var encoder = try encoder(prefix: nil, positions: 64)
    #expect(throws: PairDefect.noPrefix) {
      try encoder.encode(.init(context: "", continuation: " a"))
    }
  }

  @Test("a continuation that adds no token is refused")
  func noContinuation() throws {
    var encoder = try encoder(positions: 64)
    #expect(throws: PairDefect.noContinuation) {
      try encoder.encode(.init(context: "a", continuation: ""))
    }
    #expect(throws: PairDefect.noContinuation) {
      try encoder.encode(.init(context: "", continuation: "<s>"))
    }
  }

  private func encoder(
    prefix: PrefixToken? = PrefixToken(id: 1, text: "<s>"), positions: Int
  ) throws -> PairEncoder {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "TokenizerTests/Golden/llama2.json")
    let tokenizer = try Data(contentsOf: path).withUnsafeBytes { try Tokenizer(tokenizerJSON: $0) }
    return PairEncoder(tokenizer, prefix: prefix, positionCount: positions)
  }
}
