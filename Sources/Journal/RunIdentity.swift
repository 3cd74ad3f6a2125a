/// What a run must have in common with the one that it goes on with: model, data, options; named
/// facts, in order.
public struct RunIdentity: Sendable {
  public private(set) var facts: [(name: String, value: String)]

  public init(facts: [(name: String, value: String)] = []) { self.facts = facts }

  /// - Parameter name: as people know it: an option's name, or "model digest".
  public mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

  /// The facts by their names.
  public var dictionary: [String: String] {
    Dictionary(facts, uniquingKeysWith: { first, _ in first })
  }

  /// One line per fact that differs.
  public func differences(from earlier: RunIdentity) -> [String] {
    let now = dictionary
    let then = earlier.dictionary
    return (facts.map(\.name) + earlier.facts.map(\.name)).uniqued().compactMap { name in
      now[name] == then[name]
        ? nil : "\(name) was \(then[name] ?? "not set"), is \(now[name] ?? "not set")"
    }
  }
}

extension [String] {
  fileprivate func uniqued() -> [String] {
    var seen = Set<String>()
    return filter { seen.insert($0).inserted }
  }
}
