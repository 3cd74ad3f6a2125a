internal import Coordination
internal import FlapCore
internal import Launching
internal import Storage
internal import SystemPackage

/// The bundle that this program runs from: `flap-worker` with all that it needs, to be copied to
/// hosts as it is.
struct WorkerBundle {
  let folder: FilePath
  let manifest: WorkerManifest
  /// SHA-256 of the manifest.
  let identity: Digest

  /// The folder above this program's own `bin`; nil where that is no bundle.
  static var ownFolder: FilePath? {
    guard let program = LocalCommand.defaultProgram else { return nil }
    let folder = FilePath(program).removingLastComponent().removingLastComponent()
    return SmallFile.exists(folder.appending(WorkerManifest.name)) ? folder : nil
  }

  /// - Throws: ``UsageError`` when the bundle is of another version or not whole.
  init(folder: FilePath) throws {
    let path = folder.appending(WorkerManifest.name)
    let bytes = try SmallFile.read(path, limit: WorkerManifest.byteLimit)
    do throws(WorkerManifestError) {
      manifest = try WorkerManifest(parsing: bytes)
    } catch {
      throw UsageError("\(path): \(error): unpack the bundle again")
    }
    guard manifest.version == SoftwareVersion.current,
      manifest.protocolVersion == Hello.protocolVersion
    else {
      throw UsageError(
        "the bundle in \(folder) is of version \(manifest.version) (protocol "
          + "\(manifest.protocolVersion)), this flap-coord of \(SoftwareVersion.current) (protocol "
          + "\(Hello.protocolVersion)): unpack one bundle, in a folder of its own")
    }
    for file in manifest.files
    where SmallFile.byteCount(folder.appending(file.path)) != file.byteCount {
      throw UsageError("\(folder.appending(file.path)) is not as \(path) has it: unpack it again")
    }
    self.folder = folder
    identity = Digest(hashing: bytes)
  }

  var description: String {
    "flap-worker \(manifest.version) for \(manifest.architecture), "
      + Format.bytes(manifest.totalByteCount)
  }
}
