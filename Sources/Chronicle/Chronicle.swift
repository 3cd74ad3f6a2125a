public import Coordination
public import Foundation
public import SystemPackage

/// The chronicle of a run: what happened, told as it happens to a file and to those who ask.
///
/// It never fails: without room for its file a run goes on without one.
public final class Chronicle {
  public static let fileName = "events.jsonl"
  /// The least time between two progress events in the file.
  public static let progressInterval: TimeInterval = 30
  /// The first one comes earlier, so that a short run has one, too.
  private static let firstProgress: TimeInterval = 3

  public private(set) var story = RunStory()
  private var file: FileReference?
  private let warn: (String) -> Void
  private var nextProgress: Date?

  // A file has one owner, and an optional one is easier to end than a variable of its own.
  private final class FileReference {
    var file: EventFile
    init(_ file: consuming EventFile) { self.file = file }
  }

  /// - Parameters:
  ///   - path: the file to write, which may be there from an earlier part of the run; nil: none.
  ///   - warn: told once when there will be no events.
  public init(
    _ path: FilePath?, byteLimit: Int = EventFile.byteLimit,
    warn: @escaping (String) -> Void = { _ in }
  ) {
    self.warn = warn
    guard let path else { return }
    do {
      var earlier: [RunEvent] = []
      file = FileReference(
        try EventFile(path, limit: byteLimit) { line in
          if let event = RunEvent(line: line) { earlier.append(event) }
        })
      for event in earlier { story.take(event) }
    } catch {
      giveUp(path, because: error)
    }
  }

  public func note(_ event: RunEvent) {
    write(event)
    story.take(event)
  }

  /// Task events name the worker, also where the state machine's do not.
  public func note(_ event: LogEvent, at time: Date) {
    var event = RunEvent(event, at: time)
    if event.worker == nil, let attempt = event.attempt, let holder = story.holder(of: attempt) {
      event.worker = holder.worker
      event.host = event.host ?? holder.host
    }
    note(event)
  }

  /// Notes how far a phase is, in the file only every now and then.
  public func note(progress event: RunEvent) {
    defer { story.take(event) }
    let due = nextProgress ?? event.time + Chronicle.firstProgress
    guard event.time >= due else {
      nextProgress = due
      return
    }
    // Many workers make long lines.
    let workers = TimeInterval(event.workers?.count ?? 0)
    nextProgress = event.time + max(Chronicle.progressInterval, workers)
    write(event)
  }

  private func write(_ event: RunEvent) {
    guard let file else { return }
    do {
      try file.file.append(event.line) {
        // What the event itself changes is not in the story yet.
        var head = RunEvent(.continued, at: event.time)
        head.story = story
        return head.line
      }
    } catch {
      giveUp(nil, because: error)
    }
  }

  private func giveUp(_ path: FilePath?, because error: any Error) {
    file = nil
    warn("no more events of this run are kept\(path.map { " in \($0)" } ?? ""): \(error)")
  }
}
