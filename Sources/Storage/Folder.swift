internal import Glibc
public import SystemPackage

/// Folders and what is in them.
public enum Folder {
  /// Makes a folder and those above it that are missing (mkdir).
  ///
  /// - Returns: whether the folder is new.
  /// - Throws: ``StorageError``: a file is in its place, or it cannot be made or written into.
  @discardableResult
  public static func make(_ path: FilePath) throws(StorageError) -> Bool {
    var status = stat()
    if stat(path.string, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else { throw StorageError(.notADirectory, path) }
      guard access(path.string, W_OK | X_OK) == 0 else {
        throw StorageError(.notWritable, path, Errno(rawValue: errno))
      }
      return false
    }
    let parent = path.removingLastComponent()
    if !parent.isEmpty, parent != path, !SmallFile.exists(parent) { try make(parent) }
    guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else {
      throw StorageError(.notWritable, path, Errno(rawValue: errno))
    }
    return true
  }

  /// Whether there is a folder of that name (stat).
  public static func isThere(_ path: FilePath) -> Bool {
    var status = stat()
    return stat(path.string, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Gives a folder or a file another name within its parent; when this returns, it survives a power cut.
  public static func rename(_ path: FilePath, to other: FilePath) throws(StorageError) {
    do {
      guard Glibc.rename(path.string, other.string) == 0 else { throw Errno(rawValue: errno) }
      try sync(other.removingLastComponent())
    } catch {
      throw StorageError.write(other, error as? Errno ?? .ioError)
    }
  }

  /// Makes what was renamed in a folder survive a power cut (fsync).
  static func sync(_ path: FilePath) throws {
    let path = path.isEmpty ? FilePath(".") : path
    let descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    defer { try? descriptor.close() }
    guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
  }

  /// The names in a folder (readdir), in no order.
  public static func entries(of path: FilePath) throws(StorageError) -> [String] {
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

  /// The path without links and dots (realpath); nil where nothing is.
  public static func resolved(_ path: FilePath) -> FilePath? {
    guard let resolved = realpath(path.string, nil) else { return nil }
    defer { free(resolved) }
    return FilePath(String(cString: resolved))
  }

  /// Removes what is in a folder, as far as that goes.
  ///
  /// - Parameter name: what to leave.
  public static func removeContents(of path: FilePath, but exception: String? = nil) {
    for name in (try? entries(of: path)) ?? [] where name != exception {
      let entry = path.appending(name)
      if unlink(entry.string) != 0 { remove(entry) }
    }
  }

  /// Removes a folder with what is in it, as far as that goes.
  public static func remove(_ path: FilePath) {
    removeContents(of: path)
    rmdir(path.string)
  }

  /// Removes the leftovers of writers that died.
  public static func removeLeftovers(in path: FilePath) {
    for name in (try? entries(of: path)) ?? [] where name.contains(".tmp.") {
      unlink(path.appending(name).string)
    }
  }

  public static func removeFile(_ path: FilePath) { unlink(path.string) }
}
