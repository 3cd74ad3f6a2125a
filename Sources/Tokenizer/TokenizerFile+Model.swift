extension TokenizerFile {
  /// The byte-pair vocabulary, over bytes or over scalars.
  func bytePairModel(isByteLevel: Bool) throws(TokenizerError) -> BytePairModel {
    let type = model.settings["type"] ?? .string("BPE")
    guard type == .string("BPE") else {
      throw unsupported("model", type.string ?? "without a type")
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      let value = model.settings[name] ?? .null
      guard value == .null || value == .string("") else {
        throw unsupported("model", "with \(name)")
      }
    }
    let dropout = model.settings["dropout"] ?? .null
    guard dropout == .null || dropout == .number(0) else {
      throw unsupported("model", "with dropout")
    }
    guard !model.texts.isEmpty else { throw malformed("model", "has no vocabulary") }
    let unknown = try unknownToken()
    let hasByteFallback = model.settings["byte_fallback"]?.bool ?? false
    let alphabet =
      isByteLevel
      ? try byteAlphabet(isComplete: unknown != nil || hasByteFallback)
      : BytePairModel.Alphabet.scalars(scalarAlphabet(unknown, hasByteFallback))
    var wholePieces: ByteStringTable?
    if model.settings["ignore_merges"]?.bool ?? false {
      wholePieces = isByteLevel ? byteVocabulary() : model.vocabulary
    }
    var merges = merges(without: fallbackTokens(unknown, hasByteFallback))
    // Scalars that leave no token bring their neighbours together.
    if unknown == nil, !hasByteFallback || byteTokens().contains(nil) {
      merges.allowsSplitting = false
    }
    return BytePairModel(alphabet: alphabet, merges: merges, wholePieces: wholePieces)
  }

  private func unknownToken() throws(TokenizerError) -> Int32? {
    guard let text = model.settings["unk_token"]?.string else { return nil }
    guard let id = model.vocabulary.value(of: Array(text.utf8)) else {
      throw malformed("unk_token", "is not in the vocabulary")
    }
    return id
  }

  private func byteAlphabet(isComplete: Bool) throws(TokenizerError) -> BytePairModel.Alphabet {
    let tokens = ByteAlphabet.scalars.map { scalar in
      var text: [UInt8] = []
      text.append(scalar: scalar)
      return model.vocabulary.value(of: text)
    }
    guard !isComplete || tokens.allSatisfy({ $0 != nil }) else {
      throw unsupported("model", "with an unknown token and without all 256 bytes")
    }
    return .bytes(tokens)
  }

  private func scalarAlphabet(_ unknown: Int32?, _ hasByteFallback: Bool) -> ScalarAlphabet {
    var tokens = ScalarTable()
    for (text, id) in model.texts where !text.isEmpty {
      text.withUnsafeBufferPointer {
        let (value, byteCount) = $0.scalar(at: 0)
        if byteCount == text.count { tokens[value] = id }
      }
    }
    return ScalarAlphabet(
      tokens: tokens, byteTokens: hasByteFallback ? byteTokens() : [], unknown: unknown,
      fusesUnknown: model.settings["fuse_unk"]?.bool ?? false, fallback: .early)
  }

  private func byteTokens() -> [Int32?] {
    (0...255).map { model.vocabulary.value(of: ByteTokenName.name($0)) }
  }

  /// Tokens that stand for other text than their own.
  private func fallbackTokens(_ unknown: Int32?, _ hasByteFallback: Bool) -> Set<Int32> {
    Set((hasByteFallback ? byteTokens() : []).compactMap { $0 } + [unknown].compactMap { $0 })
  }

  private func merges(without fallbackTokens: Set<Int32>) -> MergeTable {
    var table = MergeTable(capacity: model.merges.count)
    for merge in model.merges {
      let isText = !fallbackTokens.contains(merge.left) && !fallbackTokens.contains(merge.right)
      table.insert(
        left: merge.left, right: merge.right, rank: merge.rank, result: merge.result,
        junction: isText ? merge.junction : nil)
    }
    return table
  }

  /// The vocabulary by the bytes that its tokens stand for.
  private func byteVocabulary() -> ByteStringTable {
    var table = ByteStringTable(capacity: model.texts.count)
    for (text, id) in model.texts {
      if let bytes = text.withUnsafeBufferPointer({ ByteAlphabet.bytes(of: $0) }) {
        _ = table.insert(bytes, value: id)
      }
    }
    return table
  }

  func unsupported(_ part: String, _ kind: String) -> TokenizerError {
    .unsupported(path: path, part: part, kind: kind)
  }

  func malformed(_ part: String, _ reason: String) -> TokenizerError {
    .malformedPart(path: path, part: part, reason: reason)
  }
}
