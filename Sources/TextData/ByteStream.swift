internal import CZlib
internal import Storage
internal import SystemPackage

/// The bytes of a file from its beginning, unpacked if it is a `.gz` (gzip of zlib, RFC 1952).
struct ByteStream: ~Copyable {
  private let file: RegularFile
  private let path: FilePath
  private let inflater: Inflater?
  private var producedByteCount = 0

  /// - Throws: a `StorageError`.
  init(_ textFile: TextFile) throws {
    path = textFile.path
    file = try RegularFile(path)
    inflater = textFile.isCompressed ? Inflater() : nil
  }

  /// Appends some of the next bytes.
  ///
  /// - Returns: whether there were any; false at the end.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func read(into bytes: inout [UInt8]) throws -> Bool {
    let count = bytes.count
    if let inflater {
      while bytes.count == count {
        guard try unpack(inflater, into: &bytes) else { return false }
      }
    } else {
      let chunk = try readChunk()
      bytes.append(contentsOf: chunk)
    }
    producedByteCount += bytes.count - count
    return bytes.count > count
  }

  private func readChunk() throws -> [UInt8] {
    do {
      return try [UInt8](unsafeUninitializedCapacity: TextLimits.chunkBytes) { buffer, count in
        count = try file.descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
    } catch {
      throw StorageError(.readFailed, path, error as? Errno)
    }
  }

  /// - Returns: false at the end of the file.
  private func unpack(_ inflater: Inflater, into bytes: inout [UInt8]) throws -> Bool {
    if inflater.needsInput {
      let chunk = try readChunk()
      guard !chunk.isEmpty else {
        guard inflater.isBetweenMembers else {
          throw TextDataError.damagedGzip(path: path.string, offset: producedByteCount)
        }
        return false
      }
      inflater.setInput(chunk)
    }
    guard inflater.inflate(into: &bytes) else {
      throw inflater.isAtStart
        ? TextDataError.notGzip(path: path.string)
        : TextDataError.damagedGzip(path: path.string, offset: producedByteCount)
    }
    return true
  }
}

/// A `z_stream` with its input.
private final class Inflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private let input: UnsafeMutablePointer<UInt8>
  /// Whether the last member is whole; a file may hold several.
  private(set) var isBetweenMembers = false
  private(set) var isAtStart = true

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    input = .allocate(capacity: TextLimits.chunkBytes)
    let code = flap_inflate_init_gzip(stream)
    // It fails for want of memory only, as an allocation in Swift would.
    precondition(code == Z_OK, "inflateInit2: \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  var needsInput: Bool { stream.pointee.avail_in == 0 }

  /// - Precondition: at most a chunk.
  func setInput(_ bytes: [UInt8]) {
    precondition(bytes.count <= TextLimits.chunkBytes)
    input.update(from: bytes, count: bytes.count)
    stream.pointee.next_in = input
    stream.pointee.avail_in = UInt32(bytes.count)
  }

  /// Unpacks up to a chunk (zlib's `inflate`).
  ///
  /// - Returns: false when the input is not gzip's format.
  func inflate(into bytes: inout [UInt8]) -> Bool {
    if isBetweenMembers {
      inflateReset(stream)
      isBetweenMembers = false
    }
    var code = Z_OK
    let chunk = [UInt8](unsafeUninitializedCapacity: TextLimits.chunkBytes) { buffer, count in
      stream.pointee.next_out = buffer.baseAddress
      stream.pointee.avail_out = UInt32(buffer.count)
      code = CZlib.inflate(stream, Z_NO_FLUSH)
      count = buffer.count - Int(stream.pointee.avail_out)
    }
    bytes.append(contentsOf: chunk)
    guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { return false }
    isAtStart = isAtStart && chunk.isEmpty && code != Z_STREAM_END
    isBetweenMembers = code == Z_STREAM_END
    return true
  }
}
