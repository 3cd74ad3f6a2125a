import FlapTestKit
import Foundation
import SystemPackage
import Testing
import TextData
import Tokenizer

/// Records of conversations become text by the model's chat template.
@Suite struct ConversationTests {
  private let folder: TemporaryFolder
  private let model: TemporaryFolder

  /// A model that writes `role:content;` and begins with its beginning.
  private static let template = """
    {{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}\
    {{ tools | length if tools else '' }}
    """

  init() throws {
    folder = try TemporaryFolder()
    model = try TemporaryFolder()
    try model.write(Array(#"{"bos_token": "<s>"}"#.utf8), to: "tokenizer_config.json")
    try model.write(Array(Self.template.utf8), to: "chat_template.jinja")
  }

  private func tokens(
    _ lines: String, field: String = "text", template: String? = nil, name: String = "a.jsonl"
  ) throws -> [Int32] {
    let path = try folder.write(Array(lines.utf8), to: name)
    return try TextWindows(
      path: FilePath(path), tokenizer: ByteTokenizer.tokenizer,
      sampling: TextSampling(
        order: .consecutive, sampleCount: nil, tokensPerSample: 1, textField: field),
      vocabularySize: 257,
      chatFormat: ChatFormat(
        folder: FilePath(model.path), template: template.map { FilePath($0) })
    ).tokens
  }

  private func refusal(_ lines: String, field: String = "text", template: String? = nil) -> String?
  {
    do {
      _ = try tokens(lines, field: field, template: template)
      return nil
    } catch {
      return "\(error)".replacing(folder.path, with: "DATA").replacing(model.path, with: "MODEL")
    }
  }

  /// Token 256 is the beginning, and comes from the template alone.
  private func ids(_ texts: String...) -> [Int32] {
    texts.flatMap { [256] + $0.utf8.map { Int32($0) } }
  }

  static let forms: [(String, String)] = [
    (
      #"{"messages": [{"role": "user", "content": "a\né"}, {"role": "assistant", "content": "b"}]}"#,
      "user:a\né;assistant:b;"
    ),
    (
      #"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#,
      "user:a;assistant:b;"
    ),
    (
      #"{"system": "s", "conversations": [{"from": "human", "value": "a"}]}"#, "system:s;user:a;"
    ),
    (
      #"{"system": "s", "conversations": [{"from": "system", "value": "t"}]}"#, "system:t;"
    ),
    (#"{"conversations": [{"role": "user", "content": "a"}]}"#, "user:a;"),
    (#"{"conversation": [{"role": "user", "content": null}]}"#, "user:None;"),
    (
      #"{"messages": [{"role": "user", "content": "a"}], "tools": [{"x": 1}, {}]}"#, "user:a;2"
    ),
    (#"{"messages": [{"role": "user", "content": "a"}], "tools": null}"#, "user:a;"),
    (#"{"instruction": "i", "input": "", "output": "o"}"#, "user:i;assistant:o;"),
    (#"{"instruction": "i", "input": "j", "output": "o"}"#, "user:i\nj;assistant:o;"),
    (
      #"{"instruction": "i", "output": "o", "system": "s", "history": [["a", "b"]]}"#,
      "system:s;user:a;assistant:b;user:i;assistant:o;"
    ),
    (#"{"text": null, "messages": [{"role": "user", "content": 1.50}]}"#, ""),
    (#"{"messages": []}"#, ""),
  ]

  @Test("the usual forms of records", arguments: forms)
  func form(line: String, text: String) throws {
    // What has no messages is no text.
    let before = #"{"text": "t"}"# + "\n"
    #expect(try tokens(before + line) == ids("t") + (text.isEmpty ? [] : ids(text)))
  }

  @Test func aTextCountsBeforeAConversation() throws {
    let line = #"{"messages": [{"role": "user", "content": "a"}], "text": "t"}"#
    #expect(try tokens(line) == ids("t"))
    // Named, the conversation counts.
    #expect(try tokens(line, field: "messages") == ids("user:a;"))
  }

  @Test func anyFieldOfMessagesCanBeNamed() throws {
    let line = #"{"chosen": [{"role": "user", "content": "a"}], "rejected": []}"#
    #expect(try tokens(line, field: "chosen") == ids("user:a;"))
  }

  @Test func anotherTemplateCanBeNamed() throws {
    let other = try folder.write(Array("{{ messages[0].content }}!".utf8), to: "other.jinja")
    let line = #"{"messages": [{"role": "user", "content": "a"}]}"#
    #expect(try tokens(line, template: other) == "a!".utf8.map { Int32($0) })
  }

  static let refusals: [(template: String?, line: String, message: String)] = [
    (
      nil, #"{"messages": [{"role": "user", "content": "a"}]}"#,
      "DATA/a.jsonl, line 2 is a conversation, and MODEL has no chat template: put the model's "
        + "chat_template.jinja there, name one with --chat-template, or a field of text with "
        + "--text-field"
    ),
    (
      "{{ raise_exception('Roles\nmust alternate') }}",
      #"{"messages": [{"role": "user", "content": "a"}]}"#,
      "DATA/a.jsonl, line 2: the chat template refuses the conversation: Roles must alternate"
    ),
    (
      "\n{{ messages[0].content + '' }}", #"{"messages": [{"role": "user", "content": 1}]}"#,
      "DATA/a.jsonl, line 2: the chat template of MODEL/chat_template.jinja fails: line 2 of the "
        + "template: a int and a str have no such operation: correct the conversation, or name "
        + "another template with --chat-template"
    ),
    (
      "{% include 'x' %}", #"{"messages": [{"role": "user", "content": 1}]}"#,
      "MODEL/chat_template.jinja: its chat template cannot be read: line 1 of the template: "
        + "{% include %} is not understood here: name another with --chat-template"
    ),
    (
      "x", #"{"messages": ["a"]}"#,
      "DATA/a.jsonl, line 2 is a conversation, but its message 1 is no object"
    ),
    (
      "x", #"{"conversations": [{"from": "human", "value": "a"}, {"from": "Bob", "value": "b"}]}"#,
      "DATA/a.jsonl, line 2 is a conversation, but its message 2 is from \"Bob\", which is none of "
        + "assistant, chatgpt, gpt, human, observation, system, tool, user"
    ),
    (
      "x", #"{"messages": [{"content": "a"}]}"#,
      "DATA/a.jsonl, line 2 is a conversation, but its message 1 has neither \"role\" nor \"from\" "
        + "and \"value\""
    ),
    (
      "x", #"{"messages": [{"role": "user"}], "tools": "[]"}"#,
      "DATA/a.jsonl, line 2 is a conversation, but \"tools\" is no list of objects"
    ),
    (
      "x", #"{"instruction": "a", "output": "b", "history": [["a"]]}"#,
      "DATA/a.jsonl, line 2 is a conversation, but \"history\" is no list of pairs"
    ),
    (
      "x", #"{"messages": [{"role": "user", "content": 99999999999999999999}]}"#,
      "DATA/a.jsonl, line 2 is a conversation, but it holds a number beyond 64 bits or is nested "
        + "too deeply"
    ),
    (
      "x", #"{"instruction": "a"}"#,
      "DATA/a.jsonl, line 2 has no text in the field \"text\": name another with --text-field "
        + "(there are instruction)"
    ),
  ]

  @Test("what is wrong is told with its line", arguments: refusals)
  func refused(template: String?, line: String, message: String) throws {
    let file = model.path("chat_template.jinja")
    if let template {
      try model.write(Array(template.utf8), to: "chat_template.jinja")
    } else {
      try FileManager.default.removeItem(atPath: file)
    }
    #expect(refusal("{\"text\": \"fine\"}\n" + line) == message)
  }

  @Test func templatesWithoutADefaultAreNamed() throws {
    try FileManager.default.removeItem(atPath: model.path("chat_template.jinja"))
    try model.write(
      Array(
        #"{"chat_template": [{"name": "b", "template": ""}, {"name": "a", "template": ""}]}"#.utf8),
      to: "tokenizer_config.json")
    #expect(
      refusal(#"{"messages": [{"role": "user", "content": 1}]}"#)
        == "MODEL has the chat templates a, b and none called default: name a file with "
        + "--chat-template")
  }

  @Test func chatTemplateJSONIsTheLastPlace() throws {
    try FileManager.default.removeItem(atPath: model.path("chat_template.jinja"))
    try model.write(
      Array(#"{"chat_template": "j{{ messages | length }}"}"#.utf8), to: "chat_template.json")
    #expect(
      try tokens(#"{"messages": [{"role": "user"}]}"#) == "j1".utf8.map { Int32($0) })
  }

  @Test("a template that cannot be read hurts only those who need it")
  func unneeded() throws {
    try model.write(Array("{% include 'x' %}".utf8), to: "chat_template.jinja")
    try model.write(Array("no JSON".utf8), to: "tokenizer_config.json")
    #expect(try tokens(#"{"text": "t"}"#) == ids("t"))
  }

  /// A folder of a checkpoint, conversations and what transformers makes of them.
  private struct Checkpoint: Decodable {
    let tokenizer: String
    let files: [String: String]
    let lines: String
    let ids: [Int32]
  }

  @Test func idsAreThoseOfTransformers() throws {
    let golden = Bundle.module.bundleURL.appending(path: "Golden/chat.json")
    let checkpoints = try JSONDecoder().decode([Checkpoint].self, from: Data(contentsOf: golden))
    #expect(checkpoints.count > 15)
    let tokenizers = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizerTests/Golden")
    for (index, checkpoint) in checkpoints.enumerated() {
      let model = try TemporaryFolder()
      for (name, text) in checkpoint.files {
        let file = URL(filePath: model.path(name))
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
      let tokenizer = tokenizers.appending(path: "\(checkpoint.tokenizer).json")
      try FileManager.default.copyItem(
        atPath: tokenizer.path, toPath: model.path("tokenizer.json"))
      let data = try folder.write(Array(checkpoint.lines.utf8), to: "\(index).jsonl")
      let windows = try TextWindows(
        path: FilePath(data), tokenizer: try TokenizerFolder.load(FilePath(model.path)),
        sampling: TextSampling(order: .consecutive, sampleCount: nil, tokensPerSample: 1),
        vocabularySize: 4000, chatFormat: ChatFormat(folder: FilePath(model.path)))
      #expect(windows.tokens == checkpoint.ids, "checkpoint \(index)")
      #expect(windows.summary.conversationCount == 2)
    }
  }

  @Test func aSentencePieceModelAloneIsRefused() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizerTests/Golden/llama2.model")
    let tokenizer = try Array(try Data(contentsOf: file)).withUnsafeBytes {
      try Tokenizer(sentencePieceModel: $0)
    }
    let path = try folder.write(
      Array(#"{"messages": [{"role": "user", "content": "a"}]}"#.utf8), to: "a.jsonl")
    let error = #expect(throws: TextDataError.self) {
      try TextWindows(
        path: FilePath(path), tokenizer: tokenizer,
        sampling: TextSampling(order: .consecutive, sampleCount: nil, tokensPerSample: 1),
        vocabularySize: 4000, chatFormat: ChatFormat(folder: FilePath(model.path)))
    }
    #expect(error == .conversationWithoutTokenizerJSON(place: "\(path), line 1"))
  }
}
