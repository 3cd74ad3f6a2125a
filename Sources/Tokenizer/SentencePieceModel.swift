/// A byte-pair vocabulary of SentencePiece, ready to encode.
struct SentencePieceModel: Sendable {
  let normalizer: SentencePieceNormalizer
  let model: BytePairModel
  /// In normalized text these stay whole and merge with nothing.
  let userDefined: AddedTokens
  /// Where neighbouring unknown pieces are one.
  let fusedUnknown: Int32?
  let beginning: Int32?
  let vocabularySize: Int

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
    let file = try SentencePieceFile(bytes, path: path)
    let builder = try SentencePieceModelBuilder(file, path: path)
    model = builder.model()
    userDefined = AddedTokens(builder.userDefined)
    var map: CharacterMap?
    if !file.characterMap.isEmpty {
      map = file.characterMap.withUnsafeBytes { CharacterMap($0) }
      guard map != nil else {
        throw .malformedSentencePiece(path: path, reason: "its character map is damaged")
      }
    }
    var space: [UInt8] = []
    space.append(scalar: file.escapesSpaces ? Unicode.Scalar.lowerOneEighthBlock.value : 0x20)
    normalizer = SentencePieceNormalizer(
      characterMap: map, userDefined: userDefined, addsDummyPrefix: file.addsDummyPrefix,
      removesExtraSpaces: file.removesExtraSpaces, space: space,
      treatsSpaceAsSuffix: file.treatsSpaceAsSuffix)
    fusedUnknown = file.hasByteFallback ? nil : builder.unknown
    beginning = file.pieces.firstIndex {
      $0.kind == .control && $0.text == file.beginningPiece
    }.map { Int32($0) }
    vocabularySize = file.pieces.count
  }
}

/// Pieces with scores become pairs with ranks: SentencePiece merges any two neighbours whose texts
/// together are a piece, the one of the highest score first.
private struct SentencePieceModelBuilder {
  private let file: SentencePieceFile
  private var merging: [[UInt8]: Int32] = [:]
  private var reserved: [[UInt8]: Int32] = [:]
  private var byteTokens: [Int32?] = []
  private(set) var userDefined: [AddedTokens.Token] = []
  private(set) var unknown: Int32?

  init(_ file: SentencePieceFile, path: String) throws(TokenizerError) {
    self.file = file
    guard file.modelType == 2 else {
      let names: [UInt64: String] = [1: "unigram", 3: "word", 4: "char"]
      throw .unsupported(
        path: path, part: "SentencePiece model type",
        kind: names[file.modelType] ?? "\(file.modelType)")
    }
    byteTokens = file.hasByteFallback ? Array(repeating: nil, count: 256) : []
    for (index, piece) in file.pieces.enumerated() {
      let id = Int32(index)
      let isMerging = piece.kind == .normal || piece.kind == .userDefined
      let old =
        isMerging
        ? merging.updateValue(id, forKey: piece.text)
        : reserved.updateValue(id, forKey: piece.text)
      guard old == nil else {
        throw .malformedSentencePiece(path: path, reason: "piece \(index) is there twice")
      }
      switch piece.kind {
      case .normal, .control: break
      case .unused: throw .unsupported(path: path, part: "SentencePiece piece type", kind: "unused")
      case .userDefined:
        userDefined.append(AddedTokens.Token(content: piece.text, id: id))
      case .unknown:
        guard unknown == nil else {
          throw .malformedSentencePiece(path: path, reason: "it has two unknown pieces")
        }
        unknown = id
      case .byte:
        guard let byte = ByteTokenName.byte(piece.text), !byteTokens.isEmpty else {
          throw .malformedSentencePiece(path: path, reason: "piece \(index) is no byte")
        }
        byteTokens[Int(byte)] = id
      }
    }
    guard unknown != nil else {
      throw .malformedSentencePiece(path: path, reason: "it has no unknown piece")
    }
    guard byteTokens.allSatisfy({ $0 != nil }) else {
      throw .malformedSentencePiece(path: path, reason: "it lacks some of the 256 byte pieces")
    }
  }

  func model() -> BytePairModel {
    var tokens = ScalarTable()
    for (text, id) in merging {
      if let scalar = SentencePieceModelBuilder.onlyScalar(text) { tokens[scalar] = id }
    }
    for (text, id) in reserved {
      if let scalar = SentencePieceModelBuilder.onlyScalar(text) { tokens[scalar] = id }
    }
    return BytePairModel(
      alphabet: .scalars(
        ScalarAlphabet(
          tokens: tokens, byteTokens: byteTokens, unknown: unknown, fusesUnknown: false,
          fallback: .late)),
      merges: merges(), wholePieces: nil)
  }

  private func merges() -> MergeTable {
    let scores = Set(merging.values.map { file.pieces[Int($0)].score }).sorted(by: >)
    let ranks = Dictionary(
      uniqueKeysWithValues: scores.enumerated().map { ($1, UInt32($0)) })
    var table = MergeTable(capacity: 4 * merging.count)
    for (text, id) in merging {
      let rank = ranks[file.pieces[Int(id)].score]!
      for cut in 1..<max(1, text.count) where text[cut] & 0xC0 != 0x80 {
        let (left, right) = (Array(text[..<cut]), Array(text[cut...]))
        guard let leftSymbol = symbol(left), let rightSymbol = symbol(right) else { continue }
        let junction = text.withUnsafeBufferPointer {
          ($0.scalar(before: cut).value, $0.scalar(at: cut).value)
        }
        table.insert(
          left: leftSymbol, right: rightSymbol, rank: rank, result: id, junction: junction)
      }
    }
    return table
  }

  /// What a part of a piece is while merging goes on: a piece or a single scalar.
  private func symbol(_ text: [UInt8]) -> Int32? {
    if let scalar = SentencePieceModelBuilder.onlyScalar(text) {
      return reserved[text] ?? merging[text] ?? ~Int32(scalar)
    }
    return merging[text]
  }

  private static func onlyScalar(_ text: [UInt8]) -> UInt32? {
    text.withUnsafeBufferPointer {
      let (value, byteCount) = $0.scalar(at: 0)
      return byteCount == text.count ? value : nil
    }
  }
}

/// `<0x00>` … `<0xFF>`.
enum ByteTokenName {
  static func name(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]] + Array(">".utf8)
  }

  static func byte(_ name: [UInt8]) -> UInt8? {
    guard name.count == 6 else { return nil }
    let digits = String(decoding: name[3..<5], as: UTF8.self)
    guard let byte = UInt8(digits, radix: 16), self.name(byte) == name else { return nil }
    return byte
  }
}
