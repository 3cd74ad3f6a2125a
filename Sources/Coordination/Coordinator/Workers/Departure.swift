/// Why a worker is removed.
enum Departure: Hashable, Sendable {
  /// Its process ended or its lease did.
  case died(String)
  /// It beats but its work does not move.
  case hung(String)
  /// It broke the protocol.
  case misbehaved(String)
  /// It said goodbye.
  case left(String)

  var reason: String {
    switch self {
    case .died(let reason), .hung(let reason), .misbehaved(let reason), .left(let reason):
      reason
    }
  }

  /// Whether it went on its own accord: then nobody is to blame.
  var isVoluntary: Bool { if case .left = self { true } else { false } }
}
