internal import Storage
internal import SystemPackage
internal import Tokenizer

/// The tokenizer's file of a checkpoint: `tokenizer.json`, which transformers goes by, or
/// `tokenizer.model`.
struct TokenizerSource {
  let path: String
  let contents: TokenizerContents
  let traits: TokenizerTraits

  private static let largestBytes = 256 << 20

  init(directory: FilePath) throws {
    let json = directory.appending("tokenizer.json")
    let model = directory.appending("tokenizer.model")
    guard SmallFile.exists(json) || SmallFile.exists(model) else {
      throw GGUFError.noTokenizer(directory: directory.string)
    }
    let isJSON = SmallFile.exists(json)
    let path = isJSON ? json : model
    let bytes = try SmallFile.read(path, limit: TokenizerSource.largestBytes)
    self.path = path.string
    contents = try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      isJSON
        ? try TokenizerContents(tokenizerJSON: bytes, path: path.string)
        : try TokenizerContents(sentencePieceModel: bytes, path: path.string)
    }
    traits = try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      isJSON
        ? try TokenizerTraits(tokenizerJSON: bytes, path: path.string)
        : try TokenizerTraits(sentencePieceModel: bytes, path: path.string)
    }
  }

  func refusal(_ reason: String) -> GGUFError { .tokenizer(path: path, reason: reason) }

  /// Whether llama.cpp's tokenizer "llama" does with a text what this one does.
  func checkScalars() throws {
    let space = "\u{2581}"
    guard !traits.replacements.isEmpty,
      traits.replacements.allSatisfy({ $0.text == " " && $0.replacement == space }),
      traits.prefixes.allSatisfy({ $0 == space })
    else { throw refusal("it replaces other texts than the space by U+2581") }
    guard !traits.mapsScalars else { throw refusal("it normalizes characters, as NFKC does") }
    guard !traits.removesExtraSpaces else { throw refusal("it removes repeated spaces") }
    guard !traits.treatsSpaceAsSuffix else { throw refusal("it puts spaces behind words") }
    let byteCount = contents.tokens.count { $0.kind == .byte }
    guard byteCount == 256 else {
      throw refusal("it has \(byteCount) byte tokens (such as <0x0A>) of the 256 that are needed")
    }
  }

  /// `tokenizer.ggml.pre` for a byte-level tokenizer.
  func patternName(_ split: TokenizerContents.WordSplit) throws -> String {
    guard traits.replacements.isEmpty, traits.prefixes.isEmpty, !contents.addsSpacePrefix else {
      throw refusal("it changes the text before it is split into words")
    }
    let name: String
    switch (split, traits.isolatesDigits) {
    case (.llama3, false): name = "llama-bpe"
    case (.qwen2, false): name = "qwen2"
    case (.gpt2, false): name = "gpt-2"
    // Digits and then the pattern of GPT-2.
    case (.gpt2, true): name = "smollm"
    case (_, true): throw refusal("it isolates digits and then splits by another pattern")
    case (.none, false): throw refusal("it does not split texts into words")
    }
    // Only there does llama.cpp take a word whole that is a token.
    if (name == "llama-bpe") != traits.ignoresMerges {
      let simulation = MergeSimulation(contents)
      for token in contents.tokens where token.kind == .normal {
        guard simulation.rank(of: token.text) == nil, token.text.unicodeScalars.count > 1 else {
          continue
        }
        throw refusal("its merges never make the token \"\(token.text)\", llama.cpp differs there")
      }
    }
    return name
  }
}
