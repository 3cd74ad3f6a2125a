/// Which two adjacent symbols merge, in which order, and into what.
///
/// Symbols are token ids; a negative one is the complement of a Unicode scalar that is no token.
struct MergeTable: Sendable {
  /// The lowest rank merges first.
  struct Merge {
    let rank: UInt32
    let result: Int32
  }

  /// Open addressing with linear probing, at most half full.
  private var keys: [UInt64]
  private var values: [UInt64]
  private var mask: Int
  private(set) var count = 0
  /// Which scalars some merge puts side by side.
  private var joined = JoinedScalars()
  /// False when merges may join what is not side by side in the text: no place is safe then.
  var allowsSplitting = true

  /// (Int32.min, Int32.min): the complement of no scalar.
  private static let empty: UInt64 = 0x8000_0000_8000_0000

  init(capacity: Int = 0) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    keys = Array(repeating: MergeTable.empty, count: size)
    values = Array(repeating: 0, count: size)
    mask = size - 1
  }

  /// - Parameter junction: the scalars left and right of the seam; nil where they are not known.
  mutating func insert(
    left: Int32, right: Int32, rank: UInt32, result: Int32, junction: (UInt32, UInt32)?
  ) {
    if 2 * (count + 1) > keys.count { grow() }
    let key = MergeTable.key(left, right)
    let slot = slot(of: key)
    if keys[slot] == MergeTable.empty { count += 1 }
    keys[slot] = key
    values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: result))
    if let junction { joined.insert(junction.0, junction.1) } else { allowsSplitting = false }
  }

  @inline(__always)
  func merge(_ left: Int32, _ right: Int32) -> Merge? {
    let key = MergeTable.key(left, right)
    var slot = Int(truncatingIfNeeded: MergeTable.hash(key)) & mask
    while true {
      let found = keys[slot]
      if found == key {
        let value = values[slot]
        return Merge(
          rank: UInt32(value >> 32), result: Int32(bitPattern: UInt32(truncatingIfNeeded: value)))
      }
      if found == MergeTable.empty { return nil }
      slot = (slot + 1) & mask
    }
  }

  /// Whether a merge may join what ends with one scalar to what begins with another; true also for
  /// some pairs that none joins.
  @inline(__always)
  func mayJoin(_ left: UInt32, _ right: UInt32) -> Bool { joined.contains(left, right) }

  private func slot(of key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: MergeTable.hash(key)) & mask
    while keys[slot] != MergeTable.empty, keys[slot] != key { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let (oldKeys, oldValues) = (keys, values)
    keys = Array(repeating: MergeTable.empty, count: 2 * oldKeys.count)
    values = Array(repeating: 0, count: 2 * oldKeys.count)
    mask = keys.count - 1
    for index in oldKeys.indices where oldKeys[index] != MergeTable.empty {
      let slot = slot(of: oldKeys[index])
      keys[slot] = oldKeys[index]
      values[slot] = oldValues[index]
    }
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func hash(_ key: UInt64) -> UInt64 {
    let product = (key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15
    return product >> 32
  }
}

/// A set of pairs of scalars that may hold some more than were put in (a Bloom filter of one hash).
struct JoinedScalars: Sendable {
  private static let bitCount = 1 << 20
  private var words = [UInt64](repeating: 0, count: bitCount / 64)

  mutating func insert(_ left: UInt32, _ right: UInt32) {
    let bit = JoinedScalars.bit(left, right)
    words[bit >> 6] |= 1 << UInt64(bit & 63)
  }

  @inline(__always)
  func contains(_ left: UInt32, _ right: UInt32) -> Bool {
    let bit = JoinedScalars.bit(left, right)
    return words[bit >> 6] & 1 << UInt64(bit & 63) != 0
  }

  /// Pairs of ASCII lie side by side, in the first 2 KiB.
  @inline(__always)
  private static func bit(_ left: UInt32, _ right: UInt32) -> Int {
    if left | right < 0x80 { return Int(left << 7 | right) }
    let key = UInt64(left) << 32 | UInt64(right)
    return Int((key &* 0x9E37_79B9_7F4A_7C15) >> 44)
  }
}
