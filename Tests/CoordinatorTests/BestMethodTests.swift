import FlapCore
import FlapTestKit
import Foundation
import Testing

/// `--method best` on real processes: every map's order and losses are measured once, whoever does
/// it and whatever fails. `FLAP_BEST_COUNT` sets how many runs of a random cluster with random
/// faults there are.
@Suite(.serialized)
struct BestMethodTests {
  static let count =
    ProcessInfo.processInfo.environment["FLAP_BEST_COUNT"].flatMap { Int($0) } ?? 1
  /// 32 leaves, of which 4 are held out.
  static let data = [
    "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "64",
    "--tokens-per-leaf", "256", "--compute", "f32",
  ]

  private let folder: TemporaryFolder
  private let expected: [String: Digest]

  /// With an undisturbed run of one worker, which all others have to equal.
  init() throws {
    folder = try TemporaryFolder()
    let outcome = try BestMethodTests.start(
      folder.path("whole"), ["--local-workers", "1", "--threads", "2", "--leaves-per-unit", "8"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    expected = try Programs.digests(below: folder.path("whole"))
  }

  @Test("three workers with small tasks, workers and the coordinator killed: the same bits")
  func sameBits() throws {
    #expect(
      expected.keys.filter { !$0.hasPrefix("flap/second-moments/") }.sorted() == [
        "flap/plan.safetensors", "flap/statistics.safetensors", "model.safetensors",
      ])
    let sums = expected.keys.filter { $0.hasPrefix("flap/second-moments/") }
    #expect(sums.contains("flap/second-moments/0-mlp.down_proj.safetensors") && sums.count > 2)
    let small = ["--local-workers", "3", "--threads", "1", "--leaves-per-unit", "1"]
    let output = folder.path("killed")
    let events = Events(output)
    let killed = try BestMethodTests.start(output, small) { process in
      // A worker in the second pass, one at the first map, one when some are there; then the
      // coordinator.
      events.wait(for: "task_given", of: "second moments", while: process)
      killWorker(of: process)
      events.wait(for: "task_given", of: "losses", while: process)
      killWorker(of: process)
      events.wait(for: "task_stored", of: "losses", count: 3, while: process)
      killWorker(of: process)
      events.wait(for: "task_stored", of: "losses", count: 5, while: process)
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.exitCode != 0)
    #expect(events.count("worker_lost") >= 2, "workers were lost while it ran")
    let stored = events.works("task_stored", of: "losses")
    #expect(stored.count >= 5)

    let refused = try BestMethodTests.start(output, small)
    #expect(refused.standardError.contains("continue with --resume"))
    let other = try BestMethodTests.start(
      output, small + ["--resume", "--metric", "WIFV", "--structure", "AL-AM"])
    #expect(other.exitCode != 0 && other.standardError.contains("--metric was OBS, is WIFV"))

    let before = events.lines.count
    let resumed = try BestMethodTests.start(output, small + ["--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    #expect(try Programs.digests(below: output) == expected)
    let again = events.works("task_given", of: "losses", from: before)
    #expect(
      !again.isEmpty && stored.isDisjoint(with: again), "what is stored is not measured again")
  }

  @Test("step by step, and with --resume over what was made without losses: the same bits")
  func stepByStep() throws {
    let statistics = folder.path("s.safetensors")
    let plan = folder.path("plan.safetensors")
    let written = folder.path("written")
    try succeed(["calibrate"] + BestMethodTests.data + ["--output", statistics])
    let fast = try Programs.coordinator(
      ["search", "--method", "best", "--statistics", statistics, "--ratio", "0.5"])
    #expect(fast.exitCode != 0 && fast.standardError.contains("calibrate with --method best"))
    for command in [
      ["calibrate"] + BestMethodTests.data
        + ["--method", "best", "--output", statistics, "--local-workers", "2", "--resume"],
      [
        "search", "--method", "best", "--statistics", statistics, "--ratio", "0.5", "--output",
        plan,
      ],
      [
        "write", "--model", Programs.model, "--plan", plan, "--statistics", statistics,
        "--second-moments", folder.path("s-second-moments"), "--output", written,
      ],
    ] { try succeed(command) }
    // Step by step no map is fitted to the pruned model's own inputs.
    let once = folder.path("once")
    let pruned = try BestMethodTests.start(once, ["--no-sequential"])
    #expect(pruned.exitCode == 0, "\(pruned.standardError)")
    let found = try Programs.digests(below: folder.path)
    for (name, whole) in [
      ("s.safetensors", "flap/statistics.safetensors"),
      ("plan.safetensors", "flap/plan.safetensors"),
    ] {
      #expect(found[name] == expected[whole], "\(name)")
    }
    for (name, digest) in expected where name.hasPrefix("flap/second-moments/") {
      #expect(found["s-" + name.dropFirst("flap/".count)] == digest, "\(name)")
    }
    #expect(found["written/model.safetensors"] == found["once/model.safetensors"])
    #expect(found["written/model.safetensors"] != expected["model.safetensors"])
    let complete = try Programs.coordinator(
      ["calibrate"] + BestMethodTests.data + [
        "--method", "best", "--output", statistics, "--resume",
      ])
    #expect(complete.standardError.contains("is complete: there is nothing to resume"))
  }

  @Test("random clusters, workers and coordinators killed at random points: the same bits")
  func soak() throws {
    let lineCount = Events(folder.path("whole")).lines.count
    var killedCount = 0
    for seed in 0..<BestMethodTests.count {
      var generator = SeededGenerator(seed: UInt64(seed) &+ 0xBE57)
      let output = folder.path("run-\(seed)")
      var lives = 0
      var outcome: Programs.Outcome
      repeat {
        lives += 1
        // Every other run has workers that join, whose sums go from one to the next.
        let joining = seed % 2 == 0 ? nil : JoiningWorkers(ticket: output + "-ticket")
        let workerCount = Int.random(in: 1...4, using: &generator)
        let threadCount = Int.random(in: 1...3, using: &generator)
        let leaves = [1, 2, 3, 8, 32].randomElement(using: &generator)!
        let cluster =
          joining?.options ?? ["--local-workers", "\(workerCount)", "--threads", "\(threadCount)"]
        outcome = try BestMethodTests.start(
          output,
          cluster + ["--leaves-per-unit", "\(leaves)"] + (lives > 1 ? ["--resume"] : [])
        ) { process in
          try joining?.join(workerCount, threads: threadCount, process)
          guard lives <= 4 else { return }
          let events = Events(output)
          // The further the run, the more there is to lose.
          for _ in 0..<Int.random(in: 0...3, using: &generator) {
            events.wait(
              forLines: events.lines.count + Int.random(in: 1...lineCount / 3, using: &generator),
              while: process)
            guard process.isRunning else { return }
            killedCount += 1
            if generator.chance(0.3) {
              kill(process.processIdentifier, SIGKILL)
            } else if let joining {
              _ = try joining.replace(at: Int.random(in: 0..<workerCount, using: &generator))
            } else {
              killWorker(of: process, &generator)
            }
          }
        }
        joining?.end()
      } while outcome.exitCode != 0 && lives < 6
      #expect(outcome.exitCode == 0, "seed \(seed): \(outcome.standardError)")
      #expect(try Programs.digests(below: output) == expected, "seed \(seed)")
      try? FileManager.default.removeItem(atPath: output)
    }
    #expect(killedCount >= BestMethodTests.count / 2, "somebody does die")
  }

  // MARK: Helpers

  private static func start(
    _ output: String, _ arguments: [String], whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Programs.Outcome {
    try Programs.coordinator(
      data + ["--method", "best", "--ratio", "0.5", "--output", output, "--json"] + arguments,
      whileRunning: whileRunning)
  }

  private func succeed(_ arguments: [String]) throws {
    let outcome = try Programs.coordinator(arguments + ["--quiet"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
  }

  private func killWorker(of process: Process) {
    var generator = SeededGenerator(seed: 1)
    killWorker(of: process, &generator)
  }

  private func killWorker(of process: Process, _ generator: inout SeededGenerator) {
    let workers = Programs.children(of: process.processIdentifier)
    if let worker = workers.randomElement(using: &generator) { kill(worker, SIGKILL) }
  }
}
