/// Refusals that nobody has heard of yet: the last of them, and how many there were.
struct RefusalQueue {
  private var refusals: [Refusal] = []
  private var count = 0

  mutating func append(_ refusal: Refusal) {
    count += 1
    if refusals.count == Authenticator.keptRefusalCount { refusals.removeFirst() }
    refusals.append(refusal)
  }

  /// - Returns: the last ones since the last call, oldest first, and the count of all since then.
  mutating func take() -> (refusals: [Refusal], count: Int) {
    defer { self = RefusalQueue() }
    return (refusals, count)
  }
}
