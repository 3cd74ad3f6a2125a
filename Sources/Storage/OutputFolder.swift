internal import Glibc
public import SystemPackage

/// A folder that is being filled by one run, locked against a second one (flock).
///
/// It is new or empty at the start, or holds what a run has left. ``finish()`` leaves what was
/// written; so does ``keep()``, for a later run to go on with; without either everything inside
/// goes, and the folder too if it was made here.
///
/// A process may be killed before each of its operations. Its lock file is the first thing in the
/// folder and the last that goes, the marker is there exactly while there is something to go on
/// with; so that a folder with a lock file that nobody holds, without a marker and with nothing
/// but scraps, is one of a run that had not begun, or was being cleared.
public struct OutputFolder: ~Copyable {
  /// The names in a run's folder that mean something, relative to it.
  public struct Layout: Sendable {
    /// What an unfinished run has there.
    public let marker: FilePath
    /// What is there before the marker or after it, and is worth nothing without it.
    public let scraps: [FilePath]

    public init(marker: FilePath, scraps: [FilePath] = []) {
      self.marker = marker
      self.scraps = scraps
    }
  }

  /// What a folder may hold at the start.
  public enum Beginning: Hashable, Sendable {
    /// Nothing.
    case anew
    /// Nothing, or what an unfinished run has left.
    case resuming
    /// The result of a run that was finished, and is to be mended or added to.
    case reopening
  }

  public let path: FilePath
  /// Whether an earlier run is being continued.
  public let isResumed: Bool
  private let lock: FileDescriptor
  private let wasCreated: Bool
  private var staysAsItIs: Bool

  private static let lockName = ".flap-lock"

  /// - Throws: ``StorageError``: not empty, in use by another run, not writable, or a file.
  public init(
    _ path: FilePath, _ layout: Layout, _ beginning: Beginning = .anew
  ) throws(StorageError) {
    let wasCreated = try Folder.make(path)
    let isUnfinished = SmallFile.exists(path.pushing(layout.marker))
    let isResumed = isUnfinished || beginning == .reopening
    let lock = try OutputFolder.lock(path, layout, mayHoldFiles: isResumed)
    if isUnfinished, beginning == .anew {
      try? lock.close()
      throw StorageError(.unfinished, path)
    }
    self.lock = lock
    self.path = path
    self.isResumed = isResumed
    self.wasCreated = wasCreated
    staysAsItIs = isResumed
    if !isResumed { Folder.removeContents(of: path, but: OutputFolder.lockName) }
  }

  deinit {
    if !staysAsItIs {
      OutputFolder.clear(path)
      if wasCreated { rmdir(path.string) }
    }
    try? lock.close()
  }

  /// From now on what was written stays, whatever happens.
  public mutating func keep() { staysAsItIs = true }

  /// Removes the leftovers of writers that died, in the folder and those below it that a run fills.
  ///
  /// - Parameter folders: relative to the folder.
  public func removeLeftovers(in folders: [FilePath]) {
    for folder in [path] + folders.map({ path.pushing($0) }) { Folder.removeLeftovers(in: folder) }
  }

  /// Leaves what was written. - Precondition: the marker is gone.
  public consuming func finish() {
    staysAsItIs = true
    unlink(path.appending(OutputFolder.lockName).string)
  }

  /// Removes the folder and all that is in it. - Precondition: the marker is gone.
  public consuming func remove() {
    staysAsItIs = true
    OutputFolder.clear(path)
    rmdir(path.string)
  }

  /// Whether a run that was killed has left its lock, or one that works holds it.
  public static func hasLock(_ path: FilePath) -> Bool {
    SmallFile.exists(path.appending(lockName))
  }

  private static func clear(_ path: FilePath) {
    Folder.removeContents(of: path, but: lockName)
    unlink(path.appending(lockName).string)
  }

  private static func lock(
    _ path: FilePath, _ layout: Layout, mayHoldFiles: Bool
  ) throws(StorageError) -> FileDescriptor {
    let lockPath = path.appending(lockName)
    if !mayHoldFiles, try !holdsOnlyScraps(path, layout) {
      // What a run in progress has written is no reason to call the folder merely not empty.
      let isLocked = SmallFile.exists(lockPath) && isLocked(lockPath)
      throw StorageError(isLocked ? .inUse : .notEmpty, path)
    }
    let lock: FileDescriptor
    do {
      lock = try FileDescriptor.open(
        lockPath, .readWrite, options: [.create, .noFollow, .closeOnExec],
        permissions: .ownerReadWrite)
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
  /// The lock is tried as a reader (LOCK_SH), for a moment, for which ``init(_:_:_:)``
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

  /// Whether nothing of worth is in a folder: it is empty, or was locked and holds scraps alone.
  private static func holdsOnlyScraps(
    _ path: FilePath, _ layout: Layout
  ) throws(StorageError) -> Bool {
    let entries = try Folder.entries(of: path)
    guard entries.contains(lockName) else { return entries.isEmpty }
    return try holdsOnly([FilePath(lockName)] + layout.scraps, in: path)
  }

  /// - Parameter known: relative to the folder; folders above them may be there, too.
  private static func holdsOnly(
    _ known: [FilePath], in path: FilePath
  ) throws(StorageError) -> Bool {
    for name in try Folder.entries(of: path) {
      if known.contains(FilePath(name)) { continue }
      let below = known.compactMap { entry -> FilePath? in
        guard entry.components.first?.string == name else { return nil }
        return FilePath(root: nil, entry.components.dropFirst())
      }
      guard !below.isEmpty, try holdsOnly(below, in: path.appending(name)) else { return false }
    }
    return true
  }

  private static func isLocked(_ path: FilePath) -> Bool {
    guard let file = try? FileDescriptor.open(path, .readWrite, options: .closeOnExec) else {
      return false
    }
    defer { try? file.close() }
    return flock(file.rawValue, LOCK_EX | LOCK_NB) != 0
  }
}
