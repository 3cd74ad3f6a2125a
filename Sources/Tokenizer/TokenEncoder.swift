/// Encodes one text after another with a ``Tokenizer``; one per thread.
public struct TokenEncoder {
  private let pipeline: Tokenizer.Pipeline
  private let postProcessor: PostProcessor
  private var pieces: PieceEncoder
  private var normalized: [UInt8] = []
  private var spaced: [UInt8] = []

  public init(_ tokenizer: Tokenizer) {
    pipeline = tokenizer.pipeline
    postProcessor = tokenizer.postProcessor
    pieces =
      switch tokenizer.pipeline {
      case .stages(let stages): PieceEncoder(stages.model)
      case .sentencePiece(let model): PieceEncoder(model.model)
      }
  }

  /// Token ids of one text.
  ///
  /// - Parameter text: valid UTF-8 below 1 GiB.
  public mutating func encode(
    _ text: UnsafeBufferPointer<UInt8>, addingSpecialTokens: Bool = true
  ) -> [Int32] {
    var ids: [Int32] = []
    ids.reserveCapacity(text.count / 3)
    if addingSpecialTokens { ids += postProcessor.prefix }
    switch pipeline {
    case .stages(let stages): append(text, stages, to: &ids)
    case .sentencePiece(let model): append(text, model, to: &ids)
    }
    if addingSpecialTokens { ids += postProcessor.suffix }
    return ids
  }

  private mutating func append(
    _ text: UTF8Text, _ model: SentencePieceModel, to ids: inout [Int32]
  ) {
    normalized.removeAll(keepingCapacity: true)
    model.normalizer.append(text, to: &normalized)
    let start = ids.count
    normalized.withUnsafeBufferPointer { normalized in
      model.userDefined.forEachPart(of: normalized) { part in
        if let token = part.token {
          ids.append(token)
        } else {
          pieces.append(normalized[part.range], to: &ids)
        }
      }
    }
    if let unknown = model.fusedUnknown { fuse(unknown, &ids, from: start) }
  }

  private func fuse(_ token: Int32, _ ids: inout [Int32], from start: Int) {
    var kept = start
    for index in start..<ids.count {
      if ids[index] == token, kept > start, ids[kept - 1] == token { continue }
      ids[kept] = ids[index]
      kept += 1
    }
    ids.removeLast(ids.count - kept)
  }

  private mutating func append(
    _ text: UTF8Text, _ stages: Tokenizer.Stages, to ids: inout [Int32]
  ) {
    stages.addedTokens.forEachPart(of: text) { part in
      if let token = part.token {
        ids.append(token)
        return
      }
      let isFirst = part.range.lowerBound == 0
      let content = text[part.range] as UTF8Text
      guard !stages.normalizers.isEmpty else {
        return appendNormalized(content, isFirst: isFirst, stages, to: &ids)
      }
      normalized.removeAll(keepingCapacity: true)
      stages.normalizers.append(content, to: &normalized)
      // Held apart, since the pieces change this encoder.
      let held = normalized
      held.withUnsafeBufferPointer {
        appendNormalized($0, isFirst: isFirst, stages, to: &ids)
      }
    }
  }

  private mutating func appendNormalized(
    _ text: UTF8Text, isFirst: Bool, _ stages: Tokenizer.Stages, to ids: inout [Int32]
  ) {
    stages.normalizedAddedTokens.forEachPart(of: text) { part in
      if let token = part.token {
        ids.append(token)
      } else {
        appendPiece(
          text[part.range], isFirst: isFirst && part.range.lowerBound == 0,
          stages.preTokenizer, to: &ids)
      }
    }
  }

  private mutating func appendPiece(
    _ text: UTF8Text, isFirst: Bool, _ preTokenizer: PreTokenizer, to ids: inout [Int32]
  ) {
    switch preTokenizer {
    case .none: pieces.append(text, to: &ids)
    case .metaspace(let metaspace):
      spaced.removeAll(keepingCapacity: true)
      metaspace.append(text, isFirst: isFirst, to: &spaced)
      spaced.withUnsafeBufferPointer {
        metaspace.forEachPiece(of: $0) { pieces.append($0, to: &ids) }
      }
    case .byteLevel(let split):
      guard split.addsPrefixSpace, text.first != UInt8(ascii: " ") else {
        return split.forEachWord(of: text) { pieces.append($0, to: &ids) }
      }
      spaced = [UInt8(ascii: " ")] + text
      spaced.withUnsafeBufferPointer {
        split.forEachWord(of: $0) { pieces.append($0, to: &ids) }
      }
    }
  }
}
