public import Coordination
import Statistics

/// A disk and a journal that outlive their coordinator, and fail as the simulation wants.
public final class VirtualDisk: LedgerStorage, @unchecked Sendable {
  // Unchecked: a simulation is one thread.

  /// The coordinator died in the middle of an operation.
  struct PowerCut: Error {}
  /// There was no space.
  struct Full: Error {}

  public private(set) var files: [String: [UInt8]] = [:]
  public private(set) var records: [LedgerKey: LedgerRecord] = [:]
  /// Operations that succeed before the power is cut; nil for never.
  var operationsUntilPowerCut: Int?
  var isFull = false
  /// A planted bug: what a merge makes superfluous stays in the journal.
  var forgetsToRemove = false
  /// A planted bug: nothing reaches the disk before the next restart but what is asked for later.
  var writesLate = false
  /// A planted bug: a restart finds nothing that was measured of maps.
  var losesMaps = false
  private var late: [() -> Void] = []

  public init() {}

  public func write(_ fileName: String, _ body: (Append) throws -> Bool) throws -> Bool {
    try fail()
    var written: [UInt8] = []
    let isWanted = try body { bytes in
      try fail()
      if isFull { throw Full() }
      written += bytes
    }
    guard isWanted else { return false }
    try fail()
    files[fileName] = written
    return true
  }

  public func read(_ fileName: String, _ bytes: Range<Int>) throws -> [UInt8] {
    try fail()
    guard let file = files[fileName], bytes.upperBound <= file.count else { return [] }
    return Array(file[bytes])
  }

  public func commit(_ records: [LedgerRecord], removing: [LedgerKey]) throws {
    try fail()
    if isFull { throw Full() }
    let apply = { [self] in
      if !forgetsToRemove { for key in removing { self.records[key] = nil } }
      for record in records { self.records[record.key] = record }
    }
    if writesLate {
      late.append(apply)
      if late.count > 2 { late.removeFirst()() }
    } else {
      apply()
    }
  }

  public func remove(_ fileName: String) {
    if operationsUntilPowerCut != 0 { files[fileName] = nil }
  }

  /// The coordinator starts again.
  func restart() {
    operationsUntilPowerCut = nil
    late = []
    if losesMaps {
      records = records.filter { key, _ in
        if case .statistic(let key) = key { key.kind != VirtualMap.kind } else { true }
      }
    }
    let named = Set(records.values.map(\.fileName))
    files = files.filter { named.contains($0.key) }
  }

  private func fail() throws {
    guard let left = operationsUntilPowerCut else { return }
    guard left > 0 else { throw PowerCut() }
    operationsUntilPowerCut = left - 1
  }
}
