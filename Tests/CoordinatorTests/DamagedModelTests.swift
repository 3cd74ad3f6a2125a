import Checkpoint
import Coordination
import FlapCore
import FlapTestKit
import Foundation
import SystemPackage
import Testing

/// Workers whose copy of the model is not the coordinator's: they are turned away by name, and nothing
/// that they computed counts.
@Suite(.serialized)
struct DamagedModelTests {
  /// A damage of one tensor's bytes.
  struct Damage: Sendable, CustomTestStringConvertible {
    let tensor: String
    let testDescription: String
    let change: @Sendable (inout [UInt8]) -> Void

    /// One bit, at this share of the tensor.
    static func flip(_ tensor: String, at share: Double, bit: UInt8 = 0) -> Damage {
      Damage(tensor: tensor, testDescription: "a bit of \(tensor) at \(share)") { bytes in
        bytes[min(Int(Double(bytes.count) * share), bytes.count - 1)] ^= 1 << bit
      }
    }

    /// All that the model's digest does not sample, of a tensor.
    static func zeroed(_ tensor: String) -> Damage {
      Damage(tensor: tensor, testDescription: "\(tensor), zero where nobody samples") { bytes in
        for index in bytes.indices where !isSampled(index, of: bytes.count) { bytes[index] = 0 }
      }
    }

    /// A weight that is not a number, which no worker can compute with.
    static func notANumber(_ tensor: String, at share: Double) -> Damage {
      Damage(tensor: tensor, testDescription: "a NaN in \(tensor)") { bytes in
        let start = Int(Double(bytes.count) * share) & ~3
        for index in start..<start + 4 { bytes[index] = 0xFF }
      }
    }

    /// Whether the digest with which a worker joins reads a byte: 16 slices of 4096.
    static func isSampled(_ index: Int, of byteCount: Int) -> Bool {
      byteCount <= 16 * 4096 || index % ((byteCount - 4096) / 15) < 4096
    }
  }

  /// Between two of the 16 slices that the digest reads: 90112 bytes have a slice every 5734, 131072
  /// one every 8465.
  static let damages: [Damage] = [
    Damage.flip("model.embed_tokens.weight", at: 6000.0 / 131_072),
    .flip("lm_head.weight", at: 6000.0 / 131_072, bit: 7),
    .flip("model.layers.0.mlp.gate_proj.weight", at: 4500.0 / 90_112, bit: 3),
    .flip("model.layers.2.mlp.up_proj.weight", at: 10_500.0 / 90_112),
    .flip("model.layers.5.mlp.down_proj.weight", at: 4500.0 / 90_112, bit: 6),
    .zeroed("model.layers.1.mlp.gate_proj.weight"),
    .zeroed("lm_head.weight"),
    .notANumber("model.layers.3.mlp.up_proj.weight", at: 4500.0 / 90_112),
  ]

  static let expected = Result {
    let folder = try TemporaryFolder()
    let outcome = try Programs.coordinator(
      arguments(folder) + ["--local-workers", "1", "--threads", "1"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try Programs.digests(below: folder.path("out"))
  }

  @Test(
    "a worker with a damaged copy is refused by name, the bytes are those of the good",
    arguments: damages)
  func refused(damage: Damage) throws {
    let (error, digests) = try run(damage)
    #expect(error.contains("\(damage.tensor) in "), "\(error)")
    #expect(error.contains("is damaged"))
    #expect(error.contains("model/model-0000"))
    #expect(digests == (try DamagedModelTests.expected.get()))
  }

  /// `FLAP_FLIP_COUNT` sets how many; every second one lies where the digest does not look.
  @Test("one bit anywhere in any tensor is noticed before the output is complete")
  func randomFlips() throws {
    let count = ProcessInfo.processInfo.environment["FLAP_FLIP_COUNT"].flatMap { Int($0) } ?? 3
    var generator = SeededGenerator(seed: 11)
    let checkpoint = try Checkpoint(directory: FilePath(Programs.model))
    var sampled = 0
    for number in 0..<count {
      var place: (tensor: String, index: Int, byteCount: Int)
      repeat {
        let name = checkpoint.tensorNames.randomElement(using: &generator)!
        let byteCount = try checkpoint.byteCount(of: name)
        place = (name, Int.random(in: 0..<byteCount, using: &generator), byteCount)
      } while number.isMultiple(of: 2) && Damage.isSampled(place.index, of: place.byteCount)
      let damage = Damage.flip(
        place.tensor, at: (Double(place.index) + 0.5) / Double(place.byteCount),
        bit: UInt8.random(in: 0..<8, using: &generator))
      let (error, digests) = try run(damage)
      if error.contains("differs (digest") { sampled += 1 }
      #expect(
        error.contains("differs (digest") || error.contains("\(damage.tensor) in "),
        "\(damage.testDescription): \(error)")
      #expect(digests == (try DamagedModelTests.expected.get()), "\(damage.testDescription)")
    }
    print("\(count) flips noticed, \(sampled) of them when joining")
  }

  /// Its shard must not come in the stead of a good one that is stored meanwhile.
  @Test("a damaged worker's shard never stands under its name")
  func shardIsNotInPlace() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    try DamagedModelTests.damages[2].apply(to: model)
    let ticket = folder.path("ticket")
    var shards: [String] = []
    var good: Process?
    // By magnitude: only the writing reads the tensor.
    let outcome = try Programs.coordinator([
      "--model", Programs.model, "--metric", "magnitude", "--output", folder.path("out"),
      "--ratio", "0.4", "--quiet", "--launcher", "none", "--connect-file", ticket,
    ]) { coordinator in
      while coordinator.isRunning, !FileManager.default.fileExists(atPath: ticket) { usleep(5000) }
      let worker = try Programs.worker(
        ["--connect-file", ticket, "--threads", "1"], model: model)
      worker.waitUntilExit()
      #expect(worker.terminationStatus == 3)
      shards = try FileManager.default.contentsOfDirectory(atPath: folder.path("out"))
        .filter { $0.contains(".safetensors") }
      good = try Programs.worker(["--connect-file", ticket, "--threads", "1"])
    }
    good?.waitUntilExit()
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(shards.isEmpty)
  }

  @Test("when every worker's copy is damaged, the run ends and says what it was")
  func allAreDamaged() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    try DamagedModelTests.damages[3].apply(to: model)
    let ticket = folder.path("ticket")
    let outcome = try Programs.coordinator(
      DamagedModelTests.arguments(folder) + [
        "--launcher", "none", "--connect-file", ticket, "--join-timeout", "2",
      ]
    ) { coordinator in
      while coordinator.isRunning, !FileManager.default.fileExists(atPath: ticket) { usleep(5000) }
      let workers = try (0..<2).map { _ in
        try Programs.worker(["--connect-file", ticket, "--threads", "1"], model: model)
      }
      for worker in workers {
        worker.waitUntilExit()
        #expect(worker.terminationStatus == 3)
      }
    }
    #expect(outcome.exitCode == 1)
    let error = outcome.standardError
    #expect(
      error.contains("\(DamagedModelTests.damages[3].tensor) in \(model)/model-0000"), "\(error)")
    #expect(error.contains("no worker for 2 s"), "\(error)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test("a run whose model has changed is not resumed")
  func changedModel() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let arguments =
      [
        "--model", model, "--calibration", Programs.calibration, "--output", folder.path("out"),
        "--leaves-per-unit", "1", "--compute", "f32", "--tokens-per-leaf", "128", "--ratio", "0.2",
        "--local-workers", "1", "--threads", "1",
      ]
    let killed = try Programs.coordinator(arguments) { process in
      let node = folder.path("out/flap/journal/moments-3-0")
      while process.isRunning, !FileManager.default.fileExists(atPath: node) { usleep(1000) }
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.exitCode != 0)
    try DamagedModelTests.damages[2].apply(to: model)
    let resumed = try Programs.coordinator(arguments + ["--resume"])
    #expect(resumed.exitCode == 1)
    #expect(resumed.standardError.contains("the model has changed since this run began"))
    #expect(resumed.standardError.contains(DamagedModelTests.damages[2].tensor))
    try DamagedModelTests.damages[2].apply(to: model)
    let mended = try Programs.coordinator(arguments + ["--resume"])
    #expect(mended.exitCode == 0, "\(mended.standardError)")
  }

  @Test("inspect --verify names what differs from a record, from a copy and from statistics")
  func verified() throws {
    let folder = try TemporaryFolder()
    let made = try Programs.coordinator(
      DamagedModelTests.arguments(folder) + ["--local-workers", "1", "--threads", "1"])
    try #require(made.exitCode == 0, "\(made.standardError)")
    let model = try folder.copyModel()
    let records = [
      folder.path("out"), Programs.model, folder.path("out/flap/statistics.safetensors"),
      folder.path("out/flap/plan.safetensors"),
    ]
    for record in records {
      let good = try Programs.coordinator(["inspect", "--verify", model, "--against", record])
      #expect(good.exitCode == 0, "\(good.standardError)")
      #expect(good.standardOutput.contains("full digest"))
    }
    let damage = DamagedModelTests.damages[0]
    try damage.apply(to: model)
    for (index, record) in records.enumerated() {
      let bad = try Programs.coordinator(["inspect", "--verify", model, "--against", record])
      #expect(bad.exitCode == 1)
      let line = index < 2 ? "\(damage.tensor) in \(model)/model-0000" : "at least one bit differs"
      #expect(bad.standardError.contains(line), "\(bad.standardError)")
    }
    // Who prunes the damaged model by the plan of the good one is told.
    let written = try Programs.coordinator([
      "write", "--model", model, "--plan", records[3], "--statistics", records[2], "--output",
      folder.path("written"), "--local-workers", "1", "--threads", "1",
    ])
    #expect(written.exitCode == 1)
    #expect(written.standardError.contains("was made for other weights"))
    let file = model + "/model-00002-of-00002.safetensors"
    let handle = try #require(FileHandle(forWritingAtPath: file))
    try handle.truncate(atOffset: 1_000_000)
    let short = try Programs.coordinator(["inspect", "--verify", model])
    #expect(short.exitCode == 1)
    #expect(short.standardError.contains(file), "\(short.standardError)")
  }

  // MARK: Runs

  private static func arguments(_ folder: TemporaryFolder) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      folder.path("out"), "--samples", "16", "--tokens-per-leaf", "128", "--leaves-per-unit", "4",
      "--ratio", "0.4", "--quiet",
    ]
  }

  /// The damaged worker comes first and alone, a good one when it is gone.
  /// - Returns: what the damaged one has said, and the digests of the run's files.
  private func run(_ damage: Damage) throws -> (error: String, digests: [String: Digest]) {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    try damage.apply(to: model)
    let ticket = folder.path("ticket")
    var said = ""
    var good: Process?
    let outcome = try Programs.coordinator(
      DamagedModelTests.arguments(folder) + ["--launcher", "none", "--connect-file", ticket]
    ) { coordinator in
      while coordinator.isRunning, !FileManager.default.fileExists(atPath: ticket) {
        usleep(5000)
      }
      let worker = Process()
      worker.executableURL = Programs.folder.appending(path: "flap-worker")
      worker.arguments = ["--model", model, "--connect-file", ticket, "--threads", "1"]
      let error = Pipe()
      worker.standardError = error
      try worker.run()
      said = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      worker.waitUntilExit()
      #expect(worker.terminationStatus == 3, "\(damage.testDescription): \(said)")
      good = try Programs.worker(["--connect-file", ticket, "--threads", "1"])
    }
    good?.waitUntilExit()
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    return (said, try Programs.digests(below: folder.path("out")))
  }
}

extension DamagedModelTests.Damage {
  /// Changes the tensor in a model's folder.
  func apply(to model: String) throws {
    for name in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
      let path = model + "/" + name
      let range = try SafetensorsFile(path: FilePath(path)).byteRange(of: tensor)
      guard let range else { continue }
      var file = try Data(contentsOf: URL(fileURLWithPath: path))
      var bytes = Array(file[range])
      change(&bytes)
      file.replaceSubrange(range, with: bytes)
      try file.write(to: URL(fileURLWithPath: path))
    }
  }
}

extension Checkpoint {
  fileprivate func byteCount(of name: String) throws -> Int {
    let file = FilePath(self.path(of: name) ?? "")
    return try SafetensorsFile(path: file).byteRange(of: name)?.count ?? 0
  }
}

extension SafetensorsFile {
  /// Where in the file a tensor lies.
  fileprivate func byteRange(of name: String) -> Range<Int>? {
    header.tensors.first { $0.name == name }.map {
      header.dataOffset + $0.byteRange.lowerBound..<header.dataOffset + $0.byteRange.upperBound
    }
  }
}
