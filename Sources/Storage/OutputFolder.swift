internal import Glibc
public import SystemPackage

/// A folder that is being filled by one run.
///
/// It is new or empty at the start and locked against a second run (flock). ``finish()`` leaves
/// what was written; without it everything inside goes, and the folder too if it was made here.
public struct OutputFolder: ~Copyable {
  public let path: FilePath
  private let lock: FileDescriptor
  private let wasCreated: Bool
  private var isFinished = false

  private static let lockName = ".flap-lock"

  /// - Throws: ``StorageError``: not empty, in use by another run, not writable, or a file.
  public init(_ path: FilePath) throws(StorageError) {
    let wasCreated = try OutputFolder.create(path)
    lock = try OutputFolder.lock(path)
    self.path = path
    self.wasCreated = wasCreated
  }

  deinit {
    if !isFinished {
      OutputFolder.removeContents(of: path)
      if wasCreated { rmdir(path.string) }
    }
    try? lock.close()
  }

  /// Leaves what was written, less the leftovers of writers that died.
  public consuming func finish() {
    isFinished = true
    unlink(path.appending(OutputFolder.lockName).string)
    for name in (try? OutputFolder.entries(of: path)) ?? [] where name.contains(".tmp.") {
      unlink(path.appending(name).string)
    }
  }

  /// Makes a folder inside (mkdir).
  public borrowing func makeFolder(_ name: String) throws(StorageError) -> FilePath {
    let folder = path.appending(name)
    guard mkdir(folder.string, 0o755) == 0 else {
      throw StorageError(.notWritable, folder, Errno(rawValue: errno))
    }
    return folder
  }

  private static func lock(_ path: FilePath) throws(StorageError) -> FileDescriptor {
    let lockPath = path.appending(lockName)
    let entries = try entries(of: path)
    guard entries.allSatisfy({ $0 == lockName }) else {
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
    guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      try? lock.close()
      throw StorageError(.inUse, path)
    }
    return lock
  }

  /// - Returns: whether the folder is new.
  private static func create(_ path: FilePath) throws(StorageError) -> Bool {
    var status = stat()
    if stat(path.string, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else { throw StorageError(.notADirectory, path) }
      guard access(path.string, W_OK | X_OK) == 0 else {
        throw StorageError(.notWritable, path, Errno(rawValue: errno))
      }
      return false
    }
    let parent = path.removingLastComponent()
    if !parent.isEmpty, parent != path, !SmallFile.exists(parent) { _ = try create(parent) }
    guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else {
      throw StorageError(.notWritable, path, Errno(rawValue: errno))
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

  private static func entries(of path: FilePath) throws(StorageError) -> [String] {
    guard let directory = opendir(path.string) else {
      throw StorageError(.openFailed, path, Errno(rawValue: errno))
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  private static func removeContents(of path: FilePath) {
    for name in (try? entries(of: path)) ?? [] {
      let entry = path.appending(name)
      if unlink(entry.string) != 0 {
        removeContents(of: entry)
        rmdir(entry.string)
      }
    }
  }
}
