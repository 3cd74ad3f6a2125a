/// Whether a run goes on.
enum RunMode: Hashable, Sendable {
  case working
  /// What is in work is finished; nothing else is begun, and nobody may join.
  case draining
  /// Nothing is assigned any more.
  case over(RunEnd)

  var isOver: Bool { if case .over = self { true } else { false } }

  /// What somebody is told who comes now; nil while there may be work.
  var end: RunEnd? {
    switch self {
    case .working: nil
    case .draining: .early
    case .over(let end): end
    }
  }
}
