internal import Checkpoint
internal import FlapCore
internal import Launching
internal import Storage
internal import SystemPackage

/// The files of a checkpoint that workers read, and which of them a host lacks.
struct ModelFiles {
  struct Missing {
    let name: String
    let piece: Consignment.Piece
    let digest: Digest
    /// What stands in its place there is its beginning.
    let isBegun: Bool
  }

  /// Why a host's copy cannot be completed.
  struct Obstacle: Error, CustomStringConvertible {
    let description: String
  }

  private let directory: FilePath
  /// In the order in which they are copied.
  let sizes: [(name: String, byteCount: Int)]
  private var digests: [String: Digest] = [:]

  init(_ checkpoint: Checkpoint) throws {
    directory = checkpoint.directory
    let folder = checkpoint.directory
    sizes = try checkpoint.fileNames.map { name in
      guard let byteCount = SmallFile.byteCount(folder.appending(name)) else {
        throw StorageError(.readFailed, folder.appending(name))
      }
      return (name, byteCount)
    }
  }

  /// What is to be copied. A file of the right size counts as whole: the digest of the model, which
  /// is compared afterwards, tells.
  mutating func missing(
    _ survey: DeliveryOutcome.Survey, folder: String
  ) throws(Obstacle) -> [Missing] {
    guard survey.files.count == sizes.count else {
      throw Obstacle(description: "the host did not tell what it has")
    }
    var missing: [Missing] = []
    var neededBytes = 0
    for (file, state) in zip(sizes, survey.files) where state.byteCount != file.byteCount {
      let isBegun = state.byteCount != nil
      guard !isBegun || isBeginning(of: file.name, state) else {
        throw Obstacle(
          description: "\(folder)/\(file.name) there is another file (\(state.byteCount ?? 0) "
            + "bytes, here \(file.byteCount)): remove it, or name another folder with model=/path")
      }
      missing.append(
        Missing(
          name: file.name,
          piece: .init(path: directory.appending(file.name).string, byteCount: file.byteCount),
          digest: try digest(of: file.name), isBegun: isBegun))
      neededBytes += max(0, file.byteCount - max(state.byteCount ?? 0, state.partialByteCount))
    }
    if let freeBytes = survey.freeBytes, freeBytes < neededBytes {
      throw Obstacle(
        description: DeliveryFailure.noRoom(
          freeBytes: freeBytes, neededBytes: neededBytes, folder: folder, remedy: "model=/path"))
    }
    return missing
  }

  private func isBeginning(of name: String, _ state: DeliveryOutcome.FileState) -> Bool {
    guard let count = state.byteCount, let file = try? MappedFile(path: directory.appending(name)),
      count < file.bytes.count
    else { return false }
    return withExtendedLifetime(file) {
      Digest(hashing: UnsafeRawBufferPointer(rebasing: file.bytes[..<count])) == state.digest
    }
  }

  private mutating func digest(of name: String) throws(Obstacle) -> Digest {
    if let digest = digests[name] { return digest }
    do {
      let digest = try SmallFile.digest(directory.appending(name))
      digests[name] = digest
      return digest
    } catch {
      throw Obstacle(description: "\(error)")
    }
  }
}
