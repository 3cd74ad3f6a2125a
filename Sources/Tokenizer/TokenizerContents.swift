/// What a tokenizer's file holds, in the order of its ids: for writers of other formats.
public struct TokenizerContents: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Scalars with U+2581 for the space; bytes, where the vocabulary has them, as `<0x00>`.
    case scalars
    /// Bytes, as printable scalars, in words by a pattern.
    case bytes(WordSplit)
  }

  public enum WordSplit: Hashable, Sendable {
    case llama3
    case qwen2
    case gpt2
    case none
  }

  /// By the numbers of SentencePiece, which GGUF has taken over.
  public enum TokenKind: Int32, Hashable, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    /// Also for ids that no token has.
    case unused = 5
    case byte = 6
  }

  public struct Token: Hashable, Sendable {
    /// As the file writes it.
    public var text: String
    public var kind: TokenKind
    /// Of SentencePiece; nil in a `tokenizer.json`.
    public var score: Float?
  }

  public let kind: Kind
  /// By id.
  public let tokens: [Token]
  /// Both tokens, the first merge first; empty for SentencePiece, which goes by scores.
  public let merges: [[String]]
  /// What stands before and after every text.
  public let prefix: [Int32]
  public let suffix: [Int32]
  /// Whether the text itself gets a space first.
  public let addsSpacePrefix: Bool

  /// Most ids that are listed.
  static let tokenCountLimit = 1 << 24

  /// Reads a `tokenizer.json`.
  public init(
    tokenizerJSON bytes: UnsafeRawBufferPointer, path: String = "tokenizer.json"
  ) throws(TokenizerError) {
    let file = try TokenizerFile(bytes, path: path)
    kind = try file.contentsKind()
    tokens = try file.contentsTokens(isByteLevel: kind != .scalars)
    let texts = tokens
    merges = file.model.merges.map { [texts[Int($0.left)].text, texts[Int($0.right)].text] }
    let postProcessor = try file.makePostProcessor()
    (prefix, suffix) = (postProcessor.prefix, postProcessor.suffix)
    addsSpacePrefix = try file.addsSpacePrefix()
  }

  /// Reads a `tokenizer.model`.
  public init(
    sentencePieceModel bytes: UnsafeRawBufferPointer, addsBeginning: Bool = true,
    path: String = "tokenizer.model"
  ) throws(TokenizerError) {
    // What is refused for encoding is refused here.
    let model = try SentencePieceModel(bytes, path: path)
    let file = try SentencePieceFile(bytes, path: path)
    kind = .scalars
    tokens = file.pieces.map {
      Token(
        text: String(decoding: $0.text, as: UTF8.self),
        kind: TokenKind(rawValue: Int32($0.kind.rawValue)) ?? .normal, score: $0.score)
    }
    merges = []
    prefix = addsBeginning ? [model.beginning].compactMap { $0 } : []
    suffix = []
    addsSpacePrefix = file.addsDummyPrefix
  }
}

extension TokenizerFile {
  fileprivate func contentsKind() throws(TokenizerError) -> TokenizerContents.Kind {
    guard case .byteLevel(let split) = try makePreTokenizer() else { return .scalars }
    return switch split.pattern {
    case .letterRuns(numbersPerWord: 3): .bytes(.llama3)
    case .letterRuns: .bytes(.qwen2)
    case .gpt2: .bytes(.gpt2)
    case nil: .bytes(.none)
    }
  }

  fileprivate func contentsTokens(
    isByteLevel: Bool
  ) throws(TokenizerError) -> [TokenizerContents.Token] {
    let largest = max(
      model.texts.reduce(-1) { max($0, $1.id) },
      addedTokens.reduce(-1) { max($0, $1["id"]?.id ?? -1) })
    guard Int(largest) < TokenizerContents.tokenCountLimit else {
      throw malformed("vocab", "has the id \(largest), which is too large")
    }
    let unused = TokenizerContents.Token(text: "", kind: .unused)
    var tokens = Array(repeating: unused, count: Int(largest) + 1)
    let hasByteFallback = model.settings["byte_fallback"]?.bool ?? false
    for (text, id) in model.texts {
      let isByte = hasByteFallback && !isByteLevel && ByteTokenName.byte(text) != nil
      tokens[Int(id)] = TokenizerContents.Token(
        text: String(decoding: text, as: UTF8.self), kind: isByte ? .byte : .normal)
    }
    for value in addedTokens {
      guard let content = value["content"]?.string, let id = value["id"]?.id else { continue }
      let isSpecial = value["special"]?.bool ?? false
      tokens[Int(id)] = TokenizerContents.Token(
        text: content, kind: isSpecial ? .control : .userDefined)
    }
    if let text = model.settings["unk_token"]?.string,
      let id = model.vocabulary.value(of: Array(text.utf8))
    {
      tokens[Int(id)].kind = .unknown
    }
    return tokens
  }

  fileprivate func addsSpacePrefix() throws(TokenizerError) -> Bool {
    for case .prepend in try normalizers() { return true }
    return switch try makePreTokenizer() {
    case .none: false
    case .metaspace(let metaspace): metaspace.prependScheme != .never
    case .byteLevel(let split): split.addsPrefixSpace
    }
  }
}
