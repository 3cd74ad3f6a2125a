import FlapTestKit
import Foundation
import Testing

/// What people see, type wrongly, and break off.
@Suite(.serialized)
struct ConsoleTests {
  private let folder: TemporaryFolder
  private let test = Programs.model + "/test.npy"

  init() throws { folder = try TemporaryFolder() }

  private func calibrate(_ more: String...) throws -> Programs.Outcome {
    try Programs.coordinator(
      [
        "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
        "32", "--output", folder.path("statistics.safetensors"),
      ] + more)
  }

  @Test("--quiet: results that stand in files are not told, others are; of the log only warnings")
  func quiet() throws {
    let statistics = folder.path("statistics.safetensors")
    let silent = try [
      calibrate("--quiet"),
      Programs.coordinator([
        "search", "--statistics", statistics, "--ratio", "0.3", "--output",
        folder.path("plan.safetensors"), "--quiet",
      ]),
      Programs.coordinator([
        "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "32",
        "--ratio", "0.2", "--output", folder.path("pruned"), "--quiet",
      ]),
      Programs.coordinator([
        "export", "--model", Programs.model, "--output", folder.path("model.gguf"), "--quiet",
      ]),
    ]
    for outcome in silent {
      #expect(outcome.exitCode == 0)
      #expect(outcome.standardOutput.isEmpty && outcome.standardError.isEmpty)
    }
    for (command, word) in [
      (["search", "--statistics", statistics, "--ratio", "0.3"], "WIFV AL-AM"),
      (["eval", "--model", Programs.model, "--data", test, "--samples", "8"], "perplexity "),
      (["inspect", statistics], "tokens"),
    ] {
      let outcome = try Programs.coordinator(command + ["--quiet"])
      #expect(outcome.exitCode == 0 && outcome.standardError.isEmpty)
      #expect(outcome.standardOutput.contains(word))
    }
    // It takes whole groups of every layer: the ratio that is reached is another.
    let warned = try Programs.coordinator([
      "search", "--statistics", statistics, "--ratio", "0.2", "--structure", "UL-UM", "--output",
      folder.path("uniform.safetensors"), "--quiet",
    ])
    #expect(warned.exitCode == 0 && warned.standardOutput.isEmpty)
    #expect(warned.standardError.hasPrefix("warning: reached a ratio of "))
    let failed = try calibrate("--quiet", "--worker-program", "/nonexistent")
    #expect(failed.exitCode != 0 && failed.standardError.contains("cannot start /nonexistent"))
  }

  @Test("a sweep tells which plan is at work, and each perplexity as it comes")
  func sweep() throws {
    #expect(try calibrate().exitCode == 0)
    let outcome = try Programs.coordinator([
      "eval", "--model", Programs.model, "--data", test, "--samples", "32", "--statistics",
      folder.path("statistics.safetensors"), "--ratio", "0.2,0.5", "--json",
    ])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let result = try outcome.json
    let plans = try #require(result["plans"] as? [[String: Any]])
    let figures = [("dense", result)] + plans.map { ($0["name"] as? String ?? "", $0) }
    #expect(figures.map(\.0) == ["dense", "0.2", "0.5"])
    let told = outcome.standardError.split(separator: "\n").filter {
      $0.hasPrefix("evaluation (") && $0.contains(": perplexity ")
    }
    let expected = try figures.map { name, figures in
      let perplexity = try #require(figures["perplexity"] as? Double)
      return "evaluation (\(name)): perplexity " + String(format: "%.4f", perplexity)
    }
    #expect(told.map(String.init) == expected)
    // One phase for all of them: three times 32 samples.
    let tokens = 3 * 32 * (try #require(result["window"] as? Int))
    #expect(outcome.standardError.contains("evaluation: \(tokens) tokens in "))
  }

  @Test("names are understood however they are written")
  func names() throws {
    let outcome = try Programs.coordinator([
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "16",
      "--ratio", "0.2", "--metric", "wifv", "--structure", "al-am", "--output",
      folder.path("pruned"), "--json",
    ])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let search = try #require(outcome.json["search"] as? [String: Any])
    #expect(search["metric"] as? String == "WIFV" && search["structure"] as? String == "AL-AM")
  }

  @Test(
    "what is mistyped is told with what was meant",
    arguments: [
      (["serach"], "there is no subcommand 'serach': did you mean 'search'?"),
      (["calibarte", "--model", "x"], "did you mean 'calibrate'?"),
      (["Eval"], "did you mean 'eval'?"),
      (["model/"], "there is no subcommand 'model/': there are prune, calibrate, search"),
      (["eval", "--modle", "x"], "did you mean '--model'?"),
      (["--raito", "0.2"], "prune has no option '--raito': did you mean '--ratio'?"),
      (["--model", "x", "--no-shp"], "did you mean '--no-ship'?"),
      (["search", "--ratio=0.2", "--statistics=x", "--exclude-layer=1"], "'--exclude-layers'?"),
    ])
  func mistyped(arguments: [String], message: String) throws {
    let outcome = try Programs.coordinator(arguments)
    #expect(outcome.exitCode == 64 && outcome.standardOutput.isEmpty)
    #expect(
      outcome.standardError.lowercased().contains(message.lowercased()),
      "\(outcome.standardError)")
  }

  @Test("inspect's JSON has numbers")
  func inspect() throws {
    let outcome = try Programs.coordinator(["inspect", Programs.model, "--json"])
    let facts = try outcome.json
    #expect(facts["parameters"] as? Int == 1_238_656)
    #expect(facts["hidden_size"] as? Int == 128 && facts["layers"] as? Int == 6)
    #expect(facts["neurons_per_layer"] as? [Int] == Array(repeating: 352, count: 6))
    #expect(try #require(facts["bytes"] as? Int) > 2_000_000)
    let file = try Programs.coordinator([
      "inspect", Programs.model + "/model-00002-of-00002.safetensors", "--json",
    ])
    let tensors = try file.json
    let head = try #require(tensors["lm_head.weight"] as? [String: Any])
    #expect(head["type"] as? String == "BF16" && head["shape"] as? [Int] == [512, 128])
    let shown = try Programs.coordinator(["inspect", Programs.model])
    #expect(shown.standardOutput.contains("neurons per layer   352\n"))
  }

  @Test(
    "a signal ends a program that still reads its input, too, with the code that shells know",
    arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func earlySignals(signal: Int32, code: Int32) throws {
    // Some seconds of tokenizing.
    let text = folder.path("text.txt")
    let line = Array("The farmer sees a wolf, and the queens eat apples.\n".utf8)
    var bytes: [UInt8] = []
    while bytes.count < 200 << 20 { bytes += bytes.isEmpty ? line : bytes }
    try Data(bytes).write(to: URL(fileURLWithPath: text))
    let outcome = try Programs.coordinator([
      "--model", Programs.model, "--calibration", text, "--ratio", "0.2", "--output",
      folder.path("pruned"),
    ]) { process in
      usleep(300_000)
      kill(process.processIdentifier, signal)
    }
    #expect(outcome.exitCode == code)
    #expect(!FileManager.default.fileExists(atPath: folder.path("pruned")))
  }

  @Test("on a terminal of 40 columns no line is longer, and no figure is lost")
  func narrow() throws {
    #expect(try calibrate().exitCode == 0)
    let search = [
      "search", "--statistics", folder.path("statistics.safetensors"), "--ratio",
    ]
    for ratios in ["0.3", "0.2,0.5"] {
      let wide = try Programs.coordinator(search + [ratios]).standardOutput
      let narrow = try onTerminal(columns: 40, search + [ratios])
      #expect(narrow.split(separator: "\n").allSatisfy { $0.count <= 40 }, "\(narrow)")
      let words = { (text: String) in Set(text.split { $0 == " " || $0 == "\n" }) }
      #expect(words(wide).subtracting(words(narrow)).isEmpty)
      #expect(narrow.split(separator: "\n").count > wide.split(separator: "\n").count)
    }
    let broad = try onTerminal(columns: 200, search + ["0.2,0.5"])
    #expect(try broad == Programs.coordinator(search + ["0.2,0.5"]).standardOutput)
  }

  /// - Returns: what flap-coord shows on a terminal, which `script` of bsdutils makes.
  private func onTerminal(columns: Int, _ arguments: [String]) throws -> String {
    let command = ([Programs.folder.appending(path: "flap-coord").path] + arguments)
      .map { "'\($0)'" }.joined(separator: " ")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
    process.arguments = ["-qec", "stty cols \(columns) && exec \(command)", "/dev/null"]
    process.standardInput = FileHandle.nullDevice
    let outcome = try Programs.outcome(of: process)
    #expect(outcome.exitCode == 0, "\(outcome.standardOutput)")
    return outcome.standardOutput.replacing("\r\n", with: "\n")
  }
}
