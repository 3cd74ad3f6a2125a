internal import Checkpoint
internal import FlapCore
internal import Logging
internal import SystemPackage
internal import TextData
internal import Tokenizer

/// Where a run's samples come from: token ids in a `.npy`, or text and the model's tokenizer.
struct SampleSource {
  let path: FilePath
  let sampleLimit: Int?
  let text: TextOptions
  /// Of text, where the options do not say.
  let usualOrder: SamplingOrder
  /// Of consecutive samples of text; nil: they do not overlap.
  var stride: Int?

  /// Of the paper.
  private static let usualSampleCount = 1024
  private static let usualSequenceLength = 128

  /// - Parameter model: the folder whose tokenizer reads text.
  func tokens(for shape: ModelShape, model: FilePath, _ log: Logger) throws -> TokenMatrix {
    let tokens = try path.extension == "npy" ? tokenIDs(shape, log) : textWindows(shape, model, log)
    try tokens.validate(vocabularySize: shape.vocabularySize)
    return tokens
  }

  private func tokenIDs(_ shape: ModelShape, _ log: Logger) throws -> TokenMatrix {
    let textual: [(name: String, isGiven: Bool)] = [
      ("--sequence-length", text.sequenceLength != nil && text.padID == nil),
      ("--seed", text.seed != nil),
      ("--sampling", text.order != nil), ("--text-field", text.field != nil),
      ("--chat-template", text.chatTemplate != nil), ("--keep-line-ends", text.keepsLineEnds),
      ("--stride", stride != nil),
    ]
    if let option = textual.first(where: \.isGiven) {
      throw UsageError("\(option.name) is for text: \(path) holds token ids")
    }
    let tokens = try withoutPads(try TokenMatrix(path: path), shape, log)
    guard let sampleLimit else { return tokens }
    guard sampleLimit <= tokens.sampleCount else {
      throw UsageError(
        "\(path) has \(tokens.sampleCount) samples, fewer than --samples \(sampleLimit)")
    }
    return tokens.prefix(sampleCount: sampleLimit)
  }

  private func withoutPads(
    _ rows: TokenMatrix, _ shape: ModelShape, _ log: Logger
  ) throws -> TokenMatrix {
    guard let pad = text.padID else {
      if let pad = rows.likelyPad {
        log.notice(
          """
          rows of \(path) begin or end with the id \(pad) several times: if it fills them up, \
          --pad-id \(pad) leaves it out
          """)
      }
      return rows
    }
    let length = text.sequenceLength ?? rows.tokensPerSample
    guard
      let packed = try rows.packed(
        withoutPad: pad, tokensPerSample: length, vocabularySize: shape.vocabularySize)
    else {
      throw UsageError(
        "\(path) has less than one sample of \(length) tokens without the id \(pad): give a smaller "
          + "--sequence-length, or another --pad-id")
    }
    log.info("\(rows.sampleCount) rows of \(path) without \(pad): \(packed.sampleCount) samples")
    return packed
  }

  private func textWindows(_ shape: ModelShape, _ model: FilePath, _ log: Logger) throws
    -> TokenMatrix
  {
    guard text.padID == nil else {
      throw UsageError("--pad-id is for token ids: \(path) is text, whose samples are whole")
    }
    let tokenizer = try TokenizerFolder.load(model)
    guard tokenizer.vocabularySize <= shape.vocabularySize else {
      throw UsageError(
        "the tokenizer in \(model) has \(tokenizer.vocabularySize) tokens, its model "
          + "\(shape.vocabularySize): they do not belong together")
    }
    let windows = try TextWindows(
      path: path, tokenizer: tokenizer, sampling: sampling(), vocabularySize: shape.vocabularySize,
      chatFormat: ChatFormat(folder: model, template: text.chatTemplate.map { FilePath($0) }))
    guard text.chatTemplate == nil || windows.summary.conversationCount > 0 else {
      throw UsageError("--chat-template is for conversations: \(path) holds none")
    }
    if windows.summary.changedLineEndCount > 0 {
      log.notice(
        """
        \(windows.summary.changedLineEndCount) line ends of \(path) that are CR LF or CR are read as LF; \
        --keep-line-ends takes them as they are
        """)
    }
    if windows.summary.dropsMostText {
      log.notice(
        """
        most of \(path) is in texts shorter than a sample of \(windows.tokensPerSample) tokens, which \
        random samples leave out; --sampling consecutive takes them in a row
        """)
    }
    log.info("\(windows.sampleCount) samples of \(path): \(windows.summary)")
    return TokenMatrix(
      sampleCount: windows.sampleCount, tokensPerSample: windows.tokensPerSample,
      tokens: windows.tokens, path: path.string)
  }

  private func sampling() throws -> TextSampling {
    let length = text.sequenceLength ?? SampleSource.usualSequenceLength
    let field = text.field ?? "text"
    switch text.order ?? usualOrder {
    case .consecutive:
      guard (1...length).contains(stride ?? length) else {
        throw UsageError("--stride \(stride ?? 0) is not 1 to \(length), the tokens of a window")
      }
      guard text.seed == nil else {
        throw UsageError("--seed is for --sampling random: consecutive samples are not drawn")
      }
      return TextSampling(
        order: .consecutive, sampleCount: sampleLimit, tokensPerSample: length, stride: stride,
        textField: field, keepsLineEnds: text.keepsLineEnds)
    case .random:
      guard stride == nil else {
        throw UsageError("--stride is for consecutive samples: random ones overlap as they fall")
      }
      return TextSampling(
        order: .random(seed: text.seed ?? 0),
        sampleCount: sampleLimit ?? SampleSource.usualSampleCount, tokensPerSample: length,
        textField: field, keepsLineEnds: text.keepsLineEnds)
    }
  }
}
