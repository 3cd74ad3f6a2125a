import FlapCore
import FlapTestKit
import Foundation
import Launching
import Testing

/// The real scripts, run by this machine's shell in place of a host's: `ssh` is a script that runs
/// its last word.
struct DeliveriesTests {
  private let folder: TemporaryFolder
  private let ssh: SSHCommand

  init() throws {
    folder = try TemporaryFolder()
    ssh = try Self.ssh(in: folder, shell: "sh")
    try FileManager.default.createDirectory(
      atPath: folder.path("bundle/bin"), withIntermediateDirectories: true)
  }

  private static func ssh(in folder: TemporaryFolder, shell: String) throws -> SSHCommand {
    let text = "#!/bin/sh\nfor last; do :; done\nexec \(shell) -c \"$last\"\n"
    let program = try folder.write(Array(text.utf8), to: "ssh")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
    return SSHCommand(program: program)
  }

  private var host: HostEntry {
    HostEntry(
      host: "node1", environment: [.init(name: "XDG_CACHE_HOME", value: folder.path("the cache"))])
  }

  private static let machine = try? String(
    decoding: Shell.output(of: "uname -m"), as: UTF8.self
  ).trimmingCharacters(in: .newlines)
  private static let ballast = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

  private func digest(_ path: String) throws -> String {
    String(decoding: try Shell.output(of: "sha256sum <\(path)").prefix(64), as: UTF8.self)
  }

  /// A bundle whose worker is a shell script.
  private func bundle(
    machine: String? = Self.machine, says: String = "0.1.0"
  ) throws -> (manifest: WorkerManifest, identity: Digest) {
    var text = "version 0.1.0\narch \(machine ?? "")\nprotocol 5\n"
    let files: [(String, String, [UInt8])] = [
      ("bin/flap-worker", "755", Array("#!/bin/sh\necho \(says)\n".utf8)),
      ("lib-ballast", "644", Self.ballast),
    ]
    for (name, mode, bytes) in files {
      let path = try folder.write(bytes, to: "bundle/" + name)
      text += "\(try digest(path))  \(mode)  \(bytes.count)  \(name)\n"
    }
    let path = try folder.write(Array(text.utf8), to: "bundle/WORKER")
    return (
      try WorkerManifest(parsing: Array(text.utf8)), Digest(hexadecimal: try digest(path))!
    )
  }

  private func carry(_ consignments: [Consignment]) throws -> (
    outcomes: [DeliveryOutcome], sent: Int, skipped: Int
  ) {
    var deliveries = Deliveries(consignments)
    let deadline = ContinuousClock.now + .seconds(60)
    while !deliveries.isOver, ContinuousClock.now < deadline {
      try deliveries.advance(waiting: .milliseconds(20))
    }
    return (
      deliveries.outcomes.compactMap(\.self), deliveries.sentByteCount,
      deliveries.skippedByteCount
    )
  }

  private func worker(
    _ bundle: (manifest: WorkerManifest, identity: Digest), over other: SSHCommand? = nil
  ) -> Consignment {
    .worker(
      bundle.manifest, identity: bundle.identity, bundle: folder.path("bundle"), to: host,
      over: other ?? ssh)
  }

  private func place(_ identity: Digest) -> String {
    folder.path("the cache") + "/flap/worker-" + identity.hexadecimal.prefix(16)
  }

  private func entries(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  private func expectDone(
    _ outcome: DeliveryOutcome?, at path: String, wasThere: Bool = false,
    _ location: SourceLocation = #_sourceLocation
  ) {
    guard case .done(path, wasThere, _)? = outcome else {
      Issue.record("\(String(describing: outcome))", sourceLocation: location)
      return
    }
  }

  private func failure(_ outcome: DeliveryOutcome?) -> String {
    if case .failed(let failure)? = outcome {
      "\(failure)"
    } else {
      "\(String(describing: outcome))"
    }
  }

  @Test("a bundle arrives whole, and is not sent again")
  func wholeBundle() throws {
    let bundle = try bundle()
    let place = place(bundle.identity)
    let first = try carry([worker(bundle)])
    expectDone(first.outcomes.first, at: place)
    #expect(first.sent == bundle.manifest.totalByteCount)
    for name in ["WORKER", "bin/flap-worker", "lib-ballast"] {
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: place + "/" + name))
          == Data(contentsOf: URL(fileURLWithPath: folder.path("bundle/" + name))))
    }
    #expect(FileManager.default.isExecutableFile(atPath: place + "/bin/flap-worker"))
    #expect(!FileManager.default.isExecutableFile(atPath: place + "/lib-ballast"))
    let second = try carry([worker(bundle)])
    expectDone(second.outcomes.first, at: place, wasThere: true)
    #expect(second.sent == 0)
    // Nothing else is left.
    #expect(
      try entries(folder.path("the cache/flap")) == [String(place.split(separator: "/").last!)])
  }

  private static let busybox = "/usr/bin/busybox"

  @Test(
    "a host with busybox and nothing else is enough",
    .enabled(if: FileManager.default.isExecutableFile(atPath: busybox), "there is no busybox here"))
  func onlyBusybox() throws {
    let applets = folder.path("applets")
    try FileManager.default.createDirectory(atPath: applets, withIntermediateDirectories: true)
    _ = try Shell.output(of: "\(Self.busybox) --install -s \(applets)")
    let bundle = try bundle()
    let ssh = try Self.ssh(in: folder, shell: "env -i PATH=\(applets) \(applets)/sh")
    let first = try carry([worker(bundle, over: ssh)])
    expectDone(first.outcomes.first, at: place(bundle.identity))
    #expect(first.sent == bundle.manifest.totalByteCount)
    expectDone(
      try carry([worker(bundle, over: ssh)]).outcomes.first, at: place(bundle.identity),
      wasThere: true)
  }

  @Test("an interrupted copy goes on; one that does not fit begins anew; a damaged one is replaced")
  func interrupted() throws {
    let bundle = try bundle()
    let place = place(bundle.identity)
    try FileManager.default.createDirectory(
      atPath: folder.path("the cache/flap"), withIntermediateDirectories: true)
    let stream = try ["WORKER", "bin/flap-worker", "lib-ballast"].flatMap {
      [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path("bundle/" + $0))))
    }
    let partial = place.dropFirst(folder.path("").count) + ".partial"
    _ = try folder.write(Array(stream[..<100_000]), to: String(partial))
    let rest = try carry([worker(bundle)])
    expectDone(rest.outcomes.first, at: place)
    #expect((rest.skipped, rest.sent) == (100_000, stream.count - 100_000))

    // Damaged where it lies, and a beginning of something else beside it.
    _ = try folder.write([1], to: place.dropFirst(folder.path("").count) + "/lib-ballast")
    _ = try folder.write(stream[..<100_000].map { $0 ^ 1 }, to: String(partial))
    let again = try carry([worker(bundle)])
    expectDone(again.outcomes.first, at: place)
    #expect(again.sent == stream.count)
    #expect(try entries(folder.path("the cache/flap")).count == 1)
  }

  @Test("several at once into one folder: one sends, the others find it")
  func shared() throws {
    let bundle = try bundle()
    let result = try carry((0..<4).map { _ in worker(bundle) })
    #expect(result.outcomes.count == 4)
    #expect(result.sent == bundle.manifest.totalByteCount)
    for outcome in result.outcomes {
      guard case .done = outcome else {
        Issue.record("\(outcome)")
        return
      }
    }
    #expect(try entries(folder.path("the cache/flap")).count == 1)
  }

  @Test("the lock of a process that is gone holds nobody up")
  func deadLock() throws {
    let bundle = try bundle()
    let lock = place(bundle.identity) + ".lock"
    try FileManager.default.createDirectory(atPath: lock, withIntermediateDirectories: true)
    let owner = "\(ProcessInfo.processInfo.hostName) 99999999\n"
    _ = try folder.write(
      Array(owner.utf8), to: lock.dropFirst(folder.path("").count) + "/owner")
    let start = ContinuousClock.now
    expectDone(try carry([worker(bundle)]).outcomes.first, at: place(bundle.identity))
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("what does not fit the host is told, and leaves nothing that is in the way")
  func unfit() throws {
    let foreign = try carry([worker(try bundle(machine: "pdp11"))])
    #expect(failure(foreign.outcomes.first).contains("which this bundle is not for"))
    #expect(foreign.sent == 0)
    #expect(!FileManager.default.fileExists(atPath: folder.path("the cache")))
    let other = try carry([worker(try bundle(says: "9.9.9"))])
    #expect(failure(other.outcomes.first).contains("does not run there (9.9.9)"))
    let bundle = try bundle()
    _ = try folder.write([1, 2, 3], to: "bundle/lib-ballast")
    #expect(
      failure(try carry([worker(bundle)]).outcomes.first).contains("cannot be read to its end"))
    _ = try folder.write(Self.ballast.map { $0 ^ 1 }, to: "bundle/lib-ballast")
    #expect(failure(try carry([worker(bundle)]).outcomes.first).contains("other than sent, twice"))
    _ = try folder.write(Self.ballast, to: "bundle/lib-ballast")
    expectDone(try carry([worker(bundle)]).outcomes.first, at: place(bundle.identity))
  }

  @Test("files of a model: what is there is told, what is missing goes on")
  func model() throws {
    let source = try folder.write(Self.ballast, to: "shard")
    let there = folder.path("it's a model")
    let digest = Digest(hexadecimal: try digest(source))!
    let piece = Consignment.Piece(path: source, byteCount: Self.ballast.count)
    func file(_ name: String, adopts: Bool = false) -> Consignment {
      .file(name, piece, digest: digest, adopts: adopts, folder: there, to: host, over: ssh)
    }
    func survey() throws -> [DeliveryOutcome.FileState] {
      let names = ["a", "b", "c"].map { ($0, Self.ballast.count) }
      let outcome = try carry([.survey(names, folder: there, of: host, over: ssh)]).outcomes.first
      guard case .done(_, _, let survey)? = outcome else {
        Issue.record("\(String(describing: outcome))")
        return []
      }
      #expect(survey.freeBytes ?? 0 > 0)
      return survey.files
    }
    #expect(try survey().map(\.byteCount) == [nil, nil, nil])
    expectDone(try carry([file("a")]).outcomes.first, at: there + "/a")
    expectDone(try carry([file("a")]).outcomes.first, at: there + "/a", wasThere: true)
    _ = try folder.write(Array(Self.ballast[..<1000]), to: "it's a model/b")
    _ = try folder.write(Array(Self.ballast[..<2000]), to: "it's a model/c.partial")
    let states = try survey()
    #expect(states.map(\.byteCount) == [Self.ballast.count, 1000, nil])
    #expect(states.map(\.partialByteCount) == [0, 0, 2000])
    #expect(
      try states[1].digest?.hexadecimal == self.digest("'\(there.replacing("'", with: "'\\''"))/b'")
    )
    let rest = try carry([file("b", adopts: true), file("c")])
    #expect(rest.skipped == 3000)
    #expect(rest.sent == 2 * Self.ballast.count - 3000)
    #expect(try entries(there) == ["a", "b", "c"])
    for name in ["a", "b", "c"] {
      #expect(
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: there + "/" + name))) == Self.ballast)
    }
  }
}
