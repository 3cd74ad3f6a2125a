internal import Chronicle
internal import FlapCore
internal import Foundation

/// What `flap-coord status` tells.
struct StatusSummary: Encodable {
  enum State: String, Encodable {
    case running
    /// Ended before its end; what is done waits for `--resume`.
    case interrupted
    case finished
  }

  struct Phase: Encodable {
    let name: String
    let unit: String
    let fraction: Double
    let rate: Double?
    let secondsLeft: Double?
    let tasks: Int
    let tasksDone: Int
    let isStoring: Bool
    let seconds: Double?
  }

  struct Mishap: Encodable {
    let time: String
    let event: String
    let host: String?
    let worker: String?
    let attempt: String?
    let work: String?
    let reason: String?
  }

  let state: State
  /// The state in one line, and what to do.
  let line: String
  let version: String?
  let command: [String]?
  let host: String?
  let process: Int?
  let started: String?
  let lastEvent: String?
  let lives: Int?
  let phase: Phase?
  let phases: [Phase]
  let workers: [RunStory.Worker]
  let leftOut: [Mishap]
  let mishaps: [Mishap]
  let counts: RunStory.Counts
  /// Results in the journal; nil where there is none, or it cannot be read.
  let resultsKept: Int?

  init(_ state: State, line: String, _ story: RunStory, resultsKept: Int?) {
    self.state = state
    self.line = PlainText.line(line, limit: RunEvent.textLimit)
    version = story.start?.version
    command = story.start?.command
    host = story.start?.host
    process = story.start?.process
    started = story.start.map { StatusSummary.text($0.time) }
    lastEvent = story.latest.map(StatusSummary.text)
    lives = story.start?.lives
    phase = state == .finished ? nil : story.phase.map(Phase.init)
    phases = story.phases.map(Phase.init)
    workers = state == .running ? story.sortedWorkers : []
    leftOut = story.leftOut.map(Mishap.init)
    mishaps = story.mishaps.map(Mishap.init)
    counts = story.counts
    self.resultsKept = resultsKept
  }

  private static func text(_ time: Date) -> String {
    time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  /// Most workers, and most mishaps, of the table.
  private static let shownCount = 20

  var table: String {
    var lines = [line]
    if let command { lines.append("command    \(plain(command.joined(separator: " ")))") }
    if let started {
      let again = (lives ?? 1) > 1 ? ", coordinator \(lives!) of this run" : ""
      lines.append("since      \(started)\(again); last heard of \(lastEvent ?? started)")
    }
    lines += phases.suffix(StatusSummary.shownCount).map { phase in
      "done       \(plain(phase.name)): \(phase.tasks) tasks in \(seconds(phase.seconds ?? 0))"
    }
    if let phase { lines.append("phase      \(text(of: phase))") }
    if let resultsKept { lines.append("kept       \(resultsKept) results in the journal") }
    if state == .running { lines += workerLines }
    lines.append(
      "counts     joined \(counts.joined), lost \(counts.lost), refused \(counts.refused), "
        + "retried \(counts.retried), tried twice \(counts.triedTwice), stored \(counts.stored)")
    lines += leftOut.map { "left out   \(plain($0.reason ?? $0.host ?? "?"))" }
    lines += mishaps.suffix(StatusSummary.shownCount).map { "event      \(text(of: $0))" }
    return lines.joined(separator: "\n")
  }

  private var workerLines: [String] {
    var lines = ["workers    \(workers.count)"]
    for worker in workers.prefix(StatusSummary.shownCount) {
      var text = "  \(plain(worker.host))"
      if let process = worker.process { text += ", process \(process)" }
      if let threads = worker.threads { text += " × \(threads)" }
      text += ": " + (worker.task.map { plain($0) } ?? "idle")
      if let fraction = worker.fraction {
        text += ", \(PhaseProgress(total: 1, fraction: fraction, elapsedSeconds: 0).percent) %"
      }
      text += ", done \(worker.done)"
      if let bytes = worker.bytes { text += ", \(Format.bytes(bytes))" }
      if let silence = worker.silence, silence > 3 { text += ", silent for \(seconds(silence))" }
      lines.append(text)
    }
    if workers.count > StatusSummary.shownCount {
      lines.append("  and \(workers.count - StatusSummary.shownCount) more: see --json")
    }
    return lines
  }

  private func text(of phase: Phase) -> String {
    let progress = PhaseProgress(
      total: 1, fraction: phase.fraction, elapsedSeconds: 0)
    var text = "\(plain(phase.name)): "
    if phase.isStoring {
      text += "all computed, storing results"
    } else {
      text += "\(progress.percent) %"
      if let left = phase.secondsLeft, state == .running { text += ", \(seconds(left)) left" }
      if let rate = phase.rate { text += ", \(Format.rate(rate)) \(plain(phase.unit))/s" }
    }
    return text + "; \(phase.tasksDone) of \(phase.tasks) tasks stored"
  }

  private func text(of mishap: Mishap) -> String {
    var text = "\(mishap.time) \(mishap.event)"
    if let attempt = mishap.attempt { text += " [\(plain(attempt))] \(plain(mishap.work ?? ""))" }
    if let host = mishap.host { text += " on \(plain(host))" }
    if let reason = mishap.reason { text += ": \(plain(reason))" }
    return text
  }

  /// What comes from a file that others may have written.
  private func seconds(_ seconds: Double) -> String {
    Format.seconds(seconds.isFinite ? min(max(seconds, 0), 1e9) : 0)
  }

  private func plain(_ text: String) -> String { PlainText.line(text) }
}

extension StatusSummary.Phase {
  init(_ phase: RunStory.Phase) {
    let progress = phase.progress
    name = phase.name
    unit = phase.unit
    fraction = progress.fraction
    rate = progress.rate
    secondsLeft = progress.secondsLeft
    tasks = phase.tasks
    tasksDone = phase.done
    isStoring = progress.isStoring
    seconds = phase.seconds
  }
}

extension StatusSummary.Mishap {
  init(_ mishap: RunStory.Mishap) {
    time = mishap.time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    event = mishap.event.rawValue
    host = mishap.host
    worker = mishap.worker
    attempt = mishap.attempt
    work = mishap.work
    reason = mishap.reason
  }
}
