import FlapTestKit
import Foundation
import SystemPackage
import Testing
import TextData

/// Lines of files of JSON lines, and which token stands before a text.
@Suite struct TextLinesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func lines(_ bytes: [UInt8], _ name: String = "a.jsonl") throws -> [String] {
    let path = try folder.write(bytes, to: name)
    var lines = try TextLines(path: FilePath(path))
    var found: [String] = []
    while let (number, bytes) = try lines.next() {
      found.append("\(number) " + String(decoding: bytes, as: UTF8.self))
    }
    return found
  }

  @Test("blank lines are passed over, and counted; the last needs no end")
  func plain() throws {
    #expect(try lines(Array("a\n\n \t\r\nb\r\nc".utf8)) == ["1 a", "4 b\r", "5 c"])
    #expect(try lines([0xEF, 0xBB, 0xBF] + Array("a\nb\n".utf8)) == ["1 a", "2 b"])
    #expect(try lines([]) == [])
  }

  @Test("long lines come in several reads")
  func long() throws {
    let text = String(repeating: "word ", count: 200_000)
    #expect(try lines(Array("\(text)\n\(text)x\n".utf8)) == ["1 \(text)", "2 \(text)x"])
  }

  @Test("what is not UTF-8 is refused with its place; a text is no list of lines")
  func refused() throws {
    #expect(throws: TextDataError.invalidUTF8(path: folder.path("a.jsonl"), offset: 4)) {
      try lines(Array("ab\nc".utf8) + [0xFF, 0x0A])
    }
    #expect(throws: TextDataError.notLines(path: folder.path("a.txt"))) {
      try lines([0x61], "a.txt")
    }
  }

  static let tokenizer = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "TokenizerTests/Golden")

  @Test(
    "the beginning or the end, by the files of a tokenizer",
    arguments: [
      ("llama2.json", #"{"bos_token": "<s>"}"#, nil, "<s>"),
      ("llama2.json", #"{"bos_token": {"content": "</s>"}}"#, nil, "</s>"),
      ("llama2.json", #"{"bos_token": null, "eos_token": "</s>"}"#, nil, "</s>"),
      ("llama2.json", "{}", #"{"bos_token": "<s>"}"#, "<s>"),
      ("llama2.json", nil, nil, nil),
      ("llama2.json", #"{"tokenizer_class": "LlamaTokenizerFast"}"#, nil, "<s>"),
      ("llama2.json", #"{"bos_token": "missing"}"#, nil, nil),
      ("qwen2.json", #"{"bos_token": null, "eos_token": "<|im_end|>"}"#, nil, "<|im_end|>"),
      ("qwen2.json", #"{"tokenizer_class": "Qwen2Tokenizer"}"#, nil, "<|endoftext|>"),
      ("llama2.model", #"{"tokenizer_class": "LlamaTokenizer"}"#, nil, "<s>"),
    ] as [(String, String?, String?, String?)])
  func beginnings(name: String, settings: String?, map: String?, text: String?) throws {
    let kind = name.hasSuffix(".json") ? "tokenizer.json" : "tokenizer.model"
    try FileManager.default.copyItem(
      at: TextLinesTests.tokenizer.appending(path: name),
      to: URL(filePath: folder.path(kind)))
    if let settings {
      _ = try folder.write(Array(settings.utf8), to: "tokenizer_config.json")
    }
    if let map { _ = try folder.write(Array(map.utf8), to: "special_tokens_map.json") }
    let token = try TokenizerFolder.beginningOrEnd(FilePath(folder.path(".")))
    #expect(token?.text == text)
  }
}
