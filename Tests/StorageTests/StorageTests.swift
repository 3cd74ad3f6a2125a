import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

struct StorageTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("SHA-256 of the standard's example (FIPS 180-4)")
  func digest() {
    #expect(
      Digest(hashing: Array("abc".utf8)).hexadecimal
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("a mapped file has the file's bytes; an empty one none", arguments: [0, 1, 5000])
  func mapped(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    let file = try MappedFile(path: FilePath(folder.write(bytes, to: "file")))
    #expect(Array(file.bytes) == bytes)
    file.willNeed(0..<count)
  }

  @Test("what cannot be mapped says why")
  func notMapped() throws {
    let pipe = folder.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    let cases: [(String, StorageError.Code)] = [
      (folder.path("absent"), .openFailed), (folder.path, .notAFile), (pipe, .notAFile),
      ("/dev/zero", .notAFile),
    ]
    for (path, code) in cases {
      let error = #expect(throws: StorageError.self) { try MappedFile(path: FilePath(path)) }
      #expect(error?.code == code)
      #expect(error?.path == path)
      #expect(throws: StorageError.self) { try SmallFile.read(FilePath(path), limit: 10) }
      #expect(SmallFile.byteCount(FilePath(path)) == nil)
    }
  }

  @Test("a pointer of Git LFS is told from the file that it stands for, with what fetches that")
  func largeFilePointer() throws {
    let pointer = """
      version https://git-lfs.github.com/spec/v1
      oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
      size 12345

      """
    let path = FilePath(try folder.write(Array(pointer.utf8), to: "model.safetensors"))
    let errors = [
      #expect(throws: StorageError.self) { try MappedFile(path: path) },
      #expect(throws: StorageError.self) { try SmallFile.read(path, limit: 1 << 20) },
    ]
    for error in errors {
      #expect(error?.code == .largeFilePointer)
      #expect("\(error!)".contains("git -C \(folder.path) lfs pull"))
    }
    // A text that speaks of it is a text.
    let text = FilePath(
      try folder.write(Array((pointer + String(repeating: ".", count: 1024)).utf8), to: "text"))
    #expect(throws: Never.self) { try SmallFile.read(text, limit: 1 << 20) }
    let other = FilePath(try folder.write(Array("version https://git-lfs.org\n".utf8), to: "other"))
    #expect(throws: Never.self) { try SmallFile.read(other, limit: 1 << 20) }
  }

  @Test(
    "a secret that everybody may read is refused in a line that says what to do; a group may",
    arguments: [(0o600, true), (0o440, true), (0o400, true), (0o644, false), (0o602, false)])
  func secret(mode: Int, isPrivate: Bool) throws {
    let path = FilePath(try folder.write([1, 2], to: "keys"))
    #expect(chmod(path.string, mode_t(mode)) == 0)
    let file = try SecretFile(path, limit: 2)
    #expect(file.bytes == [1, 2])
    guard !isPrivate else { return try file.checkPrivacy() }
    let error = #expect(throws: StorageError.self) { try file.checkPrivacy() }
    let line = error.map { "\($0)" } ?? ""
    #expect(line.contains("mode \(String(mode, radix: 8))") && line.contains("chmod 600 \(path)"))
    #expect(throws: StorageError.self) { try SecretFile(path, limit: 1) }
  }

  @Test("an atomic file appears at its commit, with its digest; pieces of any size")
  func atomic() throws {
    let path = FilePath(folder.path("file"))
    var file = try AtomicFile(destination: path, attempt: "7")
    var all: [UInt8] = []
    for size in [1, 1000, 3 << 20, 0, 17, (1 << 20) - 1, 1 << 20] {
      let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)
      try file.write(piece)
      all += piece
    }
    #expect(!SmallFile.exists(path))
    #expect(SmallFile.exists(FilePath(folder.path("file.tmp.7"))))
    let committed = try file.commit()
    #expect(committed.byteCount == all.count)
    #expect(committed.digest == Digest(hashing: all))
    #expect(try SmallFile.read(path, limit: all.count) == all)
    #expect(names == ["file"])
  }

  @Test(
    "a file that is set aside waits beside its place until somebody puts it there, or removes it")
  func setAside() throws {
    let path = FilePath(folder.path("file"))
    for attempt in ["1", "2"] {
      var file = try AtomicFile(destination: path, attempt: attempt)
      try file.write([UInt8](attempt.utf8))
      #expect(try file.setAside().digest == Digest(hashing: [UInt8](attempt.utf8)))
    }
    #expect(Set(names) == ["file.tmp.1", "file.tmp.2"])
    let first = WaitingFile(destination: path, attempt: "1")
    #expect(first.byteCount == 1)
    try first.putInPlace()
    WaitingFile(destination: path, attempt: "2").remove()
    first.remove()
    #expect(names == ["file"])
    #expect(try SmallFile.read(path, limit: 1) == [UInt8]("1".utf8))
    #expect(throws: StorageError.self) { try first.putInPlace() }
  }

  @Test("a link or an open file where the temporary one belongs gets nothing; a secret stays one")
  func planted() throws {
    let secret = FilePath(folder.path("keys"))
    let other = try folder.write([9], to: "other")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("keys.tmp.0"), withDestinationPath: other)
    try AtomicFile.write([1, 2, 3], to: secret, permissions: .ownerReadWrite)
    #expect(try SmallFile.read(FilePath(other), limit: 9) == [9])

    // As a killed writer of another program leaves it, or somebody who waits for what comes.
    try folder.write([8], to: "keys.tmp.0")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o666], ofItemAtPath: folder.path("keys.tmp.0"))
    let reader = try FileDescriptor.open(FilePath(folder.path("keys.tmp.0")), .readOnly)
    defer { try? reader.close() }
    try AtomicFile.write([4, 5], to: secret, permissions: .ownerReadWrite)
    #expect(try SmallFile.read(secret, limit: 9) == [4, 5])
    var seen = [UInt8](repeating: 0, count: 9)
    let count = try seen.withUnsafeMutableBytes {
      try reader.read(fromAbsoluteOffset: 0, into: $0)
    }
    #expect(seen[..<count] == [8])
    let attributes = try FileManager.default.attributesOfItem(atPath: secret.string)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test("without a commit nothing stays")
  func abandoned() throws {
    func begin() throws {
      var file = try AtomicFile(destination: FilePath(folder.path("file")))
      try file.write([1, 2, 3])
    }
    try begin()
    #expect(names.isEmpty)
  }

  @Test("a file larger than the limit is refused")
  func limit() throws {
    let path = FilePath(try folder.write([1, 2, 3], to: "file"))
    #expect(throws: StorageError.self) { try SmallFile.read(path, limit: 2) }
  }

  @Test("an output folder that is finished keeps its files, less leftovers and lock")
  func finished() throws {
    let output = try OutputFolder(
      FilePath(folder.path("a/b/out")), OutputFolder.Layout(marker: "journal"))
    try Folder.make(output.path.appending("flap"))
    try folder.write([1], to: "a/b/out/file")
    try folder.write([1], to: "a/b/out/file.tmp.3")
    try folder.write([1], to: "a/b/out/flap/file.tmp.0")
    output.removeLeftovers(in: ["flap"])
    output.finish()
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("a/b/out")).sorted()
        == ["file", "flap"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("a/b/out/flap")).isEmpty)
  }

  @Test("one that is not finished is gone; one that was there before is empty again")
  func discarded() throws {
    func begin(_ name: String) throws {
      let output = try OutputFolder(
        FilePath(folder.path(name)), OutputFolder.Layout(marker: "journal"))
      try Folder.make(output.path.appending("flap"))
      try folder.write([1], to: name + "/flap/file")
    }
    try begin("new")
    #expect(!SmallFile.exists(FilePath(folder.path("new"))))
    try FileManager.default.createDirectory(
      atPath: folder.path("old"), withIntermediateDirectories: false)
    try begin("old")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("old")).isEmpty)
  }

  @Test("a second run into the folder of a first is refused and takes nothing away")
  func locked() throws {
    let path = FilePath(folder.path("out"))
    let output = try OutputFolder(path, OutputFolder.Layout(marker: "journal"))
    try folder.write([1], to: "out/file")
    #expect(throws: StorageError(.inUse, path)) {
      _ = try OutputFolder(path, OutputFolder.Layout(marker: "journal"))
    }
    #expect(SmallFile.exists(path.appending("file")))
    output.finish()
    #expect(throws: StorageError(.notEmpty, path)) {
      _ = try OutputFolder(path, OutputFolder.Layout(marker: "journal"))
    }
  }

  @Test("what an unfinished run has kept is there for the next, if that is asked to go on")
  func resumed() throws {
    let path = FilePath(folder.path("out"))
    let layout = OutputFolder.Layout(marker: "run/journal")
    func leave() throws {
      var output = try OutputFolder(path, layout)
      let isResumed = output.isResumed
      #expect(!isResumed)
      try Folder.make(path.appending("run"))
      try folder.write([1], to: "out/run/journal")
      output.keep()
    }
    try leave()
    #expect(throws: StorageError(.unfinished, path)) {
      _ = try OutputFolder(path, layout)
    }
    func goOn() throws {
      let output = try OutputFolder(path, layout, .resuming)
      let isResumed = output.isResumed
      #expect(isResumed)
    }
    // Going on and failing again takes nothing away either.
    try goOn()
    try goOn()
    try OutputFolder(path, layout, .resuming).remove()
    #expect(!SmallFile.exists(path))
  }

  @Test("scraps of a run that was killed before its beginning are no run; anything else is kept")
  func scraps() throws {
    let path = FilePath(folder.path("out"))
    let layout = OutputFolder.Layout(
      marker: "flap/journal/database", scraps: ["flap/journal.tmp", "flap/logs"])
    for beginning in [OutputFolder.Beginning.anew, .resuming] {
      for name in ["flap/journal.tmp", "flap/logs"] {
        try Folder.make(path.pushing(FilePath(name)))
        try folder.write([1], to: "out/\(name)/file")
      }
      #expect(throws: StorageError(.notEmpty, path), "without a lock file it is not ours") {
        _ = try OutputFolder(path, layout, beginning)
      }
      try folder.write([], to: "out/.flap-lock")
      let output = try OutputFolder(path, layout, beginning)
      #expect(try FileManager.default.contentsOfDirectory(atPath: path.string) == [".flap-lock"])
      output.remove()
      #expect(!SmallFile.exists(path))
    }
    try Folder.make(path.pushing("flap"))
    try folder.write([], to: "out/.flap-lock")
    try folder.write([1], to: "out/flap/mine")
    #expect(throws: StorageError(.notEmpty, path)) { _ = try OutputFolder(path, layout) }
    #expect(SmallFile.exists(path.pushing("flap/mine")))
  }

  @Test("spooled bytes are there without a name, and a folder that takes none is named")
  func spool() throws {
    let path = FilePath(folder.path)
    var writer = try SpoolWriter(in: path)
    try writer.write([1, 2, 3])
    try writer.write([UInt8](repeating: 4, count: 3 << 20))
    #expect(names.isEmpty)
    let file = try writer.finish()
    #expect(try file.bytes(in: 1..<4) == [2, 3, 4])
    #expect(
      file.digest == Digest(hashing: [1, 2, 3] + [UInt8](repeating: 4, count: 3 << 20)))
    #expect(file.byteCount == 3 + 3 << 20)
    let missing = path.appending("missing")
    let error = #expect(throws: StorageError.self) { _ = try SpoolWriter(in: missing) }
    #expect(error?.description.contains("\(missing)") == true)
    #expect(error?.description.contains("set TMPDIR to another folder") == true)
  }

  @Test("a file with another digest than expected does not take its place")
  func expectedDigest() throws {
    let path = FilePath(folder.path("file"))
    func commit(_ expected: [UInt8]) throws -> CommittedFile? {
      var file = try AtomicFile(destination: path)
      try file.write([1, 2, 3])
      return try file.commit(expecting: Digest(hashing: expected))
    }
    #expect(try commit([1, 2]) == nil)
    #expect(names.isEmpty)
    #expect(try commit([1, 2, 3])?.byteCount == 3)
    #expect(names == ["file"])
  }

  private var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  }
}
