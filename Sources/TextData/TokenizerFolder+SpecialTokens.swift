internal import FlapCore
internal import Storage
public import SystemPackage
internal import Tokenizer

extension TokenizerFolder {
  /// A token with a meaning of its own.
  public struct SpecialToken: Hashable, Sendable {
    public let id: Int32
    public let text: String
  }

  /// The token of the beginning of a text, where there is none that of its end, as transformers knows
  /// them: from `tokenizer_config.json`, else `special_tokens_map.json`, else by the tokenizer's
  /// class.
  ///
  /// - Returns: nil where the tokenizer has neither.
  /// - Throws: as ``load(_:)``.
  public static func beginningOrEnd(_ folder: FilePath) throws -> SpecialToken? {
    let settings = try object(folder.appending("tokenizer_config.json"))
    let map = try object(folder.appending("special_tokens_map.json"))
    let usual = usualTokens(ofClass: settings?["tokenizer_class"].flatMap(text) ?? "")
    let texts = ["bos_token", "eos_token"].compactMap { key in
      // A null says that there is none.
      (settings?[key] ?? map?[key]).map(text) ?? usual[key]
    }
    let contents = try contents(folder)
    for case let text in texts {
      let id = contents.tokens.firstIndex { $0.text == text && $0.kind != .unused }
      if let id { return SpecialToken(id: Int32(id), text: text) }
    }
    return nil
  }

  /// Of the classes of transformers that name tokens themselves.
  private static func usualTokens(ofClass name: String) -> [String: String] {
    if name.hasPrefix("LlamaTokenizer") { return ["bos_token": "<s>", "eos_token": "</s>"] }
    if name.hasPrefix("Qwen2Tokenizer") { return ["eos_token": "<|endoftext|>"] }
    return [:]
  }

  /// A text, or an object with one.
  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text
    case .object(let members): members["content"].flatMap(text)
    default: nil
    }
  }

  private static func object(_ path: FilePath) throws -> JSONValue? {
    guard SmallFile.exists(path) else { return nil }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      var reader = JSONReader(bytes, path: path.string)
      return try reader.value()
    }
  }

  private static func contents(_ folder: FilePath) throws -> TokenizerContents {
    let json = folder.appending("tokenizer.json")
    let isJSON = SmallFile.exists(json)
    let path = isJSON ? json : folder.appending("tokenizer.model")
    guard SmallFile.exists(path) else { throw TextDataError.noTokenizer(folder: folder.string) }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      isJSON
        ? try TokenizerContents(tokenizerJSON: bytes, path: path.string)
        : try TokenizerContents(sentencePieceModel: bytes, path: path.string)
    }
  }
}
