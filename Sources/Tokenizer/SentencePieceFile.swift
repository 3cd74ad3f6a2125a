/// What a `tokenizer.model` holds (`sentencepiece_model.proto`, message `ModelProto`).
struct SentencePieceFile {
  enum PieceKind: UInt64 {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  struct Piece {
    var text: [UInt8] = []
    var score: Float = 0
    var kind = PieceKind.normal
  }

  /// In the order of their ids.
  private(set) var pieces: [Piece] = []
  /// `model_type`; 2 is byte-pair encoding.
  private(set) var modelType: UInt64 = 1
  private(set) var hasByteFallback = false
  private(set) var treatsSpaceAsSuffix = false
  private(set) var beginningPiece = Array("<s>".utf8)
  private(set) var characterMap: [UInt8] = []
  private(set) var addsDummyPrefix = true
  private(set) var removesExtraSpaces = true
  private(set) var escapesSpaces = true

  private let path: String

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
    self.path = path
    do {
      var reader = ProtobufReader(bytes)
      while let (field, value) = try reader.next() {
        guard case .bytes(let message) = value else { continue }
        switch field {
        case 1: pieces.append(try piece(message))
        case 2: try readTrainerSpec(message)
        case 3: try readNormalizerSpec(message)
        default: break
        }
      }
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw .malformedSentencePiece(path: path, reason: "it ends too early or is no such file")
    }
    guard !pieces.isEmpty else {
      throw .malformedSentencePiece(path: path, reason: "it holds no pieces")
    }
  }

  private func piece(_ message: UnsafeRawBufferPointer) throws -> Piece {
    var piece = Piece()
    var reader = ProtobufReader(message)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .bytes(let text)): piece.text = Array(text)
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .number(let number)):
        guard let kind = PieceKind(rawValue: number) else {
          throw TokenizerError.malformedSentencePiece(
            path: path, reason: "a piece has the unknown type \(number)")
        }
        piece.kind = kind
      default: break
      }
    }
    guard !piece.text.isEmpty, !piece.score.isNaN,
      String(validating: piece.text, as: UTF8.self) != nil
    else {
      throw TokenizerError.malformedSentencePiece(
        path: path, reason: "piece \(pieces.count) is empty, not UTF-8 or without a score")
    }
    return piece
  }

  private mutating func readTrainerSpec(_ message: UnsafeRawBufferPointer) throws {
    var reader = ProtobufReader(message)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (3, .number(let number)): modelType = number
      case (24, .number(let number)): treatsSpaceAsSuffix = number != 0
      case (35, .number(let number)): hasByteFallback = number != 0
      case (46, .bytes(let text)): beginningPiece = Array(text)
      default: break
      }
    }
  }

  private mutating func readNormalizerSpec(_ message: UnsafeRawBufferPointer) throws {
    var reader = ProtobufReader(message)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (2, .bytes(let map)): characterMap = Array(map)
      case (3, .number(let number)): addsDummyPrefix = number != 0
      case (4, .number(let number)): removesExtraSpaces = number != 0
      case (5, .number(let number)): escapesSpaces = number != 0
      default: break
      }
    }
  }
}
