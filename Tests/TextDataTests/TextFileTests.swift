import FlapTestKit
import Storage
import SystemPackage
import Testing
import TextData
import Tokenizer

/// What is read, in which order, and what is refused.
@Suite struct TextFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func tokens(
    _ path: String, field: String = "text", count: Int? = nil
  ) throws -> [Int32] {
    try windows(path, field: field, count: count).tokens
  }

  private func windows(
    _ path: String, field: String = "text", count: Int? = nil, keepsLineEnds: Bool = false
  ) throws -> TextWindows {
    let sampling = TextSampling(
      order: .consecutive, sampleCount: count, tokensPerSample: 1, textField: field,
      keepsLineEnds: keepsLineEnds)
    return try TextWindows(
      path: FilePath(path), tokenizer: ByteTokenizer.tokenizer, sampling: sampling,
      vocabularySize: 257)
  }

  private func refusal(_ path: String, field: String = "text") -> String? {
    do {
      _ = try tokens(path, field: field)
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Token 256 begins every text.
  private func ids(_ texts: String...) -> [Int32] {
    texts.flatMap { [256] + $0.utf8.map { Int32($0) } }
  }

  @Test func plainTextIsOneText() throws {
    let path = try folder.write(Array("one\ntwo\n".utf8), to: "a.TXT")
    #expect(try tokens(path) == ids("one\ntwo\n"))
  }

  @Test func lineEndsOfPlainTextAreOneKind() throws {
    let text = "\r\none\r\n\r\ntwo\rthree\n\rfour\r\r\n"
    let path = try folder.write(Array(text.utf8), to: "a.txt")
    #expect(try tokens(path) == ids("\none\n\ntwo\nthree\n\nfour\n\n"))
    let read = try windows(path)
    #expect(read.summary.changedLineEndCount == 7)
    let kept = try windows(path, keepsLineEnds: true)
    #expect(kept.tokens == ids(text))
    #expect(kept.summary.changedLineEndCount == 0)
    // Other choices are other samples, and runs know each other by them.
    #expect(kept.digest != read.digest)
    let unix = try folder.write(
      Array("\none\n\ntwo\nthree\n\nfour\n\n".utf8), to: "unix.txt")
    #expect(try windows(unix).digest == read.digest)
    #expect(try windows(unix).summary.changedLineEndCount == 0)
  }

  @Test func lineEndsInJSONAreWhatItsStringsSay() throws {
    let line = Array(#"{"text": "a\r\nb"}"#.utf8) + [0x0D, 0x0A]
    #expect(try tokens(try folder.write(line, to: "a.jsonl")) == ids("a\r\nb"))
  }

  @Test func linesAreTextsOfTheirOwn() throws {
    let lines = """
      {"text": "one", "url": {"text": "no"}}

      {"id": [1, {"a": null}], "text": "tw\\u00f6\\n"}\r
      {"text": ""}
      {"text": "three"}
      """
    for name in ["a.jsonl", "c4.00000-of-01024.json", "a.ndjson"] {
      #expect(
        try tokens(try folder.write(Array(lines.utf8), to: name)) == ids("one", "twö\n", "three"))
    }
    let other = try folder.write(Array(#"{"body": "x", "text": 1}"#.utf8), to: "b.jsonl")
    #expect(try tokens(other, field: "body") == ids("x"))
  }

  @Test func whatPythonWritesIsRead() throws {
    let lines = [
      #"{"text": "a\ud83db", "n": NaN}"#, #"{"text": null}"#, #"{"text": "\ud83d\ude42\udc00"}"#,
      #"{"m": [-Infinity, Infinity, -1], "text": "\ud800\u0041"}"#,
    ]
    let path = try folder.write(Array(lines.joined(separator: "\n").utf8), to: "a.jsonl")
    #expect(try tokens(path) == ids("a\u{FFFD}b", "🙂\u{FFFD}", "\u{FFFD}A"))
  }

  @Test func aByteOrderMarkIsNoText() throws {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    #expect(try tokens(try folder.write(mark + Array("x".utf8), to: "a.txt")) == ids("x"))
    let line = mark + Array(#"{"text": "x"}"#.utf8)
    #expect(try tokens(try folder.write(line, to: "a.jsonl")) == ids("x"))
  }

  @Test func aFolderIsReadInTheOrderOfItsNames() throws {
    try folder.write(Array("second".utf8), to: "b.txt")
    try folder.write(Array(#"{"text": "first"}"#.utf8), to: "a.jsonl")
    try folder.write(Array("capital".utf8), to: "Z.txt")
    try folder.write([0, 1, 2], to: "weights.bin")
    try folder.write([0], to: ".hidden.txt")
    try folder.write(Array("{\n}".utf8), to: "dataset_info.json")
    #expect(try tokens(folder.path) == ids("capital", "first", "second"))
    // What is not needed is not read.
    try folder.write([0xFF], to: "c.txt")
    #expect(try tokens(folder.path, count: 5).count == 5)
    #expect(try #require(refusal(folder.path)).contains("c.txt is not UTF-8 at byte 0"))
  }

  /// gzip, as `make_gzip` of zlib writes it: two members, and chunks larger than a buffer.
  @Test func gzipIsUnpacked() throws {
    let text = String(repeating: "all work and no play ", count: 40_000)
    let members = try Gzip.packed(Array(text.utf8)) + Gzip.packed(Array("the end".utf8))
    let path = try folder.write(members, to: "a.txt.gz")
    #expect(try tokens(path) == ids(text + "the end"))

    var cut = members
    cut.removeLast(12)
    let line = try #require(refusal(try folder.write(cut, to: "cut.txt.gz")))
    #expect(line.contains("cut.txt.gz is damaged or cut off after"))
    var damaged = members
    damaged[members.count / 4] ^= 0xFF
    #expect(
      try #require(refusal(try folder.write(damaged, to: "b.txt.gz"))).contains("damaged"))
    let plain = try folder.write(Array("plain".utf8), to: "c.txt.gz")
    #expect(try #require(refusal(plain)).contains("not in gzip's format"))
    let lines = try Gzip.packed(Array(#"{"text": "x"}"#.utf8))
    #expect(try tokens(try folder.write(lines, to: "d.jsonl.gz")) == ids("x"))
  }

  @Test(
    arguments: [
      ("a.txt", [], "a.txt is empty"),
      ("a.jsonl", [], "a.jsonl is empty"),
      ("a.txt", [0x50, 0x4B, 5, 4, 0, 0], "no text: it has a zero byte at offset 4"),
      ("a.txt", [0xFF, 0xFE, 0x61, 0], "is UTF-16: convert it"),
      ("a.txt", [0x61, 0xC3, 0xA4, 0xC3], "not UTF-8 at byte 3"),
      ("a.txt", [0x61, 0xED, 0xA0, 0x80], "not UTF-8 at byte 1"),
      ("a.txt", [0xF4, 0x90, 0x80, 0x80], "not UTF-8 at byte 0"),
      ("a.txt", [0xC0, 0x80], "not UTF-8 at byte 0"),
      ("a.txt", Array("12345678é".utf8) + [0x80], "not UTF-8 at byte 10"),
      ("a.jsonl", Array("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xFF], "not UTF-8 at byte 24"),
      (
        "a.jsonl", Array("{\"text\": \"a\"}\n\n{\"text\": x}".utf8),
        "line 3 is not a JSON object at its byte 9"
      ),
      ("a.jsonl", Array("[1]".utf8), "line 1 is not a JSON object at its byte 0"),
      ("a.jsonl", Array("{\"text\": \"a\"} {}".utf8), "line 1 is not a JSON object at its byte 14"),
      ("a.jsonl", Array("{\"text\": \"a\", \"n\": nan}".utf8), "line 1 is not a JSON object"),
      (
        "a.jsonl", Array("{\"text\": \"a\"}\n{\"t\": \"b\"}".utf8),
        "line 2 has no text in the field \"text\""
      ),
      ("a.jsonl", Array("{\"text\": 5}".utf8), "line 1 has a number in \"text\", no text"),
      ("a.json", Array("[{\"text\": \"a\"}, 5]".utf8), "record 2 is not a JSON object"),
      ("a.json", Array("[{\"text\": \"a\"}, {\"text\"".utf8), "a.json, record 2 is cut off"),
      ("a.json", Array("[{\"text\": \"a\"}] 5".utf8), "not one JSON array at byte 16"),
      ("a.json", Array("[{\"text\": \"a\"}".utf8), "a.json, record 1 is cut off"),
      ("a.json", Array("[\"a\" \"b\"]".utf8), "record 1 is not a JSON object at its byte 4"),
      ("a.jsonl", Array("{\"text\": [1]}".utf8), "line 1 has a list of other things"),
      ("a.jsonl", Array("{\"text\": {}}".utf8), "line 1 has an object in \"text\", no text"),
      ("a.jsonl", Array("{\"a\": 1, \"b\": 2}".utf8), "--text-field (there are a, b)"),
      ("a.jsonl", Array("{\"messages\": []}".utf8), "a.jsonl has no text in \"text\""),
      ("a.csv", Array("id,body\n1,a\n".utf8), "no column \"text\""),
      ("a.csv", Array("id,text\n1,a,b\n".utf8), "line 2 has 3 fields, the header 2"),
      ("a.csv", Array("id,text\n1,\"a\nb\"\n2\n".utf8), "line 4 has 1 field, the header 2"),
      ("a.csv", Array("id,text\n1,\"a\nb".utf8), "line 2 opens a quote that is never closed"),
      ("a.csv", Array("id,text\n1,".utf8) + [0xFF, 0x0A], "line 2: its text is not UTF-8"),
      (
        "a.json", Array("{\n  \"text\": \"a\"\n}".utf8),
        "JSON objects of several lines each, which is not read: jq -c"
      ),
      ("a.pdf", Array("%PDF-1.4".utf8), "is PDF, which is not read: pdftotext"),
      ("a.txt", Array("BZh91AY&SY".utf8), "packed with bzip2, which is not read: bunzip2 -k"),
      (
        "a.pkl", [0x80, 0x04, 0x95],
        "a pickle of Python, which is not read: python3 -c \"import pandas"
      ),
      ("a.feather", Array("FEA1".utf8) + [0, 0], "Feather of version 1, which is not read"),
      ("a.7z", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0], "a 7z archive, which is not read: 7z x"),
      ("a.docx", [0x50, 0x4B, 3, 4], "word processor, which is not read: pandoc"),
      (
        "a.parquet", Array("version https://git-lfs.github.com/spec/v1\n".utf8),
        "is a pointer of Git LFS, not the file that it stands for"
      ),
      ("a.parquet", Array("{\"text\": \"a\"}".utf8), "it is not Parquet"),
      ("a.arrow", Array("{\"text\": \"a\"}".utf8), "it is not Arrow"),
      ("a.jsonl.zst", Array("{}".utf8), "not in zstd's format"),
      ("a.jsonl.xz", Array("{}".utf8), "not in xz's format"),
      ("b.csv", [0x1F, 0x8B, 8, 0], "damaged or cut off after 0 unpacked bytes (gzip)"),
    ] as [(String, [UInt8], String)])
  func badFilesAreRefused(name: String, bytes: [UInt8], reason: String) throws {
    let line = try #require(refusal(try folder.write(bytes, to: name)))
    #expect(line.contains(reason), "\(line)")
    #expect(!line.contains("\n"))
  }

  @Test func missingFilesAndEmptyFoldersAreRefused() throws {
    #expect(try #require(refusal(folder.path("none.txt"))).contains("cannot open"))
    #expect(try #require(refusal(folder.path)).contains("holds no file of text"))
  }

  @Test func tokenizersAreFoundInAFolder() throws {
    #expect(throws: TextDataError.noTokenizer(folder: folder.path)) {
      try TokenizerFolder.load(FilePath(folder.path))
    }
    try folder.write(Array(ByteTokenizer.json.utf8), to: "tokenizer.json")
    #expect(try TokenizerFolder.load(FilePath(folder.path)).encode("a") == [256, 97])
  }
}
