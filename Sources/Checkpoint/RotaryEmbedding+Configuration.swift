internal import FlapCore

extension RotaryEmbedding {
  /// `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers 5 writes them. Where both
  /// objects are there, `rope_scaling` counts, as in transformers 4.57 and 5.
  ///
  /// What the two versions read differently is refused.
  ///
  /// - Parameter headDimension: of which half are frequencies.
  init(_ fields: ConfigurationFields, headDimension: Int, _ rules: RotaryRules = RotaryRules())
    throws(ConfigurationError)
  {
    let source = try RotaryEmbedding.source(fields)
    let theta = try RotaryEmbedding.theta(fields, source, rules)
    let turned = try RotaryEmbedding.turnedDimension(fields, source, headDimension, rules)
    self.init(theta: theta, rotatedDimension: turned == headDimension ? nil : turned)
    guard let source else { return }
    let scaling = RotaryScalingFields(
      fields: fields, source: source, isOlder: source.name == RotaryEmbedding.olderName,
      originalLength: rules.originalLength, isLayered: rules.isLayered)
    if scaling.isOlder, let names = rules.olderFields, Set(source.names) != names {
      throw fields.error(
        RotaryEmbedding.olderName,
        "has other fields than \(names.sorted().joined(separator: ", ")): transformers 4.57 does "
          + "not load such a model")
    }
    if scaling.isOlder, rules.wantsRopeType, !source.has("rope_type") {
      throw source.error(
        "rope_type", "is missing: transformers 4.57 does not load such a model; name the type so")
    }
    let type = try RotaryEmbedding.type(source, ofOlderKind: scaling.isOlder, rules)
    guard rules.types.contains(type) else {
      throw source.error(
        "rope_type", "is \(type); supported are \(rules.types.joined(separator: ", "))")
    }
    switch type {
    case "linear": self.scaling = try scaling.linear()
    case "llama3": self.scaling = try scaling.llama3()
    case "yarn":
      guard theta > 1 else {
        throw source.error("rope_type", "is yarn, which needs a rope_theta above 1")
      }
      self.scaling = .yarn(try scaling.yarn())
    case "longrope": self.scaling = .longRope(try scaling.longRope(frequencyCount: turned / 2))
    default: break
    }
  }

  /// The object that counts; nil: none.
  private static func source(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> ConfigurationFields?
  {
    let newer = try fields.nested(newerName)
    // An empty one is none: transformers 5 takes it so, and 4.57 loads no such model.
    let older = try fields.nested(olderName)
    guard let source = older.flatMap({ $0.names.isEmpty ? nil : $0 }) ?? newer else { return nil }
    if let nested = source.names.first(where: source.isObject) {
      throw source.error(nested, "is an object: one rotary embedding for all layers is supported")
    }
    return source
  }

  private static func theta(
    _ fields: ConfigurationFields, _ source: ConfigurationFields?, _ rules: RotaryRules
  ) throws(ConfigurationError) -> Double {
    let own = try source?.number("rope_theta")
    let global = try fields.number("rope_theta")
    if let source, let own, let global, own != global {
      throw fields.error(
        "rope_theta",
        "is \(global), and \(own) in \(source.name): transformers 4.57 takes the former, 5 the "
          + "latter; leave only one of them")
    }
    if let source, source.name == olderName, let own, global == nil, own != rules.theta {
      throw source.error(
        "rope_theta",
        "is \(own), and there is none beside \(source.name): transformers 4.57 takes \(rules.theta), "
          + "5 the former; name it beside \(source.name)")
    }
    let theta = own ?? global ?? rules.theta
    guard theta > 0 else { throw fields.error("rope_theta", "is not positive") }
    return theta
  }

  private static func type(
    _ source: ConfigurationFields, ofOlderKind isOlder: Bool, _ rules: RotaryRules
  ) throws(ConfigurationError) -> String {
    let newer = try source.text("rope_type")
    let older = try source.text("type")
    if let newer, let older, newer != older {
      throw source.error(
        "type",
        "is \(older), and rope_type \(newer): versions of transformers differ in which they take; "
          + "leave only rope_type")
    }
    guard let type = newer ?? older ?? (isOlder ? nil : "default") else {
      throw source.error(
        "rope_type",
        "is missing: transformers 4.57 does not load such a model, 5 scales nothing; name the type")
    }
    return rules.aliases[type] ?? type
  }

  /// Channels of each head that are turned: ⌊head dimension · `partial_rotary_factor`⌋.
  private static func turnedDimension(
    _ fields: ConfigurationFields, _ source: ConfigurationFields?, _ headDimension: Int,
    _ rules: RotaryRules
  ) throws(ConfigurationError) -> Int {
    for named in [fields, source].compactMap({ $0 }) where !rules.takesFraction {
      let fraction = try named.number(fraction) ?? 1
      guard fraction == 1 else {
        throw named.error(self.fraction, "is \(fraction); only 1 is supported")
      }
    }
    let outer = try fields.number(fraction)
    let inner = try source?.number(fraction)
    if let outer, let inner, outer != inner {
      throw fields.error(
        fraction, "is \(outer), and \(inner) in \(source?.name ?? ""); leave only one of them")
    }
    let share = outer ?? inner ?? 1
    let turned = share * Double(headDimension)
    guard turned >= 2, share <= 1, Int(turned) % 2 == 0 else {
      throw fields.error(
        fraction, "is \(share): of \(headDimension) channels an even number is to be turned")
    }
    return Int(turned)
  }

  /// Fields of the two objects, and the original length beside them, that have no effect: all of an
  /// object that does not count, and what the type has no use for.
  static func idleFields(_ fields: ConfigurationFields, _ rules: RotaryRules = RotaryRules())
    throws(ConfigurationError) -> [String]
  {
    let outer = fields.has(original) && rules.originalLength == nil ? [original] : []
    guard let source = try source(fields) else { return outer }
    let used = RotaryScalingFields.names(
      ofType: try type(source, ofOlderKind: source.name == olderName, rules))
    let always: Set<String> = ["rope_type", "type", "rope_theta", fraction]
    let idle =
      (used.contains(original) ? [] : outer)
      + source.names.filter { !used.contains($0) && !always.contains($0) && source.has($0) }
      .map { "\(source.name).\($0)" }
    guard source.name == olderName, let newer = try fields.nested(newerName) else { return idle }
    // Of another content than the one that counts.
    let differs = newer.names.contains { $0 != "rope_theta" && newer.value($0) != source.value($0) }
    return idle
      + (differs || newer.has("rope_theta") && !isTheta(newer, of: fields, source, rules)
        ? [newerName] : [])
  }

  private static func isTheta(
    _ newer: ConfigurationFields, of fields: ConfigurationFields, _ source: ConfigurationFields,
    _ rules: RotaryRules
  ) -> Bool {
    (try? newer.number("rope_theta")) == (try? theta(fields, source, rules))
  }

  private static let original = RotaryScalingFields.original
  private static let fraction = "partial_rotary_factor"
  private static let olderName = "rope_scaling"
  private static let newerName = "rope_parameters"
}
