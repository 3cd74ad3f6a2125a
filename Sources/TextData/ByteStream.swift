internal import Compression
internal import Storage
internal import SystemPackage

/// The bytes of a file or of standard input from the beginning, unpacked if they are packed: what
/// they begin with tells.
struct ByteStream: ~Copyable {
  /// Holds the descriptor open; nil: standard input.
  private let file: RegularFile?
  private let descriptor: FileDescriptor
  private let textFile: TextFile
  private let unpacker: StreamUnpacker?
  private let format: StreamFormat?
  /// Read to see what it is, not handed out yet.
  private var firstChunk: [UInt8]
  private var producedByteCount = 0

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ textFile: TextFile) throws {
    if textFile.isStandardInput {
      try self.init(textFile, nil, .standardInput)
    } else {
      let file = try RegularFile(textFile.path)
      let descriptor = file.descriptor
      try self.init(textFile, consume file, descriptor)
    }
  }

  private init(
    _ textFile: TextFile, _ file: consuming RegularFile?, _ descriptor: FileDescriptor
  ) throws {
    var chunk: [UInt8] = []
    // A pipe gives as little as it likes.
    while chunk.count < TextLimits.probeBytes {
      let more = try ByteStream.readChunk(descriptor, textFile)
      if more.isEmpty { break }
      chunk += more
    }
    let found = StreamFormat.allCases.first { chunk.starts(with: $0.magic) }
    if let packing = textFile.packing, found != packing, !chunk.isEmpty {
      throw TextDataError.notPacked(path: textFile.name, format: packing.rawValue)
    }
    self.file = file
    self.descriptor = descriptor
    self.textFile = textFile
    firstChunk = chunk
    format = found
    unpacker = found.map { StreamUnpacker($0) }
  }

  var isPacked: Bool { format != nil }

  /// Appends some of the next bytes.
  ///
  /// - Returns: whether there were any; false at the end.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func read(into bytes: inout [UInt8]) throws -> Bool {
    let count = bytes.count
    if let unpacker {
      while bytes.count == count {
        guard try unpack(unpacker, into: &bytes) else { return false }
      }
    } else {
      let chunk = try nextChunk()
      bytes.append(contentsOf: chunk)
    }
    producedByteCount += bytes.count - count
    return bytes.count > count
  }

  private mutating func nextChunk() throws -> [UInt8] {
    guard firstChunk.isEmpty else {
      defer { firstChunk = [] }
      return firstChunk
    }
    return try ByteStream.readChunk(descriptor, textFile)
  }

  private static func readChunk(_ descriptor: FileDescriptor, _ file: TextFile) throws -> [UInt8] {
    do {
      return try [UInt8](unsafeUninitializedCapacity: TextLimits.chunkBytes) { buffer, count in
        count = try descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
    } catch {
      throw StorageError(.readFailed, FilePath(file.name), error as? Errno)
    }
  }

  /// - Returns: false at the end of the file.
  private mutating func unpack(
    _ unpacker: StreamUnpacker, into bytes: inout [UInt8]
  ) throws -> Bool {
    if unpacker.needsInput {
      let chunk = try nextChunk()
      guard !chunk.isEmpty else {
        guard unpacker.isBetweenMembers else { throw damage }
        return false
      }
      unpacker.setInput(chunk)
    }
    guard unpacker.unpack(into: &bytes, chunkBytes: TextLimits.chunkBytes) else { throw damage }
    return true
  }

  private var damage: TextDataError {
    .damagedPacking(
      path: textFile.name, format: format?.rawValue ?? "", offset: producedByteCount)
  }
}
