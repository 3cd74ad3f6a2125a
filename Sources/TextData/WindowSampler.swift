internal import FlapCore
internal import SystemPackage
internal import Tokenizer

/// Reads texts as far as they are needed and takes windows out of their tokens.
struct WindowSampler {
  private let files: [TextFile]
  /// What the user named, for errors.
  private let path: FilePath
  private var encoder: TokenEncoder
  private let sampling: TextSampling
  private let chatFormat: ChatFormat?
  private(set) var summary = TextWindows.Summary()

  init(
    files: [TextFile], path: FilePath, encoder: TokenEncoder, sampling: TextSampling,
    chatFormat: ChatFormat?
  ) {
    self.chatFormat = chatFormat
    self.files = files
    self.path = path
    self.encoder = encoder
    self.sampling = sampling
  }

  /// [samples, tokens], row-major.
  mutating func tokens() throws -> [Int32] {
    switch sampling.order {
    case .random(let seed): try randomTokens(seed: seed, sampleCount: sampling.sampleCount ?? 1)
    case .consecutive: try consecutiveTokens()
    }
  }

  private mutating func consecutiveTokens() throws -> [Int32] {
    let (length, stride) = (sampling.tokensPerSample, sampling.stride)
    // An overflow means more than any text has.
    let (product, overflows) = ((sampling.sampleCount ?? Int.max) - 1).multipliedReportingOverflow(
      by: stride)
    let (sum, exceeds) = product.addingReportingOverflow(length)
    let wanted = overflows || exceeds ? Int.max : sum
    var tokens: [Int32] = []
    reading: for file in files {
      summary.fileCount += 1
      var reader = try DocumentReader(file, sampling, chatFormat)
      while let text = try reader.next() {
        count(text)
        summary.changedLineEndCount += reader.takeChangedLineEndCount()
        tokens += encode(text)
        if tokens.count >= wanted { break reading }
      }
    }
    let found = tokens.count < length ? 0 : (tokens.count - length) / stride + 1
    try check(found, asked: sampling.sampleCount ?? 1, inARow: found)
    let windows = min(found, sampling.sampleCount ?? found)
    guard stride < length else {
      tokens.removeLast(tokens.count - windows * length)
      return tokens
    }
    return (0..<windows).flatMap { tokens[$0 * stride..<$0 * stride + length] }
  }

  private mutating func randomTokens(seed: UInt64, sampleCount: Int) throws -> [Int32] {
    let length = sampling.tokensPerSample
    let texts = try allTexts()
    var documents = try documents(of: texts, for: sampleCount)
    var generator = SplitMix64(seed: seed)
    var candidates = Array(texts.indices)
    var tokens: [Int32] = []
    tokens.reserveCapacity(sampleCount * length)
    while tokens.count < sampleCount * length {
      let place = generator.next(below: candidates.count)
      let index = candidates[place]
      var document = documents[index] ?? Document(tokens: encode(texts[index]), length: length)
      // Held once, or else each insertion would copy the set.
      documents[index] = nil
      // Too short, or all its windows are taken: it is out, and another one is drawn.
      guard document.takenStarts.count < document.startCount else {
        candidates.swapAt(place, candidates.count - 1)
        candidates.removeLast()
        continue
      }
      let start = generator.next(below: document.startCount)
      if document.takenStarts.insert(start).inserted {
        tokens += document.tokens[start..<start + length]
      }
      documents[index] = document
    }
    return tokens
  }

  private struct Document {
    let tokens: [Int32]
    /// Where a window can begin.
    let startCount: Int
    var takenStarts: Set<Int> = []

    init(tokens: [Int32], length: Int) {
      self.tokens = tokens
      startCount = max(0, tokens.count - length + 1)
    }
  }

  private mutating func allTexts() throws -> [TextDocument] {
    var texts: [TextDocument] = []
    for file in files {
      summary.fileCount += 1
      var reader = try DocumentReader(file, sampling, chatFormat)
      while let text = try reader.next() {
        count(text)
        summary.changedLineEndCount += reader.takeChangedLineEndCount()
        texts.append(text)
        guard summary.textByteCount <= TextLimits.textBytes else {
          throw TextDataError.tooMuchText(path: path.string, limitBytes: TextLimits.textBytes)
        }
      }
    }
    return texts
  }

  /// Tokenizes texts until they hold as many windows that do not overlap as are asked for: so
  /// there are enough to draw, and a text too short is refused however its windows would overlap.
  private mutating func documents(
    of texts: [TextDocument], for sampleCount: Int
  ) throws -> [Int: Document] {
    var documents: [Int: Document] = [:]
    var (windowCount, tokenCount) = (0, 0)
    for (index, text) in texts.enumerated() {
      let document = Document(tokens: encode(text), length: sampling.tokensPerSample)
      windowCount += document.tokens.count / sampling.tokensPerSample
      tokenCount += document.tokens.count
      if document.startCount == 0 { summary.shortTextTokenCount += document.tokens.count }
      documents[index] = document
      if windowCount >= sampleCount { return documents }
    }
    try check(
      windowCount, asked: sampleCount, inARow: tokenCount / sampling.tokensPerSample)
    return documents
  }

  /// - Parameter inARow: how many windows there would be over all texts in a row.
  private func check(_ windowCount: Int, asked: Int, inARow: Int) throws(TextDataError) {
    guard windowCount < asked else { return }
    throw .tooFewWindows(
      path: path.string, asked: asked, found: windowCount,
      tokensPerWindow: sampling.tokensPerSample, isRandom: sampling.isRandom, inARow: inARow)
  }

  private mutating func count(_ text: TextDocument) {
    summary.documentCount += 1
    summary.conversationCount += text.isConversation ? 1 : 0
    summary.textByteCount += text.bytes.count
  }

  private mutating func encode(_ text: TextDocument) -> [Int32] {
    let tokens = text.bytes.withUnsafeBufferPointer {
      encoder.encode($0, addingSpecialTokens: !text.isConversation)
    }
    summary.tokenCount += tokens.count
    return tokens
  }
}
