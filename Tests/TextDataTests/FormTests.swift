import FlapCore
import FlapTestKit
import Foundation
import SystemPackage
import Testing
import TextData
import Tokenizer

/// The same texts in every form are the same samples; what is written by pandas, polars, datasets and
/// others is in `Golden` (`make_golden_files.py`).
struct FormTests {
  static let golden = Bundle.module.bundleURL.appending(path: "Golden").path

  private func windows(
    _ path: String, field: String = "text", tokenizer: Tokenizer? = nil
  ) throws -> TextWindows {
    let sampling = TextSampling(
      order: .consecutive, sampleCount: nil, tokensPerSample: 1, textField: field)
    return try TextWindows(
      path: FilePath(path), tokenizer: tokenizer ?? ByteTokenizer.tokenizer, sampling: sampling,
      vocabularySize: 257)
  }

  private func digest(_ name: String) throws -> Digest {
    try windows(FormTests.golden + "/" + name).digest
  }

  private func refusal(_ path: String, field: String = "text") -> String? {
    do {
      _ = try windows(path, field: field)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test(
    "every form gives the tokens of the .jsonl",
    arguments: [
      "array.json", "compact.json", "strings.json", "pandas.csv", "pandas.tsv", "polars.csv",
      "module.csv", "mark.csv", "texts.jsonl.gz", "texts.jsonl.zst", "texts.jsonl.lz4",
      "texts.jsonl.xz", "members.jsonl.xz", "pandas.csv.zst", "texts.parquet", "texts.feather",
      "saved", "splits/train", "hub/train", "hub/data/train",
    ])
  func forms(name: String) throws {
    #expect(try digest(name) == digest("texts.jsonl"))
  }

  @Test("folders with several splits say which there are")
  func splits() throws {
    for folder in ["splits", "hub", "hub/data"] {
      let line = try #require(refusal(FormTests.golden + "/" + folder))
      #expect(line.contains("holds the splits"), "\(line)")
      #expect(line.contains("train") && line.contains("test") && line.contains("name one, as"))
    }
    #expect(try digest("hub/test") == digest("splits/test"))
    let line = try #require(refusal(FormTests.golden + "/hub/validation"))
    #expect(line.contains("no split validation: it has test, train"), "\(line)")
  }

  @Test("a missing column names those there are, and a column of something else says what it is")
  func columns() throws {
    for name in ["texts.parquet", "texts.feather", "pandas.csv"] {
      let line = try #require(refusal(FormTests.golden + "/" + name, field: "body"))
      #expect(line.contains("no column \"body\""), "\(line)")
      #expect(line.contains("--text-field (there are id, text, note)"), "\(line)")
    }
    for name in ["texts.parquet", "texts.feather"] {
      let line = try #require(refusal(FormTests.golden + "/" + name, field: "id"))
      #expect(line.contains("has numbers in \"id\", no text"), "\(line)")
    }
  }

  @Test("nested folders, text of any name, and nothing that describes it")
  func folders() throws {
    let folder = try TemporaryFolder()
    for name in ["b/2", "b/1", "a", "__pycache__"] {
      try FileManager.default.createDirectory(
        atPath: folder.path(name), withIntermediateDirectories: true)
    }
    try folder.write(Array("one".utf8), to: "a/wiki.raw")
    try folder.write(Array("two".utf8), to: "b/1/notes.md")
    try folder.write(Array("three".utf8), to: "b/2/none")
    try folder.write([0x61, 0, 0x62], to: "b/2/weights")
    try folder.write(Array("no".utf8), to: "README.md")
    try folder.write(Array("no".utf8), to: "LICENSE")
    try folder.write(Array("{\n  \"no\": 1\n}\n".utf8), to: "settings.json")
    let read = try windows(folder.path)
    #expect(
      String(decoding: read.tokens.map { $0 == 256 ? 32 : UInt8($0) }, as: UTF8.self)
        == " one two three")
    #expect(read.summary.fileCount == 3)
    // Tables are what is meant where there are some; texts by name go with them.
    try folder.write(Array("[\"four\"]".utf8), to: "b/table.json")
    try folder.write(Array("five".utf8), to: "b/x.txt")
    #expect(try windows(folder.path).summary.documentCount == 2)
  }

  @Test("a link to the folder it is in ends with a line")
  func links() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("one".utf8), to: "a.txt")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("loop"), withDestinationPath: folder.path)
    #expect(try #require(refusal(folder.path)).contains("a link leads back"))
  }

  @Test("a folder of nothing but another format says how to convert it")
  func foreignFolder() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("BZh91AY&SY".utf8), to: "a.jsonl.bz2")
    #expect(try #require(refusal(folder.path)).contains("bunzip2 -k"))
  }

  @Test("rows of CSV as Python's csv reads them")
  func delimited() throws {
    let folder = try TemporaryFolder()
    let text = "text,n\r\na,1\n\n\"b\"\"c\" d,2\r\n\"e,\nf\",3\ng\"h,4\r\"\",5\n,6\ni,7"
    let path = try folder.write(Array(text.utf8), to: "a.csv")
    let read = try windows(path)
    let found = String(decoding: read.tokens.map { $0 == 256 ? 124 : UInt8($0) }, as: UTF8.self)
    #expect(found == "|a|b\"c d|e,\nf|g\"h|i")
  }

  /// Rows, records and lines that lie across the chunks in which files are read.
  @Test("long records", arguments: [1000, 300_000, 1_200_000])
  func long(byteCount: Int) throws {
    let folder = try TemporaryFolder()
    let texts = (0..<5).map { index in
      String(repeating: "line \(index) \"quoted\", \\ and é\n", count: byteCount / 29)
    }
    let records = texts.map { ["text": $0] }
    let lines = try records.map { try JSONEncoder().encode($0) }
    let jsonl = try folder.write(Array(lines.joined(separator: [0x0A])), to: "a.jsonl")
    let array = try folder.write(Array(JSONEncoder().encode(records)), to: "a.json")
    let rows = texts.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"\r\n" }
    let csv = try folder.write(Array(("text\r\n" + rows.joined()).utf8), to: "a.csv")
    let expected = try windows(jsonl).digest
    #expect(try windows(array).digest == expected)
    #expect(try windows(csv).digest == expected)
  }

  @Test("files without any text, and tables without rows")
  func empty() throws {
    let folder = try TemporaryFolder()
    for (name, text) in [
      ("a.csv", "text\n\n"), ("a.json", "[]"), ("a.jsonl", "{\"text\": null}\n"),
    ] {
      let path = try folder.write(Array(text.utf8), to: name)
      #expect(try #require(refusal(path)).contains("has no text in \"text\""), "\(name)")
    }
  }

  @Test("short texts suggest --sampling consecutive")
  func shortTexts() throws {
    let folder = try TemporaryFolder()
    let lines = (0..<40).map { "{\"text\": \"text \($0)\"}" }.joined(separator: "\n")
    let path = try folder.write(Array(lines.utf8), to: "a.jsonl")
    func sample(count: Int, length: Int, path: String) throws -> TextWindows {
      try TextWindows(
        path: FilePath(path), tokenizer: ByteTokenizer.tokenizer,
        sampling: TextSampling(
          order: .random(seed: 0), sampleCount: count, tokensPerSample: length),
        vocabularySize: 257)
    }
    do {
      _ = try sample(count: 5, length: 32, path: path)
      Issue.record("was sampled")
    } catch {
      #expect(
        "\(error)".contains("--sampling consecutive finds 9, over short texts in a row"), "\(error)"
      )
    }
    let long = lines + "\n{\"text\": \"\(String(repeating: "a", count: 200))\"}"
    let mixed = try folder.write(Array(long.utf8), to: "b.jsonl")
    #expect(try sample(count: 5, length: 32, path: mixed).summary.dropsMostText)
    #expect(try !sample(count: 5, length: 7, path: mixed).summary.dropsMostText)
  }

  @Test("mutated files are read or refused")
  func fuzz() throws {
    let names = [
      "array.json", "pandas.csv", "texts.jsonl", "texts.jsonl.gz", "texts.jsonl.zst",
      "texts.jsonl.lz4", "texts.jsonl.xz", "texts.parquet", "texts.feather",
    ]
    let folder = try TemporaryFolder()
    let files = try names.map { name in
      (name, Array(try Data(contentsOf: URL(filePath: FormTests.golden + "/" + name))))
    }
    // Made once: it takes longer than to read such a file.
    let tokenizer = try ByteTokenizer.tokenizer
    var generator = SeededGenerator(seed: 21)
    // Each is written and read as a file.
    for _ in 0..<FuzzCount.perTest / 40 {
      var (name, bytes) = files.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        if generator.chance(0.7) {
          bytes[index] =
            generator.chance(0.5)
            ? .random(in: 0...255, using: &generator)
            : Array("\",\n\r[]{}\\".utf8).randomElement(using: &generator)!
        } else {
          bytes.removeSubrange(index..<min(bytes.count, index + 5))
        }
        if bytes.isEmpty { bytes = [0] }
      }
      let path = try folder.write(bytes, to: name)
      do {
        _ = try windows(path, tokenizer: tokenizer)
      } catch {
        #expect(!"\(error)".contains("\n"), "\(error)")
      }
    }
  }
}
