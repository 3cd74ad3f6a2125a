import FlapTestKit
import Foundation
import Testing

/// `eval --tasks`: questions that workers answer together.
@Suite(.serialized)
struct TaskTests {
  private let folder: TemporaryFolder
  private let questions: String

  init() throws {
    folder = try TemporaryFolder()
    questions = folder.path("questions.jsonl")
    let lines = (0..<TaskTests.questionCount).map { TaskTests.question($0, seed: $0 + 1) }
    try write(lines, to: questions)
  }

  @Test("the same log-likelihoods, to the bit, from one worker or three, of small leaves or large")
  func layouts() throws {
    let expected = try answers("reference", ["--local-workers", "1", "--threads", "1"])
    #expect(expected.split(separator: "\n").count == TaskTests.questionCount)
    for (workers, threads, leaves, tokens) in [(2, 1, 4, 2048), (3, 1, 1, 512), (1, 3, 16, 100)] {
      let found = try answers(
        "w\(workers)",
        [
          "--local-workers", "\(workers)", "--threads", "\(threads)", "--leaves-per-unit",
          "\(leaves)", "--tokens-per-leaf", "\(tokens)",
        ])
      #expect(found == expected, "\(workers) workers")
    }
  }

  @Test("a worker is killed, and the model is dense and pruned in one run")
  func kill() throws {
    let statistics = folder.path("statistics.safetensors")
    let calibrated = try Programs.coordinator([
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "32", "--output", statistics, "--quiet", "--json",
    ])
    #expect(calibrated.exitCode == 0, "\(calibrated.standardError)")
    let options = [
      "--local-workers", "2", "--threads", "1", "--leaves-per-unit", "1", "--tokens-per-leaf",
      "128", "--compute", "f32", "--statistics", statistics, "--ratio", "0.3,0.5",
    ]
    let start = ContinuousClock.now
    let expected = try answers("reference", options)
    let undisturbed = ContinuousClock.now - start
    let lines = expected.split(separator: "\n")
    #expect(lines.count == 3 * TaskTests.questionCount)
    #expect(Set(lines).count == lines.count)
    for share in [0.3, 0.6, 0.8] {
      let found = try answers("killed-\(share)", options) { process in
        usleep(UInt32(undisturbed * share / .microseconds(1)))
        while process.isRunning {
          if let victim = Programs.children(of: process.processIdentifier).first {
            Foundation.kill(victim, SIGKILL)
            return
          }
          usleep(1000)
        }
      }
      #expect(found == expected, "killed after \(share)")
    }
  }

  @Test("accuracies by task, for people and as numbers")
  func figures() throws {
    let arguments = ["eval", "--model", Programs.model, "--tasks", questions, "--quiet"]
    let json = try Programs.coordinator(arguments + ["--json"]).json
    let summary = try #require(json["tasks"] as? [String: Any])
    let tasks = try #require(summary["tasks"] as? [[String: Any]])
    #expect(tasks.map { $0["task"] as? String } == ["first", "second"])
    #expect(json["perplexity"] == nil)
    let mean = try #require(summary["mean"] as? [String: Any])
    for metric in ["acc", "acc_norm", "acc_bytes"] {
      let values = try tasks.map { try #require($0[metric] as? Double) }
      #expect(try #require(mean[metric] as? Double) == (values[0] + values[1]) / 2)
      for (task, value) in zip(tasks, values) {
        let count = try #require(task["questions"] as? Int)
        let error = try #require(task["\(metric)_stderr"] as? Double)
        #expect(abs(error * error * Double(count - 1) - value * (1 - value)) < 1e-12)
      }
    }
    let table = try Programs.coordinator(
      arguments + ["--data", Programs.model + "/test.npy", "--samples", "4"]
    ).standardOutput.split(separator: "\n")
    #expect(table.count == 5, "\(table)")
    #expect(table[0].hasPrefix("perplexity "))
    #expect(table[1].hasPrefix("task "))
    #expect(table[2].hasPrefix("first ") && table[3].hasPrefix("second "))
    #expect(table[4].hasPrefix("mean ") && table[4].contains(" ± "))
  }

  @Test("a pruning run puts them to both models; --resume adds them to one that is there")
  func pruning() throws {
    let output = folder.path("pruned")
    let arguments = [
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "32",
      "--ratio", "0.3", "--output", output, "--quiet", "--json", "--resume",
    ]
    #expect(try Programs.coordinator(arguments).json["tasks"] == nil)
    let path = folder.path("both.answers")
    let added = try Programs.coordinator(arguments + ["--tasks", questions, "--answers", path])
    #expect(added.exitCode == 0, "\(added.standardError)")
    let tasks = try #require(try added.json["tasks"] as? [String: Any])
    for (name, model) in [("dense", Programs.model), ("pruned", output)] {
      let evaluated = try Programs.coordinator([
        "eval", "--model", model, "--tasks", questions, "--quiet", "--json",
      ])
      let expected = try #require(try evaluated.json["tasks"] as? [String: Any])
      let found = try #require(tasks[name] as? [String: Any])
      #expect(NSDictionary(dictionary: found) == NSDictionary(dictionary: expected), "\(name)")
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 2 * TaskTests.questionCount)
    let card = try String(contentsOfFile: output + "/README.md", encoding: .utf8)
    #expect(card.contains("| first | 20 | "))
    let report = try String(contentsOfFile: output + "/flap/report.html", encoding: .utf8)
    #expect(report.contains("acc_norm, pruned"))
    // Once more there is nothing to do, and what was measured stays where it is not asked for.
    let record = try Data(contentsOf: URL(fileURLWithPath: output + "/flap/run.json"))
    for again in [arguments + ["--tasks", questions], arguments] {
      let outcome = try Programs.coordinator(again)
      #expect(outcome.exitCode == 0 && outcome.standardOutput.isEmpty)
      #expect(try Data(contentsOf: URL(fileURLWithPath: output + "/flap/run.json")) == record)
    }
  }

  @Test("contexts longer than the model's window lose their beginnings, which is told once")
  func tooLong() throws {
    let long = String(repeating: "The farmer sees a wolf. ", count: 200)
    let lines = ["one", "two"].map {
      #"{"task":"t","id":"\#($0)","context":"\#(long)\#($0)","choices":["a","b"],"gold":0}"#
    }
    try write(lines + [TaskTests.question(0, seed: 1)], to: questions)
    let outcome = try Programs.coordinator([
      "eval", "--model", Programs.model, "--tasks", questions, "--quiet", "--json",
    ])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    let warnings = outcome.standardError.split(separator: "\n")
    #expect(warnings.count == 1, "\(outcome.standardError)")
    #expect(warnings.first?.hasPrefix("warning: 2 of 3 questions are longer than the 512") == true)
  }

  static let plain = #"{"task":"t","id":1,"context":"Why?","choices":["a","b"],"gold":0}"#
  static let damages: [(String, String)] = [
    ("{\"task\":", ", line 2 is not a JSON object at its byte 8: each line is one question"),
    ("{}", ", line 2 has no field \"task\""),
    (
      plain.replacing(#""gold":0"#, with: #""gold":2"#),
      ", line 2 has gold 2, and its choices are numbered 0 to 1"
    ),
    (
      plain.replacing(#"["a","b"]"#, with: "[]"),
      ", line 2 has no choices: a question has two or more"
    ),
    (plain.replacing(#""b""#, with: "\"\""), ", line 2 has an empty choice 1: "),
    (plain, ", line 2 has the id 1 of task t again, which "),
    (
      plain.replacing(#""b""#, with: "\"" + String(repeating: "so ", count: 600) + "\"")
        .replacing(":1,", with: ":2,"), ", line 2 has a choice of "
    ),
  ]

  @Test("what cannot be asked is refused with file and line", arguments: damages)
  func refused(line: String, message: String) throws {
    try write([TaskTests.plain, line], to: questions)
    let outcome = try Programs.coordinator([
      "eval", "--model", Programs.model, "--tasks", questions,
    ])
    #expect(outcome.exitCode != 0 && outcome.standardOutput.isEmpty)
    let errors = outcome.standardError.split(separator: "\n")
    #expect(errors.count == 1, "\(outcome.standardError)")
    #expect(errors[0].hasPrefix("Error: \(questions)\(message)"), "\(outcome.standardError)")
  }

  @Test("files that are none")
  func files() throws {
    let empty = folder.path("empty.jsonl")
    try write([], to: empty)
    let text = folder.path("text.txt")
    try write(["a"], to: text)
    for (arguments, message) in [
      (["--tasks", empty], "\(empty) holds no question"),
      (["--tasks", text], "\(text) is not named as a file of JSON lines is"),
      (["--tasks", folder.path("none.jsonl")], "none.jsonl"),
      ([], "give --data for a perplexity, --tasks for questions, or both"),
      (
        ["--data", Programs.model + "/test.npy", "--answers", empty], "--answers goes with --tasks"
      ),
      (["--tasks", questions, "--answers", questions], "what this command reads"),
      (["--tasks", questions, "--stride", "4"], "--stride goes with --data"),
    ] {
      let outcome = try Programs.coordinator(["eval", "--model", Programs.model] + arguments)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
  }

  // MARK: Questions

  static let questionCount = 40

  /// Of two tasks, one of several contexts.
  static func question(_ id: Int, seed: Int) -> String {
    var generator = SeededGenerator(seed: UInt64(seed))
    let words = ["farmer", "wolf", "eats", "apples", "the", "She", "he said", "quietly", "sharp"]
    func text(_ counts: ClosedRange<Int>) -> String {
      (0..<Int.random(in: counts, using: &generator)).map { _ in
        words.randomElement(using: &generator)!
      }.joined(separator: " ")
    }
    let choices = "[\"\(text(1...9))\",\"\(text(1...9))\",\"\(text(1...2))\"]"
    return id.isMultiple(of: 2)
      ? #"{"task":"first","id":\#(id),"context":"\#(text(0...60))","gold":1,"#
        + #""choices":\#(choices)}"#
      : #"{"task":"second","id":\#(id),"contexts":\#(choices),"gold":2,"#
        + #""choices":["\#(text(1...5))"]}"#
  }

  private func write(_ lines: [String], to path: String) throws {
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
  }

  /// The file of answers.
  private func answers(
    _ name: String, _ arguments: [String], whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> String {
    let path = folder.path("\(name).answers")
    let outcome = try Programs.coordinator(
      [
        "eval", "--model", Programs.model, "--tasks", questions, "--answers", path, "--quiet",
        "--json",
      ] + arguments, whileRunning: whileRunning)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    return try String(contentsOfFile: path, encoding: .utf8)
  }
}
