/// Byte strings with a number each, in one block of memory: a vocabulary, or the words seen lately.
struct ByteStringTable: Sendable {
  private struct Entry {
    var start: UInt32
    var byteCount: UInt32
    var value: Int32
    var check: UInt32
  }

  private var text: [UInt8] = []
  private var entries: [Entry] = []
  /// Open addressing with linear probing, at most half full: 1 + index of the entry, 0 for none.
  private var slots: [UInt32]
  private var mask: Int

  init(capacity: Int = 0) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = Array(repeating: 0, count: size)
    mask = size - 1
  }

  var count: Int { entries.count }
  var textByteCount: Int { text.count }

  /// The bytes of all strings together must stay below this.
  static let textByteLimit = Int(UInt32.max)

  @inline(__always)
  func value(of string: UTF8Text) -> Int32? {
    value(of: string, hash: ByteStringTable.hash(string))
  }

  @inline(__always)
  func value(of string: UTF8Text, hash: UInt64) -> Int32? {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while true {
      let index = Int(slots[slot])
      guard index > 0 else { return nil }
      let entry = entries[index - 1]
      if entry.check == UInt32(hash >> 32), entry.byteCount == string.count,
        isEqual(entry, string)
      {
        return entry.value
      }
      slot = (slot + 1) & mask
    }
  }

  /// - Precondition: the string is not in the table, and the text stays below its limit.
  mutating func insert(_ string: UTF8Text, hash: UInt64, value: Int32) {
    precondition(text.count + string.count < ByteStringTable.textByteLimit)
    if 2 * (entries.count + 1) > slots.count { grow() }
    entries.append(
      Entry(
        start: UInt32(text.count), byteCount: UInt32(string.count), value: value,
        check: UInt32(hash >> 32)))
    text.append(contentsOf: string)
    place(entries.count, hash: hash)
  }

  /// - Returns: false when the string is there already; then nothing changes.
  mutating func insert(_ string: [UInt8], value: Int32) -> Bool {
    string.withUnsafeBufferPointer { string in
      let hash = ByteStringTable.hash(string)
      guard self.value(of: string, hash: hash) == nil else { return false }
      insert(string, hash: hash, value: value)
      return true
    }
  }

  func value(of string: [UInt8]) -> Int32? {
    string.withUnsafeBufferPointer { value(of: $0) }
  }

  mutating func removeAll() {
    text.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    for slot in slots.indices { slots[slot] = 0 }
  }

  private mutating func place(_ index: Int, hash: UInt64) {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(index)
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: 2 * slots.count)
    mask = slots.count - 1
    for (index, entry) in entries.enumerated() {
      let range = Int(entry.start)..<Int(entry.start) + Int(entry.byteCount)
      let hash = text.withUnsafeBufferPointer { ByteStringTable.hash($0[range]) }
      place(index + 1, hash: hash)
    }
  }

  @inline(__always)
  private func isEqual(_ entry: Entry, _ string: UTF8Text) -> Bool {
    text.withUnsafeBufferPointer { text in
      let stored = UnsafeRawPointer(text.baseAddress! + Int(entry.start))
      let given = UnsafeRawPointer(string.baseAddress!)
      var index = 0
      while index + 8 <= string.count {
        guard
          stored.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            == given.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        else { return false }
        index += 8
      }
      while index < string.count {
        guard
          stored.load(fromByteOffset: index, as: UInt8.self)
            == given.load(fromByteOffset: index, as: UInt8.self)
        else { return false }
        index += 1
      }
      return true
    }
  }

  @inline(__always)
  static func hash(_ string: UTF8Text) -> UInt64 {
    var hash = UInt64(truncatingIfNeeded: string.count) &* 0x9E37_79B9_7F4A_7C15
    guard let start = string.baseAddress else { return hash }
    let raw = UnsafeRawPointer(start)
    var index = 0
    while index + 8 <= string.count {
      hash = mixed(hash, raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      index += 8
    }
    var rest: UInt64 = 0
    while index < string.count {
      rest = rest << 8 | UInt64(raw.load(fromByteOffset: index, as: UInt8.self))
      index += 1
    }
    return mixed(hash, rest)
  }

  @inline(__always)
  private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let product = (hash ^ word).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
    return product.high ^ product.low ^ 0xE703_7ED1_A0B4_28DB
  }
}
