internal import FlapCore
internal import Storage
public import SystemPackage
public import Tokenizer

/// The tokenizer in the folder of a Hugging Face checkpoint.
public enum TokenizerFolder {
  /// Reads `tokenizer.json`, or else `tokenizer.model` with `add_bos_token` of
  /// `tokenizer_config.json` (true where it says nothing, as in LLaMA's tokenizer class).
  ///
  /// - Throws: ``TextDataError/noTokenizer(folder:)``, a `TokenizerError` or a `StorageError`.
  public static func load(_ folder: FilePath) throws -> Tokenizer {
    let json = folder.appending("tokenizer.json")
    if SmallFile.exists(json) {
      let bytes = try SmallFile.read(json, limit: Limits.jsonFileBytes)
      return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
        try Tokenizer(tokenizerJSON: bytes, path: json.string)
      }
    }
    let model = folder.appending("tokenizer.model")
    guard SmallFile.exists(model) else {
      throw TextDataError.noTokenizer(folder: folder.string)
    }
    let bytes = try SmallFile.read(model, limit: Limits.jsonFileBytes)
    let addsBeginning = try addsBeginning(folder.appending("tokenizer_config.json"))
    return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      try Tokenizer(sentencePieceModel: bytes, addsBeginning: addsBeginning, path: model.string)
    }
  }

  private static func addsBeginning(_ path: FilePath) throws -> Bool {
    guard SmallFile.exists(path) else { return true }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      var reader = JSONReader(bytes, path: path.string)
      return try reader.value()["add_bos_token"]?.bool ?? true
    }
  }
}
