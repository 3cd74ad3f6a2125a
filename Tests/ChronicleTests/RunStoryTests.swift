import Chronicle
import Coordination
import FlapTestKit
import Foundation
import SystemPackage
import Testing

struct RunStoryTests {
  private let chronicle = Chronicle(nil)

  @Test("who has what, what was lost, who is left out")
  func story() {
    chronicle.note(RunEvent(.started, at: .start))
    chronicle.note(.joined("a", host: "big", process: 11), at: .start)
    chronicle.note(.joined("b", host: "small", process: 12), at: .start)
    chronicle.note(.phase("writing", tasks: 3, units: 300))
    chronicle.note(.given(0, to: "a", host: "big"), at: .start)
    chronicle.note(.given(1, to: "b", host: "small"), at: .start)
    #expect(chronicle.story.sortedWorkers.map(\.task) == ["shard 0", "shard 1"])
    #expect(chronicle.story.holder(of: "1.1")?.host == "small")

    chronicle.note(.taskStored(LogEvent.label(0)), at: .start + 10)
    let b = WorkerID(bytes: [0x62])
    chronicle.note(
      .workerLost(b, host: "small", reason: "killed", holding: LogEvent.label(1)), at: .start + 11)
    chronicle.note(.taskRequeued(LogEvent.label(1)), at: .start + 11)
    chronicle.note(
      .taskFailed(LogEvent.label(1, 2), host: "big", reason: "disk full"), at: .start + 12)
    let story = chronicle.story
    #expect(story.sortedWorkers.map(\.worker) == ["a"])
    #expect(story.sortedWorkers.map(\.done) == [1])
    #expect(story.counts.lost == 1 && story.counts.retried == 1 && story.counts.stored == 1)
    #expect(story.mishaps.map(\.event) == [.workerLost, .taskFailed])
    #expect(story.mishaps.map(\.reason) == ["killed", "disk full"])
    // A third is stored after 10 s: 10 bytes a second, and 20 s to go.
    let progress = story.phase?.progress
    #expect(progress?.percent == 33)
    #expect(abs((progress?.rate ?? 0) - 10) < 0.1)
    #expect(abs((progress?.secondsLeft ?? 0) - 20) < 0.1)
  }

  @Test("events about a task name the worker")
  func workerOfTask() throws {
    let folder = try TemporaryFolder()
    let chronicle = Chronicle(.init(folder.path("events.jsonl")))
    chronicle.note(.joined("a", host: "big"), at: .start)
    chronicle.note(.given(4, 2, to: "a", host: "big"), at: .start)
    chronicle.note(.taskStored(LogEvent.label(4, 2)), at: .start)
    let text = try String(contentsOfFile: folder.path("events.jsonl"), encoding: .utf8)
    let last = try #require(text.split(separator: "\n").last)
    #expect(
      last.hasSuffix(
        #""event":"task_stored","attempt":"4.2","work":"shard 4","worker":"a","host":"big"}"#))
  }

  @Test("progress: at most every 30 s in the file, every time in the story")
  func progress() throws {
    let folder = try TemporaryFolder()
    let chronicle = Chronicle(.init(folder.path("events.jsonl")))
    chronicle.note(.phase("writing", tasks: 3, units: 300))
    for second in 0..<120 {
      var event = RunEvent(.progress, at: .start + Double(second))
      event.fraction = Double(second) / 120
      chronicle.note(progress: event)
      #expect(chronicle.story.phase?.fraction == event.fraction)
    }
    let text = try String(contentsOfFile: folder.path("events.jsonl"), encoding: .utf8)
    #expect(text.split(separator: "\n").count == 1 + 4)
  }

  @Test("mishaps are remembered up to a bound")
  func memory() {
    for number in 0..<200 {
      chronicle.note(
        .taskFailed(LogEvent.label(number), host: "h", reason: "\(number)"), at: .start)
    }
    #expect(chronicle.story.mishaps.count == RunStory.memory)
    #expect(chronicle.story.mishaps.last?.reason == "199")
  }
}

struct PhaseProgressTests {
  @Test("all is computed: results are being stored, and no time is left that could be negative")
  func storing() {
    for fraction in [1, 1.000_000_1, 2, .infinity] {
      let progress = PhaseProgress(total: 100, fraction: fraction, elapsedSeconds: 60)
      #expect(progress.secondsLeft == nil)
      #expect(progress.percent == (fraction.isFinite ? 100 : 0))
      #expect(progress.isStoring == fraction.isFinite)
    }
  }

  @Test("whatever the numbers, the time left is not negative", arguments: 0..<100)
  func neverNegative(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let numbers = [0, -1, 1e-300, 0.5, 1, 1e300, .nan, Double.random(in: 0...1, using: &generator)]
    for fraction in numbers {
      for seconds in numbers {
        let progress = PhaseProgress(total: 10, fraction: fraction, elapsedSeconds: seconds)
        #expect((progress.secondsLeft ?? 0) >= 0)
        #expect((0...100).contains(progress.percent))
      }
    }
  }
}
