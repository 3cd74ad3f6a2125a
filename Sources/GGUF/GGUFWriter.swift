public import Storage
public import SystemPackage

/// Writes a GGUF file, version 3, in one go: header, metadata, list of tensors, then their bytes in
/// the declared order, each at a multiple of 32.
///
/// The bytes depend on what is declared and appended alone.
public struct GGUFWriter: ~Copyable {
  private var file: AtomicFile
  private let sizes: [Int]
  private var tensor = 0
  private var written = 0

  static let version: UInt32 = 3
  /// The format's default, so that no key has to name it.
  static let alignment = 32

  public init(
    destination: FilePath, metadata: [(key: String, value: MetadataValue)], tensors: [TensorInfo]
  ) throws(StorageError) {
    sizes = tensors.map(\.byteCount)
    file = try GGUFWriter.begin(destination, GGUFWriter.header(metadata, tensors))
  }

  private static func begin(
    _ destination: FilePath, _ header: [UInt8]
  ) throws(StorageError) -> AtomicFile {
    var file = try AtomicFile(destination: destination)
    try file.write(header)
    return file
  }

  /// Appends bytes of the next tensor, whole or in pieces; none spans two tensors.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    precondition(tensor < sizes.count && written + bytes.count <= sizes[tensor], "not declared")
    try file.write(bytes)
    written += bytes.count
    if written == sizes[tensor] {
      let padding = written.padding(to: GGUFWriter.alignment)
      try file.write([UInt8](repeating: 0, count: padding))
      tensor += 1
      written = 0
    }
  }

  /// - Precondition: every declared byte was appended.
  public consuming func commit() throws(StorageError) -> CommittedFile {
    precondition(tensor == sizes.count, "fewer bytes than were declared")
    return try file.commit()
  }

  private static func header(
    _ metadata: [(key: String, value: MetadataValue)], _ tensors: [TensorInfo]
  ) -> [UInt8] {
    var bytes = Array("GGUF".utf8)
    bytes.append(littleEndian: version)
    bytes.append(littleEndian: UInt64(tensors.count))
    bytes.append(littleEndian: UInt64(metadata.count))
    for entry in metadata {
      bytes.append(counted: entry.key)
      entry.value.append(to: &bytes)
    }
    var offset = 0
    for tensor in tensors {
      tensor.append(to: &bytes, offset: offset)
      offset += tensor.byteCount
      offset += offset.padding(to: alignment)
    }
    bytes.pad(to: alignment)
    return bytes
  }
}
