/// What a tokenizer does to a text besides splitting and merging, and what
/// ``TokenizerContents`` does not say: for writers of formats that can do less.
public struct TokenizerTraits: Hashable, Sendable {
  /// Texts that are replaced before anything else.
  public struct Replacement: Hashable, Sendable {
    public let text: String
    public let replacement: String
  }

  public internal(set) var replacements: [Replacement] = []
  /// Texts that are put first.
  public internal(set) var prefixes: [String] = []
  /// A word that is a token as a whole is that token, whatever the merges make of it.
  public internal(set) var ignoresMerges = false
  /// Nothing merges across the beginning of a word.
  public internal(set) var splitsAtSpaces = false
  /// Every number is a word of its own.
  public internal(set) var isolatesDigits = false
  /// Scalars are mapped to others, as NFKC does; composition (NFC) does not count.
  public internal(set) var mapsScalars = false
  /// Spaces at both ends and repeated ones go.
  public internal(set) var removesExtraSpaces = false
  /// The space of a word stands behind it.
  public internal(set) var treatsSpaceAsSuffix = false

  /// Of a `tokenizer.json`.
  public init(
    tokenizerJSON bytes: UnsafeRawBufferPointer, path: String = "tokenizer.json"
  ) throws(TokenizerError) {
    let file = try TokenizerFile(bytes, path: path)
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    for step in try file.normalizers() {
      switch step {
      case .composition: break
      case .prepend(let prefix): prefixes.append(text(prefix))
      case .replace(let pattern, let content):
        replacements.append(Replacement(text: text(pattern), replacement: text(content)))
      }
    }
    switch try file.makePreTokenizer() {
    case .none: break
    case .metaspace(let metaspace):
      replacements.append(Replacement(text: " ", replacement: text(metaspace.replacement)))
      if metaspace.prependScheme != .never { prefixes.append(text(metaspace.replacement)) }
      splitsAtSpaces = metaspace.splits
    case .byteLevel(let split): isolatesDigits = split.isolatesDigits
    }
    ignoresMerges = file.model.settings["ignore_merges"]?.bool ?? false
  }

  /// Of a `tokenizer.model`.
  public init(
    sentencePieceModel bytes: UnsafeRawBufferPointer, path: String = "tokenizer.model"
  ) throws(TokenizerError) {
    let file = try SentencePieceFile(bytes, path: path)
    if file.escapesSpaces { replacements = [Replacement(text: " ", replacement: "\u{2581}")] }
    if file.addsDummyPrefix { prefixes = ["\u{2581}"] }
    mapsScalars = !file.characterMap.isEmpty
    removesExtraSpaces = file.removesExtraSpaces
    treatsSpaceAsSuffix = file.treatsSpaceAsSuffix
  }
}
