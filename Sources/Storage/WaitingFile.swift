public import SystemPackage

/// A complete file beside its place, under the name of its writer's attempt, until another process has
/// decided whether it gets there.
public struct WaitingFile: Hashable, Sendable {
  public let destination: FilePath
  /// `NAME.tmp.ATTEMPT`.
  public let path: FilePath

  public init(destination: FilePath, attempt: String) {
    self.destination = destination
    path = FilePath(destination.string + ".tmp." + attempt)
  }

  /// Its size; nil when it is not there.
  public var byteCount: Int? { SmallFile.byteCount(path) }

  /// When this returns, that it is in its place survives a power cut.
  public func putInPlace() throws(StorageError) { try Folder.rename(path, to: destination) }

  /// Nobody wants it; one that is in its place stays there.
  public func remove() { Folder.removeFile(path) }
}
