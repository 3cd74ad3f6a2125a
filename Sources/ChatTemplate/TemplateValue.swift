/// What a template is given: a value of JSON whose objects keep their order.
public enum TemplateValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  /// Valid UTF-8.
  case text([UInt8])
  case list([TemplateValue])
  case object(Members)

  /// Members in their order; of a key that stands twice the last value counts, as in Python.
  public struct Members: Hashable, Sendable {
    public private(set) var keys: [[UInt8]] = []
    public private(set) var values: [TemplateValue] = []
    /// Of many only: a few keys are found as fast one by one.
    private var places: [[UInt8]: Int]?

    private static let fewCount = 16

    public init() {}

    public mutating func set(_ value: TemplateValue, for key: [UInt8]) {
      if let place = place(of: key) {
        values[place] = value
        return
      }
      keys.append(key)
      values.append(value)
      if places != nil {
        places?[key] = keys.count - 1
      } else if keys.count > Members.fewCount {
        places = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
      }
    }

    public subscript(key: String) -> TemplateValue? {
      place(of: Array(key.utf8)).map { values[$0] }
    }

    private func place(of key: [UInt8]) -> Int? {
      if let places { return places[key] }
      return keys.firstIndex(of: key)
    }
  }

  public static func text(_ text: String) -> TemplateValue { .text(Array(text.utf8)) }
}

extension TemplateValue.Members: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral members: (String, TemplateValue)...) {
    for (key, value) in members { set(value, for: Array(key.utf8)) }
  }
}
