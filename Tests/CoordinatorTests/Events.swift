import Foundation

/// `flap/events.jsonl` of a run, watched while it grows.
struct Events {
  private let path: String

  init(_ output: String) { path = output + "/flap/events.jsonl" }

  /// Whole lines.
  var lines: [Substring] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
  }

  func count(_ event: String) -> Int {
    lines.count { $0.contains("\"event\":\"\(event)\"") }
  }

  /// The works that such events name.
  func works(_ event: String, of work: String, from first: Int = 0) -> Set<Substring> {
    Set(
      lines.dropFirst(first).filter { Events.tells($0, event, work) }.compactMap { line in
        line.split(separator: ",").first { $0.hasPrefix("\"work\":") }
      })
  }

  private static func tells(_ line: Substring, _ event: String, _ work: String) -> Bool {
    line.contains("\"event\":\"\(event)\"") && line.contains("\"work\":\"\(work)")
  }

  func wait(for event: String, of work: String, count: Int = 1, while process: Process) {
    while process.isRunning,
      lines.count(where: { Events.tells($0, event, work) }) < count
    { usleep(2000) }
  }

  func wait(forLines count: Int, while process: Process) {
    while process.isRunning, lines.count < count { usleep(2000) }
  }
}
