internal import Storage
internal import SystemPackage

/// The output of each host in a file of its own.
struct HostLogs {
  private let folder: FilePath
  private var files: [String: FileDescriptor] = [:]

  init(folder: FilePath) { self.folder = folder }

  /// A log that cannot be written is no reason to end a run.
  mutating func append(_ line: String, of label: String) {
    if files[label] == nil {
      _ = try? Folder.make(folder)
      files[label] = try? FileDescriptor.open(
        folder.appending(label + ".log"), .writeOnly,
        options: [.create, .append, .noFollow, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    }
    _ = try? files[label]?.writeAll((line + "\n").utf8)
  }
}
