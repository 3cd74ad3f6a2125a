internal import FlapCore

/// What of a `config.json` is passed over, in words.
enum ConfigurationNotes {
  /// Names told in one line.
  private static let nameLimit = 12

  static func notes(_ fields: ConfigurationFields, _ family: ModelFamily)
    throws(ConfigurationError) -> [String]
  {
    let idle =
      try ConfigurationVocabulary.idle(fields, family)
      + RotaryEmbedding.idleFields(
        family.definition.globalRotaryFields(fields), family.definition.rotaryRules)
    return [foreignCode(fields, family), passedOver(idle, family)].compactMap { $0 }
  }

  private static func passedOver(_ names: [String], _ family: ModelFamily) -> String? {
    guard !names.isEmpty else { return nil }
    return "config.json has fields that a model of type \(family.modelType) has no use for, they "
      + "change nothing here: \(list(names))"
  }

  /// Code beside the weights that may compute something else than the family does.
  private static func foreignCode(_ fields: ConfigurationFields, _ family: ModelFamily) -> String? {
    guard let map = try? fields.nested("auto_map") else { return nil }
    let models = map.names.filter { $0.hasPrefix("AutoModel") || $0 == "AutoConfig" }
    let foreign = models.compactMap { name in
      (try? map.text(name)).flatMap { $0.contains("_flap.Flap\(family.className)") ? nil : $0 }
    }
    guard !foreign.isEmpty else { return nil }
    return "config.json names code of its own in auto_map (\(list(foreign))): it is not run, the "
      + "model is computed as a plain \(family.modelType), and the result is to be loaded as one"
  }

  static func list(_ names: [String]) -> String {
    let told = names.prefix(nameLimit).map { PlainText.line($0, limit: 80) }
    let more = names.count - told.count
    return told.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
  }
}
