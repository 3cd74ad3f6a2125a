/// What a family asks of the fields of its rotary embedding.
struct RotaryRules {
  /// `rope_theta` where the file has none.
  var theta = 10000.0
  /// Whether a fraction of each head may be turned (`partial_rotary_factor`).
  var takesFraction = false
  /// `original_max_position_embeddings` where the file has none.
  var originalLength: Int?
  var types = ["default", "linear", "llama3", "yarn", "longrope"]
  /// Whether transformers 5 looks for the original length in the object alone, as with an object for each
  /// kind of layers.
  var isLayered = false
  /// Whether transformers 4.57 knows the type by `rope_type` alone.
  var wantsRopeType = false
  /// Other names of types.
  var aliases: [String: String] = [:]
  /// All that `rope_scaling` has to hold, and nothing else, for the class of transformers 4.57; nil:
  /// what its type asks for.
  var olderFields: Set<String>?
}
