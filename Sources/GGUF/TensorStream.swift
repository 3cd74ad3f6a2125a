internal import Checkpoint
internal import FlapCore
internal import Storage

/// Copies a mapped tensor into a GGUF file, in another type or order of rows, a piece at a time.
struct TensorStream: ~Copyable {
  private var buffer: [UInt8]
  private var filled = 0

  /// Bytes that are gathered before they are handed on; a longer row is handed on alone.
  private static let bufferBytes = 1 << 20

  init() { buffer = Array(repeating: 0, count: TensorStream.bufferBytes) }

  /// - Throws: `StorageError`, or ``GGUFError/beyondFloat16(tensor:value:)``.
  mutating func copy(
    _ view: TensorView, as type: ElementType, _ order: RowOrder, to writer: inout GGUFWriter
  ) throws {
    view.willNeed()
    switch order {
    case .asStored:
      let pieceBytes = TensorStream.bufferBytes
      for start in stride(from: 0, to: view.bytes.count, by: pieceBytes) {
        let piece = view.bytes[start..<min(start + pieceBytes, view.bytes.count)]
        try append(UnsafeRawBufferPointer(rebasing: piece), of: view, as: type, to: &writer)
      }
    case .rotaryPairs(let headDimension):
      for row in 0..<view.shape[0] {
        let source = RowOrder.source(of: row, headDimension: headDimension)
        try append(view.rows(source..<source + 1).bytes, of: view, as: type, to: &writer)
      }
    }
    try flush(to: &writer)
  }

  private mutating func append(
    _ bytes: UnsafeRawBufferPointer, of view: TensorView, as type: ElementType,
    to writer: inout GGUFWriter
  ) throws {
    let count = bytes.count / view.elementType.byteCount * type.byteCount
    if filled + count > buffer.count { try flush(to: &writer) }
    if count > buffer.count { buffer = Array(repeating: 0, count: count) }
    let unholdable = buffer.withUnsafeMutableBytes {
      Conversion.convert(
        bytes, view.elementType, to: type,
        into: UnsafeMutableRawBufferPointer(rebasing: $0[filled..<filled + count]))
    }
    if let unholdable { throw GGUFError.beyondFloat16(tensor: view.name, value: unholdable) }
    filled += count
  }

  private mutating func flush(to writer: inout GGUFWriter) throws {
    try buffer.withUnsafeBytes {
      try writer.append(UnsafeRawBufferPointer(rebasing: $0[..<filled]))
    }
    filled = 0
  }
}

/// In which order the rows of a tensor go into the file.
enum RowOrder: Hashable, Sendable {
  case asStored
  /// Hugging Face rotates channel j of a head with channel j + d/2, llama.cpp's architectures of
  /// this kind (`LLAMA_ROPE_TYPE_NORM`) channel 2j with 2j + 1: d rows per head change places.
  case rotaryPairs(headDimension: Int)

  /// Which row of the checkpoint is row `row` of the file.
  static func source(of row: Int, headDimension: Int) -> Int {
    let (head, channel) = row.quotientAndRemainder(dividingBy: headDimension)
    return head * headDimension + channel % 2 * (headDimension / 2) + channel / 2
  }
}
