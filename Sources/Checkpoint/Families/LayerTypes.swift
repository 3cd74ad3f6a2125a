/// `layer_types`: which layers attend over a window.
enum LayerTypes {
  static let full = "full_attention"
  static let sliding = "sliding_attention"

  /// - Parameter window: of the layers that have one; nil: none is in use.
  /// - Returns: nil where the file has no such field.
  static func windows(_ fields: ConfigurationFields, window: Int?, layerCount: Int)
    throws(ConfigurationError) -> [Int?]?
  {
    guard let types = try fields.texts("layer_types") else { return nil }
    guard types.count == layerCount else {
      throw fields.error(
        "layer_types", "names \(types.count) layers, where num_hidden_layers is \(layerCount)")
    }
    var windows: [Int?] = []
    for type in types {
      switch type {
      case full: windows.append(nil)
      case sliding:
        guard let window else {
          throw fields.error(
            "layer_types", "names \(sliding), but no window is in use (sliding_window)")
        }
        windows.append(window)
      default:
        throw fields.error(
          "layer_types", "names \(type); supported are \(full), \(sliding)")
      }
    }
    return windows
  }
}
