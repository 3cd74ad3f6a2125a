internal import FlapCore
internal import Storage
internal import SystemPackage
internal import Tokenizer

/// A checkpoint's tokenizer under the keys of llama.cpp (`llama-vocab.cpp`).
///
/// llama.cpp knows two ways of byte pairs: by the score of what is merged, over scalars with
/// byte tokens for those that are missing ("llama"), and by ranked pairs over bytes ("gpt2"), in
/// words by a pattern that it knows by name. Everything else is refused.
struct Vocabulary {
  private(set) var metadata: [(key: String, value: MetadataValue)] = []
  private(set) var notes: [String] = []

  /// - Parameter rowCount: rows of the embedding; ids that no token has are filled up to there.
  /// - Throws: ``GGUFError``, `TokenizerError`, `StorageError`.
  init(directory: FilePath, rowCount: Int, configuration: JSONObject) throws {
    let source = try TokenizerSource(directory: directory)
    let contents = source.contents
    guard contents.tokens.count <= rowCount else {
      throw GGUFError.vocabularyTooLarge(
        path: source.path, tokenCount: contents.tokens.count, rowCount: rowCount)
    }
    let tokenIDs = Dictionary(
      contents.tokens.enumerated().map { ($1.text, $0) }, uniquingKeysWith: { first, _ in first })
    let special = try SpecialTokens(
      directory: directory, configuration: configuration, tokenIDs: tokenIDs)
    switch contents.kind {
    case .scalars: try addScalars(source, rowCount)
    case .bytes(let split): try addBytes(source, split, rowCount)
    }
    try addSpecialTokens(special, source, rowCount)
  }

  private mutating func add(_ key: String, _ value: MetadataValue) {
    metadata.append(("tokenizer.ggml.\(key)", value))
  }

  private mutating func addScalars(_ source: TokenizerSource, _ rowCount: Int) throws {
    let contents = source.contents
    try source.checkScalars()
    let scores = try MergeScores(source).scores
    add("model", .string("llama"))
    add("pre", .string("default"))
    try addTokens(source, rowCount)
    let padding = Array(repeating: Vocabulary.scoreOfPadding, count: rowCount - scores.count)
    add("scores", .float32s(scores + padding))
    add("add_space_prefix", .bool(contents.addsSpacePrefix))
  }

  private mutating func addBytes(
    _ source: TokenizerSource, _ split: TokenizerContents.WordSplit, _ rowCount: Int
  ) throws {
    let pattern = try source.patternName(split)
    add("model", .string("gpt2"))
    add("pre", .string(pattern))
    try addTokens(source, rowCount)
    add("merges", .strings(source.contents.merges.map { $0.joined(separator: " ") }))
  }

  /// llama.cpp's converters give it to what the tokenizer itself never makes.
  private static let scoreOfPadding: Float = -1000

  private mutating func addTokens(_ source: TokenizerSource, _ rowCount: Int) throws {
    let tokens = source.contents.tokens
    var texts: [String] = []
    var seen = Set(tokens.map(\.text))
    var written: Set<String> = []
    for id in 0..<rowCount {
      guard id < tokens.count, !tokens[id].text.isEmpty else {
        // A name of its own: llama.cpp ends where two tokens have the same text.
        var name = "[PAD\(id)]"
        while !seen.insert(name).inserted { name += "_" }
        texts.append(name)
        continue
      }
      var text = tokens[id].text
      if source.contents.kind == .scalars, tokens[id].kind == .userDefined {
        // It is looked for in the text as it is, before spaces are replaced.
        text = text.replacing("\u{2581}", with: " ")
      }
      guard written.insert(text).inserted else {
        throw GGUFError.tokenizer(path: source.path, reason: "two ids have the text \"\(text)\"")
      }
      texts.append(text)
    }
    add("tokens", .strings(texts))
    let kinds = tokens.map { $0.text.isEmpty ? .unused : $0.kind }
    let padding = Array(
      repeating: TokenizerContents.TokenKind.unused, count: rowCount - tokens.count)
    add("token_type", .int32s((kinds + padding).map(\.rawValue)))
  }

  private mutating func addSpecialTokens(
    _ special: SpecialTokens, _ source: TokenizerSource, _ rowCount: Int
  ) throws {
    let contents = source.contents
    guard contents.prefix.count <= 1, contents.suffix.count <= 1 else {
      throw GGUFError.tokenizer(
        path: source.path, reason: "it puts several tokens before or after each text")
    }
    var ids = special.ids
    for (name, id) in [("bos", contents.prefix.first), ("eos", contents.suffix.first)] {
      guard let id else { continue }
      ids.removeAll { $0.name == name }
      ids.append((name, Int(id)))
    }
    for (name, id) in ids {
      guard id < rowCount else {
        throw GGUFError.wrongField(
          path: source.path, field: "the \(name) token", reason: "\(id) is outside the vocabulary")
      }
      add("\(name)_token_id", .uint32(UInt32(id)))
    }
    let addsBeginning = special.addsBeginning ?? !contents.prefix.isEmpty
    add("add_bos_token", .bool(addsBeginning && ids.contains { $0.name == "bos" }))
    add("add_eos_token", .bool(!contents.suffix.isEmpty))
    if let template = special.chatTemplate {
      metadata.append(("tokenizer.chat_template", .string(template)))
    }
  }
}
