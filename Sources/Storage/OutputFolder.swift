internal import Glibc
public import SystemPackage

/// A folder that is being filled by one run, locked against a second one (flock).
///
/// It is new or empty at the start, or holds what an unfinished run has left. ``finish()`` leaves
/// what was written; so does ``keep()``, for a later run to go on with; without either everything
/// inside goes, and the folder too if it was made here.
public struct OutputFolder: ~Copyable {
  public let path: FilePath
  /// Whether an unfinished run is being continued.
  public let isResumed: Bool
  private let lock: FileDescriptor
  private let wasCreated: Bool
  private var staysAsItIs: Bool

  private static let lockName = ".flap-lock"

  /// - Parameters:
  ///   - marker: a file, relative to the folder, that an unfinished run has there.
  ///   - resuming: whether such a run is to be continued; a folder without one is begun anew.
  /// - Throws: ``StorageError``: not empty, in use by another run, not writable, or a file.
  public init(_ path: FilePath, marker: String, resuming: Bool = false) throws(StorageError) {
    let wasCreated = try Folder.make(path)
    let isUnfinished = SmallFile.exists(path.pushing(FilePath(marker)))
    let lock = try OutputFolder.lock(path, isUnfinished: isUnfinished)
    if isUnfinished, !resuming {
      try? lock.close()
      throw StorageError(.unfinished, path)
    }
    self.lock = lock
    self.path = path
    self.wasCreated = wasCreated
    isResumed = isUnfinished
    staysAsItIs = isUnfinished
  }

  deinit {
    if !staysAsItIs {
      Folder.removeContents(of: path)
      if wasCreated { rmdir(path.string) }
    }
    try? lock.close()
  }

  /// From now on what was written stays, whatever happens.
  public mutating func keep() { staysAsItIs = true }

  /// Leaves what was written, less the leftovers of writers that died.
  public consuming func finish() {
    staysAsItIs = true
    unlink(path.appending(OutputFolder.lockName).string)
    for name in (try? Folder.entries(of: path)) ?? [] where name.contains(".tmp.") {
      unlink(path.appending(name).string)
    }
  }

  /// Removes the folder and all that is in it.
  public consuming func remove() {
    staysAsItIs = true
    Folder.remove(path)
  }

  private static func lock(_ path: FilePath, isUnfinished: Bool) throws(StorageError)
    -> FileDescriptor
  {
    let lockPath = path.appending(lockName)
    let entries = try Folder.entries(of: path)
    guard isUnfinished || entries.allSatisfy({ $0 == lockName }) else {
      // What a run in progress has written is no reason to call the folder merely not empty.
      let isLocked = entries.contains(lockName) && isLocked(lockPath)
      throw StorageError(isLocked ? .inUse : .notEmpty, path)
    }
    let lock: FileDescriptor
    do {
      lock = try FileDescriptor.open(
        lockPath, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    } catch {
      throw StorageError(.notWritable, path, error as? Errno)
    }
    // Who only looks (``isInUse(_:)``) holds it for a moment.
    for _ in 0..<10 {
      if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 { return lock }
      usleep(5000)
    }
    try? lock.close()
    throw StorageError(.inUse, path)
  }

  /// Whether a run is filling the folder now; nil when that cannot be told: another user's folder.
  ///
  /// The lock is tried as a reader (LOCK_SH), for a moment, for which ``init(_:marker:resuming:)``
  /// waits.
  public static func isInUse(_ path: FilePath) -> Bool? {
    let lockPath = path.appending(lockName)
    guard SmallFile.exists(lockPath) else { return false }
    guard let file = try? FileDescriptor.open(lockPath, .readOnly, options: .closeOnExec) else {
      return nil
    }
    defer { try? file.close() }
    return flock(file.rawValue, LOCK_SH | LOCK_NB) != 0
  }

  private static func isLocked(_ path: FilePath) -> Bool {
    guard let file = try? FileDescriptor.open(path, .readWrite, options: .closeOnExec) else {
      return false
    }
    defer { try? file.close() }
    return flock(file.rawValue, LOCK_EX | LOCK_NB) != 0
  }
}
