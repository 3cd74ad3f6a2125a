internal import Storage
public import SystemPackage

/// A safetensors file, mapped; tensors are views into it.
public final class SafetensorsFile: Sendable {
  public let path: FilePath
  public let header: SafetensorsHeader
  private let file: MappedFile
  private let tensors: [String: TensorInfo]

  /// - Throws: ``CheckpointError/malformed(path:_:)`` or a ``StorageError``.
  public init(path: FilePath) throws {
    self.path = path
    file = try MappedFile(path: path)
    do {
      header = try SafetensorsHeader(parsing: file.bytes)
    } catch {
      throw CheckpointError.malformed(path: path.string, error)
    }
    tensors = Dictionary(uniqueKeysWithValues: header.tensors.map { ($0.name, $0) })
  }

  public func tensor(_ name: String) -> TensorView? {
    guard let info = tensors[name] else { return nil }
    let range = info.byteRange
    let start = header.dataOffset + range.lowerBound
    return TensorView(
      name: name, elementType: info.elementType, shape: info.shape,
      bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + range.count]), file: file)
  }
}
