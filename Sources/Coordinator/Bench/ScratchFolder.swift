internal import Foundation
internal import Host
internal import SystemPackage

/// A folder for files that nobody keeps; it goes when this goes.
final class ScratchFolder {
  let path: FilePath

  init() throws {
    path = Host.temporaryFolder.appending("flap-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      atPath: path.string, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }
}
