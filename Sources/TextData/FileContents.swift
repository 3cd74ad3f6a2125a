internal import Compression
internal import Storage

/// What the first bytes of a file, unpacked, say that it is.
struct FileContents {
  enum Kind: Hashable {
    case text
    case parquet
    case arrow
    case empty
    case utf16
    /// A zero byte.
    case binary(offset: Int)
    case foreign(ForeignFormat)
  }

  let kind: Kind
  private let bytes: ArraySlice<UInt8>

  init(firstBytes bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    kind = FileContents.kind(bytes)
  }

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile) throws {
    var stream = try ByteStream(file)
    var bytes: [UInt8] = []
    while bytes.count < TextLimits.probeBytes, try stream.read(into: &bytes) {}
    self.init(firstBytes: bytes.prefix(TextLimits.probeBytes))
  }

  private static func kind(_ bytes: ArraySlice<UInt8>) -> Kind {
    if bytes.isEmpty { return .empty }
    if bytes.starts(with: Array("PAR1".utf8)) { return .parquet }
    if bytes.starts(with: Array("ARROW1".utf8)) { return .arrow }
    if let format = ForeignFormat(firstBytes: bytes) { return .foreign(format) }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { return .utf16 }
    if let zero = bytes.firstIndex(of: 0) { return .binary(offset: zero - bytes.startIndex) }
    return .text
  }

  /// UTF-8's byte-order mark, which is no part of the text.
  static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The first byte that is no blank.
  var firstByte: UInt8? {
    let text = bytes.starts(with: FileContents.byteOrderMark) ? bytes.dropFirst(3) : bytes
    return text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
  }

  /// Whether it is a JSON object on several lines.
  var beginsAsSettings: Bool {
    guard firstByte == UInt8(ascii: "{") else { return false }
    let line = bytes.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.prefix { $0 != 0x0A }
    return line.last { ![0x20, 0x09, 0x0D].contains($0) } == UInt8(ascii: "{")
  }
}
