internal import FlapCore

extension RotaryEmbedding {
  /// `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers 5 writes them. Where both
  /// objects are there, `rope_scaling` counts, as in transformers 4.57 and 5.
  ///
  /// What the two versions read differently is refused.
  ///
  /// - Parameter headDimension: of which half are frequencies.
  init(_ fields: ConfigurationFields, headDimension: Int) throws(ConfigurationError) {
    try RotaryEmbedding.checkFraction(fields)
    let source = try RotaryEmbedding.source(fields)
    let theta = try RotaryEmbedding.theta(fields, source)
    guard let source else {
      self.init(theta: theta)
      return
    }
    try RotaryEmbedding.checkFraction(source)
    let scaling = RotaryScalingFields(
      fields: fields, source: source, isOlder: source.name == RotaryEmbedding.olderName)
    switch try RotaryEmbedding.type(source, ofOlderKind: scaling.isOlder) {
    case "default": self.init(theta: theta)
    case "linear": self.init(theta: theta, scaling: try scaling.linear())
    case "llama3": self.init(theta: theta, scaling: try scaling.llama3())
    case "yarn":
      guard theta > 1 else {
        throw source.error("rope_type", "is yarn, which needs a rope_theta above 1")
      }
      self.init(theta: theta, scaling: .yarn(try scaling.yarn()))
    case "longrope":
      self.init(
        theta: theta, scaling: .longRope(try scaling.longRope(frequencyCount: headDimension / 2)))
    case let type:
      throw source.error(
        "rope_type", "is \(type); supported are default, linear, llama3, yarn, longrope")
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

  private static func theta(_ fields: ConfigurationFields, _ source: ConfigurationFields?)
    throws(ConfigurationError) -> Double
  {
    let own = try source?.number("rope_theta")
    let global = try fields.number("rope_theta")
    if let source, let own, let global, own != global {
      throw fields.error(
        "rope_theta",
        "is \(global), and \(own) in \(source.name): transformers 4.57 takes the former, 5 the "
          + "latter; leave only one of them")
    }
    let theta = own ?? global ?? 10000
    guard theta > 0 else { throw fields.error("rope_theta", "is not positive") }
    return theta
  }

  private static func type(_ source: ConfigurationFields, ofOlderKind isOlder: Bool)
    throws(ConfigurationError) -> String
  {
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
    return type
  }

  private static func checkFraction(_ fields: ConfigurationFields) throws(ConfigurationError) {
    let fraction = try fields.number("partial_rotary_factor") ?? 1
    guard fraction == 1 else {
      throw fields.error("partial_rotary_factor", "is \(fraction); only 1 is supported")
    }
  }

  /// Fields of the two objects, and the original length beside them, that have no effect: all of an
  /// object that does not count, and what the type has no use for.
  static func idleFields(_ fields: ConfigurationFields) throws(ConfigurationError) -> [String] {
    let outer = fields.has(original) ? [original] : []
    guard let source = try source(fields) else { return outer }
    let used = RotaryScalingFields.names(
      ofType: try type(source, ofOlderKind: source.name == olderName))
    let always: Set<String> = ["rope_type", "type", "rope_theta", "partial_rotary_factor"]
    let idle =
      (used.contains(original) ? [] : outer)
      + source.names.filter { !used.contains($0) && !always.contains($0) && source.has($0) }
      .map { "\(source.name).\($0)" }
    guard source.name == olderName, let newer = try fields.nested(newerName) else { return idle }
    // Of another content than the one that counts.
    let differs = newer.names.contains { $0 != "rope_theta" && newer.value($0) != source.value($0) }
    return idle
      + (differs || newer.has("rope_theta") && !isTheta(newer, of: fields, source)
        ? [newerName] : [])
  }

  private static func isTheta(
    _ newer: ConfigurationFields, of fields: ConfigurationFields, _ source: ConfigurationFields
  ) -> Bool {
    (try? newer.number("rope_theta")) == (try? theta(fields, source))
  }

  private static let original = RotaryScalingFields.original
  private static let olderName = "rope_scaling"
  private static let newerName = "rope_parameters"
}
