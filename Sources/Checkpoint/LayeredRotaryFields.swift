internal import FlapCore

/// `rope_parameters` of two kinds of layers, as transformers 5 writes them of Gemma 3 and OLMo 3:
/// an object for `full_attention` and one for `sliding_attention`.
struct LayeredRotaryFields {
  /// With those of full attention where families of one embedding have theirs.
  let global: ConfigurationFields
  private let fields: ConfigurationFields
  /// Of sliding attention; nil: the file has none.
  private let sliding: ConfigurationFields?

  private static let name = "rope_parameters"

  init(_ fields: ConfigurationFields) throws(ConfigurationError) {
    self.fields = fields
    guard let newer = try fields.nested(LayeredRotaryFields.name), !newer.names.isEmpty else {
      global = fields
      sliding = nil
      return
    }
    for name in newer.names where ![LayerTypes.full, LayerTypes.sliding].contains(name) {
      throw newer.error(
        name,
        "is none of the kinds of layers that this family has: \(LayerTypes.full), "
          + LayerTypes.sliding)
    }
    global = fields.replacing([LayeredRotaryFields.name: newer.value(LayerTypes.full)])
    sliding = try newer.nested(LayerTypes.sliding)
  }

  /// `rope_theta` of the layers with a window, where `rope_parameters` tell it.
  var slidingTheta: Double? {
    get throws(ConfigurationError) { try sliding?.number("rope_theta") }
  }

  /// The embedding of layers with a window, which transformers 4.57 never scales.
  ///
  /// - Parameter theta: as older files name it.
  func local(theta: JSONValue?, headDimension: Int, _ rules: RotaryRules)
    throws(ConfigurationError) -> RotaryEmbedding
  {
    let parameters = try fields.nested(LayeredRotaryFields.name)?.value(LayerTypes.sliding)
    let local = try RotaryEmbedding(
      fields.replacing([
        LayeredRotaryFields.name: parameters, "rope_scaling": nil, "rope_theta": theta,
      ]), headDimension: headDimension, rules)
    guard local.scaling == .none else {
      throw fields.error(
        LayeredRotaryFields.name,
        "scales \(LayerTypes.sliding), which transformers 4.57 does not do in this family")
    }
    return local
  }
}
