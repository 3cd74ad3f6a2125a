import Foundation
import Tokenizer

/// A tokenizer whose ids are the bytes, after 256 for the beginning of a text.
enum ByteTokenizer {
  static let json: String = {
    var bytes: [String] = []
    var next = 256
    for byte in 0..<256 {
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xFF).contains(byte) && byte != 0xAD
      let scalar = String(Unicode.Scalar(UInt32(isPrintable ? byte : next))!)
      if !isPrintable { next += 1 }
      let text = scalar == "\"" || scalar == "\\" ? "\\" + scalar : scalar
      bytes.append("\"\(text)\": \(byte)")
    }
    return """
      {"added_tokens": [{"id": 256, "content": "<s>", "special": true}],
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
       "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
        "special_tokens": {"<s>": {"ids": [256]}}},
       "model": {"type": "BPE", "vocab": {\(bytes.joined(separator: ", "))}, "merges": []}}
      """
  }()

  static var tokenizer: Tokenizer {
    get throws {
      try Array(json.utf8).withUnsafeBytes { try Tokenizer(tokenizerJSON: $0) }
    }
  }
}

/// Packs with the program gzip.
enum Gzip {
  static func packed(_ bytes: [UInt8]) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "gz-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "text")
    try Data(bytes).write(to: file)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["gzip", "-9", file.path]
    try process.run()
    process.waitUntilExit()
    return Array(try Data(contentsOf: file.appendingPathExtension("gz")))
  }
}
