import Chronicle
import Coordination
import FlapCore
import FlapTestKit
import Foundation
import Testing

struct RunEventTests {
  @Test("whatever peers call themselves, an event is one line that a terminal can show")
  func hostileTexts() throws {
    let text = "a\n{\"event\":\"finished\"}\r\u{1B}[2J\"\\\u{85}\u{2028}\u{202E}\u{7F}é\u{0}"
    let id = WorkerID(bytes: [0x61, 0x0A, 0xFF, 0x1B])
    let line = RunEvent(.workerRefused(id, host: text, reason: text), at: .start).line
    #expect(line.unicodeScalars.filter { $0 == "\n" }.count == 1)
    #expect(line.hasSuffix("}\n"))
    let isPlain = line.dropLast().unicodeScalars.allSatisfy {
      $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) && !(0x2028...0x202E).contains($0.value)
    }
    #expect(isPlain)
    let event = try #require(RunEvent(line: line.utf8))
    #expect(event.host == text)
    #expect(event.worker == "a\n\u{FFFD}\u{1B}")
  }

  @Test("a long reason is cut")
  func longText() throws {
    let reason = String(repeating: "x", count: 1 << 20)
    let event = RunEvent(.taskFailed(LogEvent.label(1), host: "h", reason: reason), at: .start)
    #expect(event.line.utf8.count < 2000)
    #expect(RunEvent(line: event.line.utf8)?.reason?.hasSuffix("x…") == true)
  }

  @Test("time and event come first; what is written is read")
  func roundTrip() throws {
    var event = RunEvent(.progress, at: .start)
    (event.phase, event.fraction, event.units, event.done) = ("writing", 0.25, 1e12, 3)
    event.command = ["flap-coord", "--model", "a \"b\""]
    event.options = ["--ratio": "0.2"]
    var worker = RunStory.Worker(worker: "w", host: "h\u{1B}", process: 7, done: 2)
    (worker.attempt, worker.bytes) = ("12.2", 5)
    event.workers = [worker]
    #expect(
      event.line.hasPrefix(#"{"time":"2023-11-14T22:13:20.000Z","event":"progress","phase":"#))
    #expect(RunEvent(line: event.line.utf8) == event)
    #expect(!event.line.contains("\u{1B}"))
  }

  @Test("a number that JSON does not have is left out")
  func notFinite() {
    var event = RunEvent(.progress, at: .start)
    (event.fraction, event.seconds) = (.nan, .infinity)
    #expect(RunEvent(line: event.line.utf8) == RunEvent(.progress, at: .start))
  }

  @Test("damaged lines are no events, or events of which a story can be told")
  func fuzz() throws {
    var generator = SeededGenerator(seed: 1)
    let lines = RunEvent.Kind.allCases.map { kind in
      var event = RunEvent(kind, at: .start)
      (event.worker, event.host, event.attempt) = ("a", "h", "1.1")
      (event.phase, event.tasks, event.done) = ("p", 9, 9_223_372_036_854_775_807)
      (event.fraction, event.units, event.seconds) = (1e308, -1, 1e308)
      event.workers = [RunStory.Worker(worker: "a", host: "h", process: 1, done: .max)]
      event.story = RunStory()
      return Array(event.line.utf8)
    }
    var told = 0
    for _ in 0..<FuzzCount.perTest / 10 {
      var story = RunStory()
      for _ in 0..<8 {
        var line = lines.randomElement(using: &generator)!
        if Bool.random(using: &generator) {
          let position = Int.random(in: 0..<line.count, using: &generator)
          line[position] = .random(in: .min ... .max, using: &generator)
        }
        guard let event = RunEvent(line: line) else { continue }
        told += 1
        story.take(event)
        _ = story.phase?.progress.percent
        _ = RunEvent(line: event.line.utf8)
      }
    }
    #expect(told > 0)
  }
}
