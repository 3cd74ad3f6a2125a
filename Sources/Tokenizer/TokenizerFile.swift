/// The parts of a `tokenizer.json`, the tables of the model read already.
struct TokenizerFile {
  let path: String
  private(set) var addedTokens: [JSONValue] = []
  private(set) var normalizer = JSONValue.null
  private(set) var preTokenizer = JSONValue.null
  private(set) var postProcessor = JSONValue.null
  private(set) var model = TokenizerModelFile()

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
    self.path = path
    var hasModel = false
    var reader = JSONReader(bytes, path: path)
    try reader.object { reader, key throws(TokenizerError) in
      switch String(decoding: key, as: UTF8.self) {
      case "added_tokens":
        let value = try reader.value()
        guard let tokens = value.array ?? (value == .null ? [] : nil) else {
          throw .malformedPart(path: path, part: "added_tokens", reason: "is no list")
        }
        addedTokens = tokens
      case "normalizer": normalizer = try reader.value()
      case "pre_tokenizer": preTokenizer = try reader.value()
      case "post_processor": postProcessor = try reader.value()
      case "model":
        try model.read(&reader, path: path)
        hasModel = true
      // Truncation and padding are set by each call of the library; a decoder changes no ids.
      default: _ = try reader.value()
      }
    }
    try reader.atEnd()
    guard hasModel else {
      throw .malformedPart(path: path, part: "model", reason: "is missing")
    }
  }
}

/// The `model` of a `tokenizer.json`.
struct TokenizerModelFile {
  struct Merge {
    let left: Int32
    let right: Int32
    let result: Int32
    let rank: UInt32
    /// The last scalar of the left token and the first of the right one.
    let junction: (UInt32, UInt32)
  }

  private(set) var settings: [String: JSONValue] = [:]
  /// Token texts as the file writes them.
  private(set) var vocabulary = ByteStringTable()
  private(set) var texts: [(text: [UInt8], id: Int32)] = []
  private(set) var merges: [Merge] = []

  mutating func read(_ reader: inout JSONReader, path: String) throws(TokenizerError) {
    var mergesAhead: JSONReader?
    try reader.object { reader, key throws(TokenizerError) in
      switch String(decoding: key, as: UTF8.self) {
      case "vocab":
        guard try reader.next() == UInt8(ascii: "{") else {
          throw .unsupported(path: path, part: "model", kind: "with a list as vocabulary")
        }
        try readVocabulary(&reader, path: path)
      case "merges":
        if texts.isEmpty {
          mergesAhead = reader
          _ = try reader.value()
        } else {
          try readMerges(&reader, path: path)
        }
      case let key: settings[key] = try reader.value()
      }
    }
    if var mergesAhead { try readMerges(&mergesAhead, path: path) }
  }

  private mutating func readVocabulary(
    _ reader: inout JSONReader, path: String
  ) throws(TokenizerError) {
    try reader.object { reader, text throws(TokenizerError) in
      let id = try reader.id()
      guard vocabulary.insert(text, value: id) else {
        throw .malformedPart(
          path: path, part: "vocab", reason: "holds \(quoted(text)) twice")
      }
      texts.append((text, id))
    }
  }

  private mutating func readMerges(
    _ reader: inout JSONReader, path: String
  ) throws(TokenizerError) {
    var rank: UInt32 = 0
    try reader.array { reader throws(TokenizerError) in
      var parts: [[UInt8]] = []
      if try reader.next() == UInt8(ascii: "[") {
        try reader.array { reader throws(TokenizerError) in
          try reader.readString()
          parts.append(reader.text)
        }
      } else {
        try reader.readString()
        parts = reader.text.split(
          separator: UInt8(ascii: " "), omittingEmptySubsequences: false
        ).map(Array.init)
      }
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw .malformedPart(path: path, part: "merge \(rank)", reason: "is no pair of tokens")
      }
      let joined = parts[0] + parts[1]
      guard let left = vocabulary.value(of: parts[0]), let right = vocabulary.value(of: parts[1]),
        let result = vocabulary.value(of: joined)
      else {
        throw .malformedPart(
          path: path, part: "merge \(rank)",
          reason: "needs \(quoted(joined)) and its parts in the vocabulary")
      }
      let junction = joined.withUnsafeBufferPointer {
        ($0.scalar(before: parts[0].count).value, $0.scalar(at: parts[0].count).value)
      }
      merges.append(
        Merge(left: left, right: right, result: result, rank: rank, junction: junction))
      rank += 1
    }
  }

  private func quoted(_ text: [UInt8]) -> String {
    let line = String(decoding: text.prefix(60), as: UTF8.self)
    return "\"" + line.map { $0.isNewline ? " " : String($0) }.joined() + "\""
  }
}
