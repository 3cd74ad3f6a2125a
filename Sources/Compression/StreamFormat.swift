/// A format in which a whole file is packed; a file may hold several members one after another.
public enum StreamFormat: String, Hashable, Sendable, CaseIterable {
  /// RFC 1952.
  case gzip
  /// RFC 8878.
  case zstd
  /// tukaani.org/xz/xz-file-format.txt
  case xz
  /// `lz4_Frame_format.md` of lz4.
  case lz4

  /// The bytes that a file begins with.
  public var magic: [UInt8] {
    switch self {
    case .gzip: [0x1F, 0x8B]
    case .zstd: [0x28, 0xB5, 0x2F, 0xFD]
    case .xz: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]
    case .lz4: [0x04, 0x22, 0x4D, 0x18]
    }
  }

  /// What names of such files end with.
  public var suffix: String {
    switch self {
    case .gzip: ".gz"
    case .zstd: ".zst"
    case .xz: ".xz"
    case .lz4: ".lz4"
    }
  }
}
