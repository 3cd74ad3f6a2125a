internal import FlapCore
internal import Pruning

/// The result of `inspect`: named facts, in order; for people in words, in JSON as numbers.
struct InspectionSummary: Encodable {
  enum Value: Encodable {
    case text(String)
    case count(Int)
    /// So large that people see it rounded.
    case amount(Int)
    case bytes(Int)
    case share(Double)
    case flag(Bool)
    case list([Int])
    /// One of each layer; for people one number where all are equal.
    case perLayer([Int])
    case tensor(ElementType, [Int])

    var text: String {
      switch self {
      case .text(let text): text
      case .count(let count): "\(count)"
      case .amount(let count): Format.count(count)
      case .bytes(let count): Format.bytes(count)
      case .share(let share): Format.percent(share)
      case .flag(let flag): "\(flag)"
      case .list(let numbers): numbers.map(String.init).joined(separator: " ")
      case .perLayer(let numbers):
        Set(numbers).count == 1 ? "\(numbers[0])" : Value.list(numbers).text
      case .tensor(let type, let shape): "\(type.rawValue) \(shape)"
      }
    }

    private struct Tensor: Encodable {
      let type: String
      let shape: [Int]
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .count(let count), .amount(let count), .bytes(let count): try container.encode(count)
      case .share(let share): try container.encode(share)
      case .flag(let flag): try container.encode(flag)
      case .list(let numbers), .perLayer(let numbers): try container.encode(numbers)
      case .tensor(let type, let shape):
        try container.encode(Tensor(type: type.rawValue, shape: shape))
      }
    }
  }

  private var facts: [(name: String, value: Value)]

  init(_ kind: String) { facts = [("kind", .text(kind))] }

  mutating func add(_ name: String, _ value: Value) { facts.append((name, value)) }
  mutating func add(_ name: String, _ text: String) { add(name, .text(text)) }
  mutating func add(_ name: String, _ count: Int) { add(name, .count(count)) }

  mutating func add(_ shape: ModelShape) {
    add("parameters", .amount(shape.parameterCount))
    add("decoder parameters", .amount(shape.decoderParameterCount))
    add("hidden size", shape.hiddenSize)
    add("head dimension", shape.headDimension)
    add("vocabulary", shape.vocabularySize)
    add("layers", shape.layers.count)
    add("heads per layer", .perLayer(shape.layers.map(\.headCount)))
    add("groups per layer", .perLayer(shape.layers.map(\.keyValueHeadCount)))
    add("neurons per layer", .perLayer(shape.layers.map(\.intermediateSize)))
    guard shape.hasExperts else { return }
    add("experts per layer", .perLayer(shape.layers.map { $0.experts?.count ?? 0 }))
    add(
      "experts per token", .perLayer(shape.layers.map { $0.experts?.countPerToken ?? 0 }))
  }

  var table: String {
    let width = facts.map(\.name.count).max() ?? 0
    return facts.map { Format.leading($0.name, width + 2) + $0.value.text }.joined(separator: "\n")
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for fact in facts { try container.encode(fact.value, forKey: Key(fact.name)) }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name.replacing(" ", with: "_") }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }
}
