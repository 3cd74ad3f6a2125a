import Testing
import Tokenizer

/// The lists that other formats are written from.
@Suite struct ContentsTests {
  @Test func ofSentencePiece() throws {
    let contents = try Golden.file("llama2.model").withUnsafeBytes {
      try TokenizerContents(sentencePieceModel: $0)
    }
    #expect(contents.kind == .scalars && contents.addsSpacePrefix && contents.merges.isEmpty)
    #expect(contents.tokens.count == 2400)
    #expect(contents.tokens.prefix(4).map(\.text) == ["<unk>", "<s>", "</s>", "<0x00>"])
    #expect(contents.tokens.prefix(4).map(\.kind) == [.unknown, .control, .control, .byte])
    #expect(contents.tokens[259].kind == .normal && contents.tokens[259].score == 0)
    #expect(contents.tokens[260].score == -1)
    #expect(contents.prefix == [1])
  }

  @Test func ofTokenizerJSON() throws {
    let llama = try Golden.file("llama2.json").withUnsafeBytes {
      try TokenizerContents(tokenizerJSON: $0)
    }
    #expect(llama.kind == .scalars && llama.addsSpacePrefix && llama.prefix == [1])
    #expect(llama.tokens.prefix(4).map(\.kind) == [.unknown, .control, .control, .byte])
    #expect(llama.merges.first.map { $0.joined() } == llama.tokens[259].text)

    let qwen = try Golden.file("qwen2.json").withUnsafeBytes {
      try TokenizerContents(tokenizerJSON: $0)
    }
    #expect(qwen.kind == .bytes(.qwen2) && !qwen.addsSpacePrefix && qwen.prefix.isEmpty)
    #expect(qwen.tokens.suffix(2).map(\.text) == ["<|im_end|>", "<tool_call>"])
    #expect(qwen.tokens.suffix(2).map(\.kind) == [.control, .userDefined])
  }
}
