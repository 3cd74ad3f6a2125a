public import FlapCore
internal import Storage
public import SystemPackage
public import Tokenizer

/// Token ids of the chosen windows of a text.
public struct TextWindows: Sendable {
  public let sampleCount: Int
  public let tokensPerSample: Int
  /// [samples, tokens], row-major.
  public let tokens: [Int32]
  /// What was read for it, in one line.
  public let summary: Summary

  public struct Summary: Hashable, Sendable {
    public var fileCount = 0
    /// Texts and their bytes, unpacked, as far as they were read.
    public var documentCount = 0
    public var textByteCount = 0
    /// Texts that a chat template wrote.
    public var conversationCount = 0
    /// Line ends that were read as another kind.
    public var changedLineEndCount = 0
    /// As far as it was tokenized.
    public var tokenCount = 0
    /// Of those, tokens of texts that are too short for a random window.
    public var shortTextTokenCount = 0

    /// Whether random windows leave out more of the texts than they draw from.
    public var dropsMostText: Bool { 2 * shortTextTokenCount > tokenCount }
  }

  /// Reads, tokenizes and samples a file or a folder.
  ///
  /// - Parameters:
  ///   - path: a file of text or of records with a text in each, packed or not; a folder of such
  ///     files, or a split of it; ``TextFile/standardInput``.
  ///   - vocabularySize: rows of the model's embedding.
  ///   - chatFormat: the model's; nil: records of conversations are refused.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  public init(
    path: FilePath, tokenizer: Tokenizer, sampling: TextSampling, vocabularySize: Int,
    chatFormat: ChatFormat? = nil
  ) throws {
    let files = try TextFolder.files(at: path)
    var sampler = WindowSampler(
      files: files, path: path, encoder: TokenEncoder(tokenizer), sampling: sampling,
      chatFormat: tokenizer.readsSpecialTokens ? chatFormat : .withoutTokenizerJSON)
    tokens = try sampler.tokens()
    summary = sampler.summary
    tokensPerSample = sampling.tokensPerSample
    sampleCount = tokens.count / sampling.tokensPerSample
    if let token = tokens.first(where: { $0 < 0 || Int($0) >= vocabularySize }) {
      throw TextDataError.tokenOutsideVocabulary(token: token, size: vocabularySize)
    }
  }

  /// SHA-256 over the sizes and the token ids: that of the same matrix read from a `.npy`.
  public var digest: Digest {
    var builder = DigestBuilder()
    builder.update("\(sampleCount) \(tokensPerSample)\n")
    tokens.withUnsafeBytes { builder.update($0) }
    return builder.finalize()
  }
}

extension TextWindows.Summary: CustomStringConvertible {
  public var description: String {
    "\(fileCount) file\(fileCount == 1 ? "" : "s"), \(documentCount) "
      + "text\(documentCount == 1 ? "" : "s")"
      + (conversationCount > 0 ? " (\(conversationCount) by the chat template)" : "")
      + ", \(textByteCount) bytes; \(tokenCount) tokens made"
  }
}
