public import FlapCore

/// The list `WORKER` at the root of a bundle: what makes `flap-worker` run on a host.
///
///     version 0.1.0
///     arch x86_64
///     protocol 5
///     SHA256  MODE  BYTES  relative/path
///
/// The SHA-256 of this text is the identity of the bundle's worker.
public struct WorkerManifest: Hashable, Sendable {
  public struct File: Hashable, Sendable {
    public let digest: Digest
    /// Permissions, octal digits.
    public let mode: String
    public let byteCount: Int
    /// Relative to the bundle; no `..`, letters, digits and `.+-_/` only.
    public let path: String
  }

  public static let name = "WORKER"
  public static let byteLimit = 1 << 20
  /// Of all files.
  public static let bundleByteLimit = 4 << 30
  /// What is started on a host.
  public static let program = "bin/flap-worker"

  public let version: String
  /// As `uname -m` has it.
  public let architecture: String
  public let protocolVersion: Int
  /// In the order in which they are sent.
  public let files: [File]
  /// Of the text itself.
  public let byteCount: Int

  /// - Throws: ``WorkerManifestError``.
  public init(parsing bytes: [UInt8]) throws(WorkerManifestError) {
    guard let text = String(validating: bytes, as: UTF8.self), bytes.last == UInt8(ascii: "\n")
    else { throw .malformed(line: 1) }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()[...]
    var number = 0
    func next(_ key: String) throws(WorkerManifestError) -> String {
      number += 1
      guard let line = lines.popFirst(), line.hasPrefix(key + " "),
        case let value = line.dropFirst(key.utf8.count + 1), WorkerManifest.isPlain(value)
      else { throw .malformed(line: number) }
      return String(value)
    }
    version = try next("version")
    architecture = try next("arch")
    guard let protocolVersion = WholeNumber.parse(try next("protocol").utf8) else {
      throw .malformed(line: number)
    }
    self.protocolVersion = protocolVersion
    var files: [File] = []
    var names: Set<String> = []
    var total = bytes.count
    for line in lines {
      number += 1
      guard let file = WorkerManifest.file(line), names.insert(file.path).inserted,
        file.byteCount <= WorkerManifest.bundleByteLimit - total
      else { throw .malformed(line: number) }
      total += file.byteCount
      files.append(file)
    }
    guard names.contains(WorkerManifest.program) else { throw .noWorker }
    self.files = files
    byteCount = bytes.count
  }

  /// Of the manifest and all files.
  public var totalByteCount: Int { files.reduce(byteCount) { $0 + $1.byteCount } }

  private static func file(_ line: Substring) -> File? {
    let fields = line.split(separator: "  ", maxSplits: 3, omittingEmptySubsequences: false)
    guard fields.count == 4, let digest = Digest(hexadecimal: String(fields[0])),
      // As sha256sum writes it, and as the host's sed reads it.
      digest.hexadecimal == fields[0],
      (3...4).contains(fields[1].utf8.count),
      fields[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
      let byteCount = WholeNumber.parse(fields[2].utf8), isPath(fields[3])
    else { return nil }
    return File(
      digest: digest, mode: String(fields[1]), byteCount: byteCount, path: String(fields[3]))
  }

  private static func isPath(_ text: Substring) -> Bool {
    let names = text.split(separator: "/", omittingEmptySubsequences: false)
    return names.allSatisfy {
      isPlain($0) && !$0.hasPrefix("-") && $0 != "." && $0 != ".."
    } && text != name
  }

  /// Letters, digits and what names of programs and libraries have besides.
  private static func isPlain(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.count <= 200
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: ".+-_".utf8.contains(byte)
        }
      }
  }
}

/// What is wrong with a manifest.
public enum WorkerManifestError: Error, Hashable, Sendable, CustomStringConvertible {
  case malformed(line: Int)
  case noWorker

  public var description: String {
    switch self {
    case .malformed(let line): "line \(line) is not as deploy/package.sh writes it"
    case .noWorker: "it names no \(WorkerManifest.program)"
    }
  }
}
