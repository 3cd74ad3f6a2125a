/// Why a worker is removed.
enum Departure: Hashable, Sendable {
  /// Its process ended.
  case died(String)
  /// Its lease ended.
  case silent(String)
  /// It beats but its work does not move.
  case hung(String)
  /// It broke the protocol.
  case misbehaved(String)
  /// It said goodbye.
  case left(String)

  var reason: String {
    switch self {
    case .died(let reason), .silent(let reason), .hung(let reason), .misbehaved(let reason),
      .left(let reason):
      reason
    }
  }

  var isSilence: Bool { if case .silent = self { true } else { false } }

  /// Whether it went on its own accord: then nobody is to blame.
  var isVoluntary: Bool { if case .left = self { true } else { false } }
}
