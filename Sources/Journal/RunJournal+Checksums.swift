public import FlapCore
internal import GRDB

/// The checksums of the model's tensors, by which a resumed run knows that the model is the same.
extension RunJournal {
  /// What was noted so far, by the tensors' names.
  public func checksums() throws -> [String: Checksum] {
    try rows("SELECT name, checksum FROM tensor").reduce(into: [:]) { checksums, row in
      guard let name = String.fromDatabaseValue(row[0]),
        let checksum = String.fromDatabaseValue(row[1]).flatMap(Checksum.init(hexadecimal:))
      else { throw damage("a checksum that cannot be read: \(row[0])") }
      checksums[name] = checksum
    }
  }

  /// Notes some more; when this returns, they survive a power cut.
  public func note(_ checksums: [String: Checksum]) throws {
    try RunJournal.wrapping(folder) {
      try database.write { database in
        let insert = try database.cachedStatement(
          sql: "INSERT OR REPLACE INTO tensor VALUES (?, ?)")
        for (name, checksum) in checksums {
          try insert.execute(arguments: [name, checksum.hexadecimal])
        }
      }
    }
  }
}
