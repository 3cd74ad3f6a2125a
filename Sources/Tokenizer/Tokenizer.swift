/// Turns text into the token ids that a model was trained with: byte-pair encoding as
/// `tokenizer.json` (package `tokenizers`) or `tokenizer.model` (SentencePiece) describes it.
///
/// The ids equal those of these packages, token for token. Anything that is not known is refused
/// when the file is read, never guessed.
public struct Tokenizer: Sendable {
  enum Pipeline: Sendable {
    case stages(Stages)
    case sentencePiece(SentencePieceModel)
  }

  /// What `tokenizer.json` sets up, in the order in which text passes through.
  struct Stages: Sendable {
    var addedTokens: AddedTokens
    var normalizers: [TextNormalizer]
    var normalizedAddedTokens: AddedTokens
    var preTokenizer: PreTokenizer
    var model: BytePairModel
  }

  let pipeline: Pipeline
  let postProcessor: PostProcessor
  /// Whether the text of a special token, such as `<s>`, becomes that token.
  public var readsSpecialTokens: Bool {
    if case .stages = pipeline { true } else { false }
  }
  /// One more than the largest token id.
  public let vocabularySize: Int

  /// Reads a `tokenizer.json`.
  ///
  /// - Parameter path: what errors call the file.
  public init(
    tokenizerJSON bytes: UnsafeRawBufferPointer, path: String = "tokenizer.json"
  ) throws(TokenizerError) {
    let file = try TokenizerFile(bytes, path: path)
    let normalizers = try file.normalizers()
    let added = try file.addedTokenSets(normalizers)
    let preTokenizer = try file.makePreTokenizer()
    var isByteLevel = false
    if case .byteLevel = preTokenizer { isByteLevel = true }
    let model = try file.bytePairModel(isByteLevel: isByteLevel)
    pipeline = .stages(
      Stages(
        addedTokens: AddedTokens(added.plain), normalizers: normalizers,
        normalizedAddedTokens: AddedTokens(added.normalized), preTokenizer: preTokenizer,
        model: model))
    postProcessor = try file.makePostProcessor()
    let largestID = file.model.texts.reduce(added.largestID) { max($0, $1.id) }
    vocabularySize = Int(largestID) + 1
  }

  /// Reads a SentencePiece model of byte pairs (`tokenizer.model`).
  ///
  /// - Parameters:
  ///   - addsBeginning: whether the token of the beginning, `<s>`, is put before each text, as
  ///     LLaMA's `add_bos_token` has it.
  ///   - path: what errors call the file.
  public init(
    sentencePieceModel bytes: UnsafeRawBufferPointer, addsBeginning: Bool = true,
    path: String = "tokenizer.model"
  ) throws(TokenizerError) {
    let model = try SentencePieceModel(bytes, path: path)
    pipeline = .sentencePiece(model)
    postProcessor = PostProcessor(
      prefix: addsBeginning ? [model.beginning].compactMap { $0 } : [])
    vocabularySize = model.vocabularySize
  }

  /// Token ids of one text, with those that the model expects before and after it.
  ///
  /// For many texts a ``TokenEncoder`` is faster: it remembers words.
  public func encode(_ text: String, addingSpecialTokens: Bool = true) -> [Int32] {
    var encoder = TokenEncoder(self)
    var text = text
    return text.withUTF8 { encoder.encode($0, addingSpecialTokens: addingSpecialTokens) }
  }
}
