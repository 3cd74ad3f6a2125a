import FlapTestKit
import Foundation

/// Workers that join a run by its ticket, and may be on any host: their sums go from one to the next.
final class JoiningWorkers {
  private let ticket: String
  private(set) var processes: [Process] = []

  /// - Parameter ticket: a file that the coordinator writes.
  init(ticket: String) {
    self.ticket = ticket
    try? FileManager.default.removeItem(atPath: ticket)
  }

  /// Of the coordinator.
  var options: [String] {
    ["--launcher", "none", "--listen", "127.0.0.1", "--connect-file", ticket]
  }

  /// Once the coordinator has written the ticket.
  func join(_ count: Int, threads: Int = 1, _ coordinator: Process) throws {
    while coordinator.isRunning, !FileManager.default.fileExists(atPath: ticket) { usleep(5000) }
    guard coordinator.isRunning else { return }
    for _ in 0..<count {
      processes.append(
        try Programs.worker(["--connect-file", ticket, "--threads", "\(threads)"]))
    }
  }

  /// Kills one and has another join.
  ///
  /// - Returns: whether it was alive.
  func replace(at index: Int) throws -> Bool {
    let isKilled = kill(processes[index].processIdentifier, SIGKILL) == 0
    processes[index].waitUntilExit()
    processes[index] = try Programs.worker(["--connect-file", ticket, "--threads", "1"])
    return isKilled
  }

  func waitUntilExit() {
    for process in processes { process.waitUntilExit() }
  }

  /// Their coordinator is gone.
  func end() {
    for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
    waitUntilExit()
  }
}
