import Chronicle
import Coordination
import FlapTestKit
import Foundation
import SystemPackage
import Testing

struct EventFileTests {
  private let folder: TemporaryFolder
  private var path: FilePath { FilePath(folder.path("events.jsonl")) }

  init() throws { folder = try TemporaryFolder() }

  private func lines(_ name: String = "events.jsonl") throws -> [RunEvent] {
    try String(contentsOfFile: folder.path(name), encoding: .utf8).split(separator: "\n").map {
      try #require(RunEvent(line: $0.utf8), "\($0)")
    }
  }

  @Test("two files at the most, each within the bound, and the newer tells the whole story")
  func bound() throws {
    let limit = 20_000
    let chronicle = Chronicle(path, byteLimit: limit) { Issue.record("\($0)") }
    chronicle.note(RunEvent(.started, at: .start))
    chronicle.note(.joined("a", host: "big"), at: .start)
    chronicle.note(.phase("writing", tasks: 2000, units: 1))
    for number in 0..<1000 {
      chronicle.note(.given(number, to: "a", host: "big"), at: .start)
      chronicle.note(.taskStored(LogEvent.label(number)), at: .start)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.sorted() == ["events.1.jsonl", "events.jsonl"])
    for name in names {
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.path(name))
      #expect(try #require(attributes[.size] as? Int) <= limit)
      #expect(try lines(name).count > 50)
    }
    #expect(try lines().first?.kind == .continued)
    let story = RunStory(eventsIn: FilePath(folder.path))
    #expect(story == chronicle.story)
    #expect(story.counts.stored == 1000)
    #expect(story.phase?.done == 1000)
    #expect(story.sortedWorkers.map(\.done) == [1000])
    #expect(story.start != nil)
  }

  @Test("a file goes on where an earlier part of the run ended, less the line that a crash has cut")
  func resumed() throws {
    let first = Chronicle(path)
    first.note(RunEvent(.started, at: .start))
    first.note(.joined("a", host: "big"), at: .start)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path.string))
    try file.seekToEnd()
    try file.write(contentsOf: Data(#"{"time":"2026"#.utf8))
    let second = Chronicle(path)
    #expect(second.story == first.story)
    second.note(RunEvent(.resumed, at: .start))
    #expect(try lines().map(\.kind) == [.started, .workerJoined, .resumed])
    #expect(second.story.start?.lives == 2)
    #expect(second.story.workers.isEmpty)
  }

  @Test("a full disk: one warning, whole lines, and the story goes on")
  func fullDisk() throws {
    var warnings: [String] = []
    // A folder in the file's place, and a device that is always full.
    for path in [FilePath(folder.path), "/dev/full", "/nonexistent/events.jsonl"] {
      let chronicle = Chronicle(path) { warnings.append($0) }
      chronicle.note(.joined("a", host: "big"), at: .start)
      chronicle.note(.joined("b", host: "big"), at: .start)
      #expect(chronicle.story.workers.count == 2)
    }
    #expect(warnings.count == 3)
  }

  @Test("a link in the file's place is not followed")
  func link() throws {
    let victim = try folder.write(Array("kept".utf8), to: "victim")
    try FileManager.default.createSymbolicLink(atPath: path.string, withDestinationPath: victim)
    var warnings = 0
    let chronicle = Chronicle(path) { _ in warnings += 1 }
    chronicle.note(RunEvent(.started, at: .start))
    #expect(warnings == 1)
    #expect(try String(contentsOfFile: victim, encoding: .utf8) == "kept")
  }
}
