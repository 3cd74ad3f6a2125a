internal import FlapCore

/// What a model is called, as far as its path tells.
public enum ModelName {
  /// The name on the Hugging Face hub, such as `meta-llama/Llama-3.2-1B`, of a model that lies in
  /// the hub's own cache; nil for any other path.
  public static func onHub(path: String) -> String? { HubName(snapshot: path)?.id }

  /// The last part of the path, or the name on the hub without its owner.
  public static func short(path: String) -> String {
    if let name = onHub(path: path) { return String(name.split(separator: "/").last!) }
    let last = path.split(separator: "/").last { $0 != "." }
    return last.map(String.init) ?? path
  }

  /// `OWNER/NAME` or `NAME`.
  public static func isHubName(_ name: String) -> Bool {
    HubName(name).map { $0.revision == nil } ?? false
  }
}
