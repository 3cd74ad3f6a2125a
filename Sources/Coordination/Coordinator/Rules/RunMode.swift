/// Whether a run goes on.
enum RunMode: Hashable, Sendable {
  case working
  /// What is in work is finished; nothing else is begun, and nobody may join.
  case draining
  /// Nothing is assigned any more.
  case over
}
