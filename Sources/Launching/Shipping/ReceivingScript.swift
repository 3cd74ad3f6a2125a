/// The shell scripts that run on a host while something is copied to it.
///
/// A script goes over standard input, before the bytes that it receives: no shell of a user has to
/// read more than one plain line, whatever shell that is. `dd bs=1` takes not a byte more than
/// the script, where `head -c` of some systems reads ahead.
struct ReceivingScript: Hashable {
  /// What standard input begins with.
  let text: [UInt8]
  let arguments: [String]

  /// The words of the command on the host.
  var words: [String] {
    ["sh", "-c", "eval \"$(dd bs=1 count=\(text.count) 2>/dev/null)\"", "flap-ship"] + arguments
  }

  private init(_ body: [UInt8], _ arguments: [String]) {
    text = PackageResources.common_sh + body
    self.arguments = arguments
  }

  /// Receives the manifest and the files of a bundle as one stream; at its end the worker lies in
  /// a folder named by its identity in the user's cache, and has run once.
  static func worker(_ manifest: WorkerManifest, identity: String) -> ReceivingScript {
    ReceivingScript(
      PackageResources.receive_worker_sh,
      [
        "worker-" + identity.prefix(16), identity, manifest.architecture, manifest.version,
        String(manifest.byteCount), String(manifest.totalByteCount),
      ])
  }

  /// Tells what is there of the files.
  static func survey(folder: String, _ files: [(name: String, byteCount: Int)]) -> ReceivingScript {
    ReceivingScript(
      PackageResources.survey_model_sh,
      [folder] + files.flatMap { [$0.name, String($0.byteCount)] })
  }

  /// Receives a file.
  ///
  /// - Parameter adopts: whether a file in its place is its beginning.
  static func file(
    folder: String, name: String, byteCount: Int, digest: String, adopts: Bool
  ) -> ReceivingScript {
    ReceivingScript(
      PackageResources.receive_file_sh,
      [folder, name, String(byteCount), digest, adopts ? "1" : "0"])
  }
}
