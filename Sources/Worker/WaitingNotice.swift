internal import Coordination
internal import Transport

/// What a worker says while it belongs to no run: soon once, then seldom.
struct WaitingNotice {
  private var due: Instant

  static let firstPause = Duration.seconds(5)
  static let pause = Duration.seconds(60)

  init(at now: Instant) { due = now + WaitingNotice.firstPause }

  /// - Parameter endpoint: where the coordinator should be.
  /// - Returns: a line for the log, if one is due.
  mutating func line(
    at now: Instant, _ endpoint: String, _ state: () throws -> ConnectingState
  ) rethrows -> String? {
    guard now >= due else { return nil }
    due = now + WaitingNotice.pause
    let reason =
      switch try state() {
      case .unanswered: "no answer from there: is the address right, is a firewall between?"
      case .refused: "nobody listens there: start flap-coord, or wait for it"
      case .turnedAway:
        "it ends the handshake: give this worker the ticket or key of that run, another one looks "
          + "like this"
      case .connected: "it has not answered yet"
      }
    return "waiting for the coordinator at \(endpoint): \(reason)"
  }
}
