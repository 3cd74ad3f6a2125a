import Foundation
import Tokenizer

/// What `make_golden.py` wrote.
enum Golden {
  private struct Expected: Decodable {
    /// One FNV-1a digest a document.
    let texts: [String]
    /// By tokenizer: "COUNT DIGEST" of every document's ids, int32 little-endian.
    let tokens: [String: [String]]
    /// By step between scalars.
    let scalarClasses: [String: String]
    let compositions: [String: String]
  }

  /// A debug build takes a sample.
  #if DEBUG
    static let mixedDocumentIndices = 0..<4
    static let scalarStep = 16
  #else
    static let mixedDocumentIndices = 0..<88
    static let scalarStep = 1
  #endif
  private static let mixedDocumentCount = 88
  private static let tinyDocuments = [
    "", " ", "  ", "\n", "a", "▁", "\0", "<s>", " <s> ", "\u{301}", "\u{10FFFF}",
  ]

  private static let expected = Result {
    try JSONDecoder().decode(Expected.self, from: Data(file("expected.json")))
  }

  static let documents: Result<[(text: [UInt8], index: Int)], any Error> = Result {
    let fragments = try file("fragments.txt").split(separator: 0x1E).map(Array.init)
    let mixed = MixedText(fragments: fragments)
    return mixedDocumentIndices.map { (mixed.document($0), $0) }
      + tinyDocuments.enumerated().map { (Array($1.utf8), mixedDocumentCount + $0) }
  }

  static func textDigests() throws -> [String] { try expected.get().texts }

  static func tokenDigests(_ name: String) throws -> [String] {
    try expected.get().tokens[name] ?? []
  }

  static func scalarClasses() throws -> String? {
    try expected.get().scalarClasses["\(scalarStep)"]
  }

  static func compositions() throws -> String? { try expected.get().compositions["\(scalarStep)"] }

  static func file(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: Bundle.module.bundleURL.appending(path: "Golden/\(name)")))
  }

  static func tokenizer(_ name: String) throws -> Tokenizer { try tokenizer(name, file(name)) }

  static func tokenizer(_ name: String, _ bytes: [UInt8]) throws -> Tokenizer {
    try bytes.withUnsafeBytes { bytes in
      name.hasSuffix(".model")
        ? try Tokenizer(sentencePieceModel: bytes, path: name)
        : try Tokenizer(tokenizerJSON: bytes, path: name)
    }
  }
}

extension UInt64 {
  /// 16 hexadecimal digits.
  var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
