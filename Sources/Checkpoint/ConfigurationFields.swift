internal import FlapCore

/// A field of `config.json` that is missing, of the wrong kind, or not supported.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  public let path: String
  /// Such as `rope_scaling.factor`; empty for the file as a whole.
  public let field: String
  public let reason: String

  public var description: String {
    field.isEmpty ? "\(path) \(reason)" : "\(path): \(field) \(reason)"
  }
}

/// Typed access to a JSON object, with errors that say which field is wrong.
struct ConfigurationFields {
  private let object: [String: JSONValue]
  private let path: String
  private let prefix: String

  init(json: [UInt8], path: String) throws(ConfigurationError) {
    guard case .object(let object)? = try? JSONValue(parsing: json) else {
      throw ConfigurationError(path: path, field: "", reason: "is not a JSON object")
    }
    self.init(object: object, path: path, prefix: "")
  }

  private init(object: [String: JSONValue], path: String, prefix: String) {
    self.object = object
    self.path = path
    self.prefix = prefix
  }

  /// Sorted.
  var names: [String] { object.keys.sorted() }

  /// Under which the object stands in the one around it; empty for the file as a whole.
  var name: String { prefix.split(separator: ".").last.map(String.init) ?? "" }

  func isObject(_ field: String) -> Bool {
    if case .object = value(field) { true } else { false }
  }

  /// Neither absent nor null.
  func has(_ field: String) -> Bool { value(field) != nil }

  /// There, and null: to some fields that is a value.
  func isNull(_ field: String) -> Bool { object[field] == .null }

  /// - Throws: unless the field is absent, null or an object.
  func nested(_ field: String) throws(ConfigurationError) -> ConfigurationFields? {
    guard let value = value(field) else { return nil }
    guard case .object(let object) = value else { throw error(field, "is not an object") }
    return ConfigurationFields(object: object, path: path, prefix: "\(prefix)\(field).")
  }

  /// Objects under numbers; transformers pads these with zeros when it saves.
  func nestedByNumber() throws(ConfigurationError) -> [Int: ConfigurationFields] {
    var byNumber: [Int: ConfigurationFields] = [:]
    for name in object.keys.sorted() {
      guard let number = Int(name), number >= 0, byNumber[number] == nil else {
        throw error(name, "is no number of a layer, or a second one for the same layer")
      }
      byNumber[number] = try nested(name)
    }
    return byNumber
  }

  func texts(_ field: String) throws(ConfigurationError) -> [String]? {
    guard let value = value(field) else { return nil }
    guard case .list(let values) = value else { throw error(field, "is not a list of strings") }
    return try values.map { value throws(ConfigurationError) in
      guard case .text(let text) = value else { throw error(field, "is not a list of strings") }
      return text
    }
  }

  func text(_ field: String) throws(ConfigurationError) -> String? {
    guard let value = value(field) else { return nil }
    guard case .text(let text) = value else { throw error(field, "is not a string") }
    return text
  }

  func flag(_ field: String) throws(ConfigurationError) -> Bool? {
    guard let value = value(field) else { return nil }
    guard case .flag(let flag) = value else { throw error(field, "is neither true nor false") }
    return flag
  }

  func number(_ field: String) throws(ConfigurationError) -> Double? {
    guard let value = value(field) else { return nil }
    switch value {
    case .whole(let whole): return Double(whole)
    case .number(let number) where number.isFinite: return number
    default: throw error(field, "is not a number")
    }
  }

  func numbers(_ field: String) throws(ConfigurationError) -> [Double]? {
    guard let value = value(field) else { return nil }
    guard case .list(let values) = value else { throw error(field, "is not a list of numbers") }
    return try values.map { value throws(ConfigurationError) in
      switch value {
      case .whole(let whole): return Double(whole)
      case .number(let number) where number.isFinite: return number
      default: throw error(field, "is not a list of numbers")
      }
    }
  }

  func wholes(_ field: String) throws(ConfigurationError) -> [Int]? {
    guard let value = value(field) else { return nil }
    guard case .list(let values) = value else {
      throw error(field, "is not a list of whole numbers")
    }
    return try values.map { value throws(ConfigurationError) in
      switch value {
      case .whole(let whole): return whole
      // Python takes them for 1 and 0.
      case .flag(let flag): return flag ? 1 : 0
      default: throw error(field, "is not a list of whole numbers")
      }
    }
  }

  /// - Returns: `usual` where the field is absent.
  func positive(_ field: String, usual: Double) throws(ConfigurationError) -> Double {
    let number = try number(field) ?? usual
    guard number > 0 else { throw error(field, "is not positive") }
    return number
  }

  func positive(_ field: String) throws(ConfigurationError) -> Double {
    guard let number = try number(field), number > 0 else {
      throw error(field, "is missing or not positive")
    }
    return number
  }

  /// A count or width: 1…`Limits.dimension`.
  func size(_ field: String) throws(ConfigurationError) -> Int {
    guard let size = try sizeIfPresent(field) else { throw error(field, "is missing") }
    return size
  }

  func sizeIfPresent(_ field: String) throws(ConfigurationError) -> Int? {
    try whole(field, least: 1)
  }

  /// 0…`Limits.dimension`.
  func naturalIfPresent(_ field: String) throws(ConfigurationError) -> Int? {
    try whole(field, least: 0)
  }

  private func whole(_ field: String, least: Int) throws(ConfigurationError) -> Int? {
    guard let number = try number(field) else { return nil }
    guard number >= Double(least), number <= Double(Limits.dimension), number == number.rounded()
    else {
      throw error(field, "is not a whole number from \(least) to \(Limits.dimension)")
    }
    return Int(number)
  }

  func error(_ field: String, _ reason: String) -> ConfigurationError {
    ConfigurationError(path: path, field: prefix + field, reason: reason)
  }

  /// The same with other values under some names; nil takes a field out.
  func replacing(_ values: [String: JSONValue?]) -> ConfigurationFields {
    var object = object
    for (name, value) in values { object[name] = value }
    return ConfigurationFields(object: object, path: path, prefix: prefix)
  }

  /// nil where the field is absent or null.
  func value(_ field: String) -> JSONValue? {
    guard let value = object[field], value != .null else { return nil }
    return value
  }
}
