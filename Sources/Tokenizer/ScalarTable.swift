/// The token of every single scalar that is one.
struct ScalarTable: Sendable {
  /// Those of the Basic Multilingual Plane; -1 for none.
  private var near = [Int32](repeating: -1, count: 0x10000)
  private var far: [UInt32: Int32] = [:]

  subscript(value: UInt32) -> Int32? {
    get {
      guard value < 0x10000 else { return far[value] }
      let id = near[Int(value)]
      return id >= 0 ? id : nil
    }
    set {
      if value < 0x10000 { near[Int(value)] = newValue ?? -1 } else { far[value] = newValue }
    }
  }
}
