/// A dictionary in the order of its insertions.
struct Table: Sendable {
  private(set) var keys: [Value] = []
  private(set) var values: [Value] = []
  private(set) var extent = Extent(of: [])
  /// Of large ones only: a few keys are found as fast one by one.
  private var places: [Value: Int]?

  private static let smallCount = 16

  init() {}

  init(_ members: [(key: Value, value: Value)]) {
    for (key, value) in members { self[key] = value }
  }

  subscript(key: Value) -> Value? {
    get { place(of: key).map { values[$0] } }
    set {
      guard let newValue else { return }
      extent.add(key.extent)
      extent.add(newValue.extent)
      if let place = place(of: key) {
        values[place] = newValue
        return
      }
      keys.append(key)
      values.append(newValue)
      if places != nil {
        places?[key] = keys.count - 1
      } else if keys.count > Table.smallCount {
        places = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
      }
    }
  }

  subscript(key: String) -> Value? { self[.text(key)] }

  private func place(of key: Value) -> Int? {
    if let places { return places[key] }
    return keys.firstIndex(of: key)
  }

  var items: [Value] { zip(keys, values).map { .tuple([$0, $1]) } }
}

extension Table: Equatable {
  static func == (left: Table, right: Table) -> Bool {
    left.keys.count == right.keys.count
      && zip(left.keys, left.values).allSatisfy { right[$0] == $1 }
  }
}
