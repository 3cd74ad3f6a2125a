public import FlapCore

/// Something that is copied to a host: the command that receives it there, and the bytes.
public struct Consignment: Hashable, Sendable {
  /// A file of this machine, sent whole.
  public struct Piece: Hashable, Sendable {
    public let path: String
    public let byteCount: Int

    public init(path: String, byteCount: Int) {
      self.path = path
      self.byteCount = byteCount
    }
  }

  let command: LaunchCommand
  /// One after another they are the stream; a copy that was interrupted goes on where it stopped.
  let pieces: [Piece]

  public var label: String { command.label }
  public var byteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }

  /// The worker of a bundle, into the cache of the user there.
  ///
  /// - Parameters:
  ///   - identity: SHA-256 of the manifest.
  ///   - bundle: its folder here.
  public static func worker(
    _ manifest: WorkerManifest, identity: Digest, bundle: String, to host: HostEntry,
    over ssh: SSHCommand
  ) -> Consignment {
    let first = Piece(
      path: bundle + "/" + WorkerManifest.name, byteCount: manifest.byteCount)
    return Consignment(
      .worker(manifest, identity: identity.hexadecimal),
      [first] + manifest.files.map { Piece(path: bundle + "/" + $0.path, byteCount: $0.byteCount) },
      to: host, over: ssh)
  }

  /// The question what a folder there has of these files; nothing is sent.
  public static func survey(
    _ files: [(name: String, byteCount: Int)], folder: String, of host: HostEntry,
    over ssh: SSHCommand
  ) -> Consignment {
    Consignment(.survey(folder: folder, files), [], to: host, over: ssh)
  }

  /// A file of the model.
  ///
  /// - Parameter adopts: whether what is there in its place is its beginning.
  public static func file(
    _ name: String, _ piece: Piece, digest: Digest, adopts: Bool, folder: String,
    to host: HostEntry, over ssh: SSHCommand
  ) -> Consignment {
    let script = ReceivingScript.file(
      folder: folder, name: name, byteCount: piece.byteCount, digest: digest.hexadecimal,
      adopts: adopts)
    return Consignment(script, [piece], to: host, over: ssh)
  }

  private init(
    _ script: ReceivingScript, _ pieces: [Piece], to host: HostEntry, over ssh: SSHCommand
  ) {
    command = ssh.launchCommand(host: host, words: script.words, standardInput: script.text)
    self.pieces = pieces
  }
}
