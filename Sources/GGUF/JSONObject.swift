internal import FlapCore
internal import Foundation
internal import Storage
internal import SystemPackage

/// A small JSON file of a checkpoint's folder, looked at key by key.
struct JSONObject {
  let path: String
  private let fields: [String: Any]

  /// - Returns: nil when the file is not there.
  /// - Throws: `StorageError`, or ``GGUFError/wrongField(path:field:reason:)``.
  init?(_ path: FilePath) throws {
    guard SmallFile.exists(path) else { return nil }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    guard let fields = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
      throw GGUFError.wrongField(
        path: path.string, field: "the file", reason: "is not a JSON object: copy it again")
    }
    self.init(path: path.string, fields: fields)
  }

  private init(path: String, fields: [String: Any]) {
    self.path = path
    self.fields = fields
  }

  func text(_ key: String) -> String? { fields[key] as? String }

  func flag(_ key: String) -> Bool? { fields[key] as? Bool }

  func number(_ key: String) -> Int? { fields[key] as? Int }

  func object(_ key: String) -> JSONObject? {
    (fields[key] as? [String: Any]).map { JSONObject(path: path, fields: $0) }
  }

  func objects(_ key: String) -> [JSONObject]? {
    (fields[key] as? [[String: Any]]).map { $0.map { JSONObject(path: path, fields: $0) } }
  }

  func numbers(_ key: String) -> [Int]? { fields[key] as? [Int] }

  /// A token as these files name one: its text, or an object that holds it.
  func token(_ key: String) -> String? { text(key) ?? object(key)?.text("content") }
}
