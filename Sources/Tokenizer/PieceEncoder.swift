/// Turns pieces of text into tokens; keeps the memory for it and the words met before.
struct PieceEncoder {
  private let model: BytePairModel
  private var cache = WordCache()
  private var merger = BytePairMerger()

  init(_ model: BytePairModel) { self.model = model }

  /// Appends the tokens of a piece that no pre-tokenizer splits further.
  @inline(__always)
  mutating func append(_ piece: UTF8Text, to ids: inout [Int32]) {
    guard !piece.isEmpty else { return }
    switch model.alphabet {
    case .bytes: appendUnit(piece, to: &ids)
    case .scalars(let alphabet): appendUnits(of: piece, alphabet, to: &ids)
    }
  }

  /// Cuts a piece where no merge can join what is left and right, which changes no result and
  /// makes words of what would be one piece as long as the text.
  private mutating func appendUnits(
    of piece: UTF8Text, _ alphabet: ScalarAlphabet, to ids: inout [Int32]
  ) {
    if let id = model.wholePieces?.value(of: piece) {
      ids.append(id)
      return
    }
    guard model.merges.allowsSplitting else { return appendUnit(piece, to: &ids) }
    var start = 0
    var (last, position) = piece.scalar(at: 0)
    while position < piece.count {
      let (value, byteCount) = piece.scalar(at: position)
      if !model.merges.mayJoin(last, value), isCuttable(before: value, alphabet) {
        appendUnit(piece[start..<position], to: &ids)
        start = position
      }
      last = value
      position += byteCount
    }
    appendUnit(piece[start..<piece.count], to: &ids)
  }

  /// Neighbouring unknown scalars depend on each other, so a cut needs a token behind it.
  @inline(__always)
  private func isCuttable(before value: UInt32, _ alphabet: ScalarAlphabet) -> Bool {
    alphabet.fallback == .late || alphabet.tokens[value] != nil
  }

  private mutating func appendUnit(_ unit: UTF8Text, to ids: inout [Int32]) {
    guard unit.count <= WordCache.wordByteLimit else { return appendMerged(unit, to: &ids) }
    let hash = ByteStringTable.hash(unit)
    if cache.append(unit, hash: hash, to: &ids) { return }
    let start = ids.count
    appendMerged(unit, to: &ids)
    cache.insert(unit, hash: hash, ids[start...])
  }

  private mutating func appendMerged(_ unit: UTF8Text, to ids: inout [Int32]) {
    switch model.alphabet {
    case .bytes(let tokens):
      if let id = model.wholePieces?.value(of: unit) {
        ids.append(id)
        return
      }
      merger.symbols.removeAll(keepingCapacity: true)
      for byte in unit { if let id = tokens[Int(byte)] { merger.symbols.append(id) } }
      merger.merge(with: model.merges)
      ids.append(contentsOf: merger.symbols)
    case .scalars(let alphabet):
      alphabet.load(unit, into: &merger.symbols)
      merger.merge(with: model.merges)
      if alphabet.fallback == .late {
        appendFallenBack(alphabet, to: &ids)
      } else {
        ids.append(contentsOf: merger.symbols)
      }
    }
  }

  /// Symbols that are no tokens become bytes or unknown tokens.
  private func appendFallenBack(_ alphabet: ScalarAlphabet, to ids: inout [Int32]) {
    var bytes: [UInt8] = []
    for symbol in merger.symbols {
      guard symbol < 0 else {
        ids.append(symbol)
        continue
      }
      bytes.removeAll(keepingCapacity: true)
      bytes.append(scalar: UInt32(~symbol))
      if let tokens = bytes.withUnsafeBufferPointer({ alphabet.byteTokens(of: $0) }) {
        ids.append(contentsOf: tokens)
      } else if let unknown = alphabet.unknown {
        ids.append(unknown)
      }
    }
  }
}
