import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

/// Text instead of token ids, read with the tokenizer in the model's folder.
@Suite(.serialized)
struct TextInputTests {
  private static let story = (0..<400).map { index in
    ["The farmer sees a wolf.", "The queens eat the apples, she said.", "Owls run."][index % 3]
  }.joined(separator: " ")

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func calibrate(
    _ data: String, model: String = Programs.model, _ more: [String]
  ) throws -> Programs.Outcome {
    try Programs.coordinator(
      [
        "calibrate", "--model", model, "--calibration", data, "--output",
        folder.path("statistics.safetensors"), "--local-workers", "1", "--threads", "1",
      ] + more)
  }

  private func statistics(_ data: String, _ more: String...) throws -> Digest {
    let outcome = try calibrate(
      data, ["--samples", "20", "--sequence-length", "32", "--quiet"] + more)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try SmallFile.digest(FilePath(folder.path("statistics.safetensors")))
  }

  @Test("a text gives the same samples in whatever form; the seed and the order give others")
  func forms() throws {
    let text = try folder.write(Array(Self.story.utf8), to: "story.txt")
    let line = try JSONEncoder().encode(["story": Self.story])
    let lines = try folder.write(Array(line), to: "story.jsonl")
    let expected = try statistics(text)
    #expect(try statistics(lines, "--text-field", "story") == expected)
    let rows = "id,story\n1,\"" + Self.story + "\"\n"
    let table = try folder.write(Array(rows.utf8), to: "story.csv")
    #expect(try statistics(table, "--text-field", "story") == expected)
    let array = try folder.write(Array(JSONEncoder().encode([Self.story])), to: "story.json")
    #expect(try statistics(array) == expected)
    #expect(try statistics(text, "--seed", "0", "--sampling", "random") == expected)
    #expect(try statistics(text, "--seed", "1") != expected)
    #expect(try statistics(text, "--sampling", "consecutive") != expected)
  }

  @Test("standard input is read as a file is; what is read twice wants a file")
  func standardInput() throws {
    let text = try folder.write(Array(Self.story.utf8), to: "story.txt")
    let expected = try statistics(text)
    let process = Process()
    process.executableURL = Programs.folder.appending(path: "flap-coord")
    process.arguments = [
      "calibrate", "--model", Programs.model, "--calibration", "-", "--output",
      folder.path("statistics.safetensors"), "--local-workers", "1", "--threads", "1",
      "--samples", "20", "--sequence-length", "32", "--quiet",
    ]
    process.standardInput = try FileHandle(forReadingFrom: URL(filePath: text))
    let outcome = try Programs.outcome(of: process)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(try SmallFile.digest(FilePath(folder.path("statistics.safetensors"))) == expected)
    let twice = try Programs.coordinator([
      "--model", Programs.model, "--calibration", text, "--eval", "-", "--ratio", "0.2",
      "--samples", "4", "--output", folder.path("out"),
    ])
    #expect(twice.exitCode != 0)
    #expect(twice.standardError.contains("give --eval a file"), "\(twice.standardError)")
  }

  @Test("pads are no input: rows of any length give the samples of their tokens in a row")
  func pads() throws {
    /// A `.npy` of int64.
    func ids(_ rows: [[Int64]], _ name: String) throws -> String {
      let header =
        "{'descr': '<i8', 'fortran_order': False, 'shape': (\(rows.count), \(rows[0].count)), }"
      let padding = String(repeating: " ", count: 117 - header.utf8.count) + "\n"
      var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0]
      bytes += Array((header + padding).utf8)
      for id in rows.joined() { withUnsafeBytes(of: id.littleEndian) { bytes += $0 } }
      return try folder.write(bytes, to: name)
    }
    func measured(_ data: String, _ more: String...) throws -> Digest {
      let outcome = try calibrate(data, ["--quiet"] + more)
      try #require(outcome.exitCode == 0, "\(outcome.standardError)")
      return try SmallFile.digest(FilePath(folder.path("statistics.safetensors")))
    }
    let tokens: [Int64] = (0..<128).map { (index: Int) -> Int64 in Int64(5 + index * 7 % 90) }
    let samples = (0..<8).map { (row: Int) -> [Int64] in Array(tokens[16 * row..<16 * row + 16]) }
    let whole = try ids(samples, "whole.npy")
    var rows: [[Int64]] = []
    var start = 0
    while start < tokens.count {
      let row = Array(tokens[start..<min(start + 3 + rows.count % 18, tokens.count)])
      let pads = Array(repeating: Int64(-1), count: 24 - row.count)
      rows.append(rows.count % 2 == 0 ? row + pads : pads + row)
      start += row.count
    }
    let padded = try ids(rows, "padded.npy")
    #expect(try measured(padded, "--pad-id", "-1", "--sequence-length", "16") == measured(whole))
    let without = try calibrate(padded, [])
    #expect(without.standardError.contains("--pad-id -1 leaves it out"), "\(without.standardError)")
    #expect(without.exitCode != 0)
  }

  @Test("eval takes the windows of a text one after another, all of them")
  func evaluation() throws {
    let text = try folder.write(Array(Self.story.utf8), to: "story.txt")
    let outcome = try Programs.coordinator([
      "eval", "--model", Programs.model, "--data", text, "--sequence-length", "32", "--json",
      "--quiet",
    ])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let data = Data(outcome.standardOutput.utf8)
    let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    // Every window of 32 tokens predicts 31.
    let tokens = try #require(result["tokens"] as? Int)
    #expect(tokens > 1000)
    #expect(tokens % 31 == 0)
    #expect(result["window"] as? Int == 32 && result["stride"] as? Int == 32)
  }

  @Test("windows are told, and those beyond what the model was made for warned of")
  func windows() throws {
    let text = try folder.write(Array(Self.story.utf8), to: "story.txt")
    func evaluate(_ more: [String]) throws -> Programs.Outcome {
      try Programs.coordinator(
        ["eval", "--model", Programs.model, "--data", text, "--local-workers", "1"] + more)
    }
    let sliding = try evaluate(["--window", "64", "--stride", "16", "--samples", "9"])
    #expect(sliding.standardOutput.contains(" over 191 tokens in windows of 64, stride 16"))
    let long = try evaluate(["--window", "600", "--samples", "1"])
    #expect(long.standardOutput.contains(" over 599 tokens in windows of 600"))
    #expect(long.standardError.contains("(max_position_embeddings 512)"))
    for (options, message) in [
      (["--stride", "129"], "--stride 129 is not 1 to 128"),
      (["--stride", "0"], "--stride 0 is not 1 to 128"),
      (["--stride", "9", "--sampling", "random"], "--stride is for consecutive samples"),
      (["--stride", "9", "--launcher", "none"], "--stride starts workers twice"),
    ] {
      let outcome = try Programs.coordinator(
        ["eval", "--model", Programs.model, "--data", text] + options)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
    let ids = try Programs.coordinator(
      ["eval", "--model", Programs.model, "--data", Programs.calibration, "--stride", "9"])
    #expect(ids.standardError.contains("--stride is for text"))
  }

  @Test("line ends of Windows are read as those of Unix, and told; --keep-line-ends keeps them")
  func lineEnds() throws {
    let lines = Self.story.replacing(". ", with: ".\n")
    let unix = try folder.write(Array(lines.utf8), to: "unix.txt")
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let windows = try folder.write(
      mark + Array(lines.replacing("\n", with: "\r\n").utf8), to: "windows.txt")
    let expected = try statistics(unix)
    #expect(try statistics(windows) == expected)
    #expect(try statistics(windows, "--keep-line-ends") != expected)
    #expect(try statistics(unix, "--keep-line-ends") == expected)
    let sizes = ["--samples", "20", "--sequence-length", "32"]
    let outcome = try calibrate(windows, sizes)
    let told = outcome.standardError.split(separator: "\n").filter { $0.contains("line ends") }
    #expect(told.count == 1, "\(outcome.standardError)")
    #expect(told.first?.contains("are read as LF; --keep-line-ends takes them as they are") == true)
    #expect(try !calibrate(unix, sizes).standardError.contains("line ends"))
  }

  @Test("conversations are read by the model's chat template, or another that is named")
  func conversations() throws {
    let conversation: [String: [[String: String]]] = [
      "messages": [
        ["role": "user", "content": "A story?"], ["role": "assistant", "content": Self.story],
      ]
    ]
    let data = try folder.write(
      Array(try JSONEncoder().encode(conversation)), to: "conversations.jsonl")
    let written = "A story? \(Self.story)"
    let same = try folder.write(Array(written.utf8), to: "written.txt")
    let template = try folder.write(
      Array("{{ bos_token }}{{ messages | join(' ', 'content') }}".utf8), to: "template.jinja")
    let options = ["--samples", "20", "--sequence-length", "32"]
    try expectRefusal(
      try calibrate(data, options), saying: "\(data), line 1 is a conversation, and ")
    try expectRefusal(
      try calibrate(same, options + ["--chat-template", template]),
      saying: "--chat-template is for conversations: \(same) holds none")
    // The beginning of a text is what the template writes, once.
    #expect(try statistics(data, "--chat-template", template) == statistics(same))
    let model = try folder.copyModel()
    try FileManager.default.copyItem(atPath: template, toPath: model + "/chat_template.jinja")
    let outcome = try calibrate(data, model: model, options)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(outcome.standardError.contains("1 text (1 by the chat template)"))
  }

  static let refusals: [(file: String, content: [UInt8], options: [String], message: String)] = [
    ("short.txt", Array("Owls run.".utf8), [], "holds 0 windows of 128 tokens"),
    ("empty.txt", [], [], "is empty"),
    ("binary.txt", [0x41, 0, 0x42], [], "zero byte at offset 1"),
    ("latin.txt", [0x41, 0xE9, 0x42], [], "not UTF-8 at byte 1"),
    ("story.pdf", Array("%PDF-1.7".utf8), [], "pdftotext"),
    ("story.jsonl", Array("{\"words\": \"a\"}".utf8), [], "no text in the field \"text\""),
    (
      "story.txt", Array(story.utf8), ["--sampling", "consecutive", "--seed", "3"], "--seed is for"
    ),
    ("story.txt", Array(story.utf8), ["--pad-id", "0"], "--pad-id is for token ids"),
  ]

  @Test("what is no text, or too little of it", arguments: refusals)
  func refused(file: String, content: [UInt8], options: [String], message: String) throws {
    let path = try folder.write(content, to: file)
    try expectRefusal(try calibrate(path, options), saying: message)
  }

  @Test(
    "options for text are refused beside token ids",
    arguments: [["--seed", "7"], ["--sequence-length", "7"], ["--keep-line-ends"]])
  func tokenIDs(options: [String]) throws {
    try expectRefusal(
      try calibrate(Programs.calibration, options), saying: "\(options[0]) is for text")
  }

  @Test("a model without a tokenizer, and one with another's")
  func otherTokenizer() throws {
    let text = try folder.write(Array(Self.story.utf8), to: "story.txt")
    let model = try folder.copyModel()
    let file = model + "/tokenizer.json"
    let tokenizer = try String(contentsOfFile: file, encoding: .utf8)
    let added = "\"added_tokens\": ["
    try #require(tokenizer.contains(added))
    try tokenizer.replacing(
      added,
      with: added
        + #"{"id": 600, "content": "<more>", "single_word": false, "lstrip": false, "#
        + #""rstrip": false, "normalized": false, "special": true},"#
    ).write(toFile: file, atomically: true, encoding: .utf8)
    try expectRefusal(
      try calibrate(text, model: model, []), saying: "they do not belong together")
    try FileManager.default.removeItem(atPath: file)
    try expectRefusal(
      try calibrate(text, model: model, []), saying: "neither tokenizer.json nor tokenizer.model")
  }

  private func expectRefusal(
    _ outcome: Programs.Outcome, saying message: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(outcome.exitCode != 0, sourceLocation: sourceLocation)
    let lines = outcome.standardError.split(separator: "\n")
    #expect(lines.count == 1, "\(outcome.standardError)", sourceLocation: sourceLocation)
    #expect(
      outcome.standardError.contains(message), "\(outcome.standardError)",
      sourceLocation: sourceLocation)
    let output = folder.path("statistics.safetensors")
    #expect(
      !FileManager.default.fileExists(atPath: output), "nothing is left behind",
      sourceLocation: sourceLocation)
  }
}
