import FlapCore
import FlapTestKit
import Foundation
import Testing

/// `--compensation least-squares` on real processes.
@Suite(.serialized)
struct LeastSquaresRunTests {
  static let options = [
    "--ratio", "0.5", "--tokens-per-leaf", "1024", "--compute", "f32", "--compensation",
    "least-squares", "--quiet", "--json",
  ]

  @Test("one worker or three, small tasks or large, killed or not: the same bits")
  func sameBits() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(
      folder, "one", ["--local-workers", "1", "--threads", "2", "--leaves-per-unit", "8"])
    #expect(expected.keys.contains { $0.hasPrefix("flap/second-moments/") })
    let small = ["--local-workers", "3", "--threads", "1", "--leaves-per-unit", "1"]
    #expect(try prune(folder, "three", small) == expected)
    let killed = try prune(folder, "killed", small) { process in
      for _ in 0..<4 {
        usleep(300_000)
        if let worker = Programs.children(of: process.processIdentifier).first {
          kill(worker, SIGKILL)
        }
      }
    }
    #expect(killed == expected)
  }

  @Test("an interrupted run goes on, and step by step gives the same bits")
  func stepByStep() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "whole", ["--local-workers", "2"])
    let output = folder.path("resumed")
    let arguments = run(output) + ["--local-workers", "2", "--leaves-per-unit", "1"]
    _ = try Programs.coordinator(arguments) { process in
      usleep(1_200_000)
      kill(process.processIdentifier, SIGKILL)
    }
    let resumed = try Programs.coordinator(arguments + ["--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    #expect(try Programs.digests(below: output) == expected)

    let (statistics, moments) = (folder.path("s.safetensors"), folder.path("m"))
    let plan = folder.path("plan.safetensors")
    let written = folder.path("written")
    for command in [
      [
        "calibrate", "--model", Programs.model, "--calibration", Programs.calibration,
        "--tokens-per-leaf", "1024", "--compute", "f32", "--output", statistics,
        "--second-moments", moments,
      ],
      ["search", "--statistics", statistics, "--ratio", "0.5", "--output", plan],
      [
        "write", "--model", Programs.model, "--plan", plan, "--statistics", statistics,
        "--second-moments", moments, "--compensation", "least-squares", "--output", written,
      ],
    ] {
      let outcome = try Programs.coordinator(command + ["--quiet"])
      try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    }
    let whole = expected.filter { $0.key.hasPrefix("model") }
    #expect(try Programs.digests(below: written).filter { $0.key.hasPrefix("model") } == whole)
    #expect(!whole.isEmpty)
    // The ridges are told, the same in every way; those of a resumed run, too.
    let maps = try SequentialRunTests.maps(folder.path("whole"))
    #expect(!maps.isEmpty && maps.allSatisfy { $0.contains("_proj ") })
    for other in [output, written] { #expect(try SequentialRunTests.maps(other) == maps) }
    let card = try String(contentsOfFile: written + "/README.md", encoding: .utf8)
    #expect(card.contains("compensated by least squares; ridge: "))
  }

  @Test("it loses less than the bias alone")
  func loss() throws {
    let folder = try TemporaryFolder()
    _ = try prune(folder, "fitted", ["--local-workers", "2"])
    let bias = folder.path("bias")
    let outcome = try Programs.coordinator(
      run(bias).map { $0 == "least-squares" ? "bias" : $0 } + ["--local-workers", "2"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let perplexities = try [Programs.model, folder.path("fitted"), bias].map { model in
      let outcome = try Programs.coordinator([
        "eval", "--model", model, "--data", Programs.model + "/test.npy", "--samples", "64",
        "--quiet", "--json",
      ])
      return try #require(outcome.json["perplexity"] as? Double)
    }
    // Half of it on this small model, with its 28 672 tokens to fit to.
    #expect(perplexities[1] - perplexities[0] < 0.6 * (perplexities[2] - perplexities[0]))
    let card = try String(contentsOfFile: folder.path("fitted/README.md"), encoding: .utf8)
    #expect(card.contains("least squares"))
  }

  @Test("what least squares cannot do is one line")
  func refused() throws {
    let folder = try TemporaryFolder()
    for (arguments, message) in [
      (["--samples", "8"], "every 8th leaf"), (["--gather"], "leave out --gather"),
      (["--metric", "magnitude"], "least-squares needs data"),
    ] {
      let outcome = try Programs.coordinator(run(folder.path("none")) + arguments)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
  }

  // MARK: Helpers

  private func run(_ output: String) -> [String] {
    ["--model", Programs.model, "--calibration", Programs.calibration, "--output", output]
      + LeastSquaresRunTests.options
  }

  private func prune(
    _ folder: TemporaryFolder, _ name: String, _ arguments: [String],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> [String: Digest] {
    let output = folder.path(name)
    let outcome = try Programs.coordinator(run(output) + arguments, whileRunning: whileRunning)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try Programs.digests(below: output)
  }
}
