/// What a model is called, as far as its path tells.
public enum ModelName {
  /// The name on the Hugging Face hub, such as `meta-llama/Llama-3.2-1B`, of a model that lies in
  /// the hub's own cache (`…/models--meta-llama--Llama-3.2-1B/snapshots/REVISION`); nil for any
  /// other path, whose last part may be anything.
  public static func onHub(path: String) -> String? {
    let parts = path.split(separator: "/")
    guard let snapshots = parts.lastIndex(of: "snapshots"), snapshots > 0 else { return nil }
    let folder = parts[snapshots - 1]
    guard folder.hasPrefix("models--") else { return nil }
    let name = String(folder.dropFirst("models--".count)).replacing("--", with: "/")
    return isHubName(name) ? name : nil
  }

  /// The last part of the path, or the name on the hub without its owner.
  public static func short(path: String) -> String {
    if let name = onHub(path: path) { return String(name.split(separator: "/").last!) }
    let last = path.split(separator: "/").last { $0 != "." }
    return last.map(String.init) ?? path
  }

  /// `OWNER/NAME` or `NAME` of letters, digits, `-`, `_` and `.`, at most 96 characters each.
  public static func isHubName(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count)
      && parts.allSatisfy { part in
        (1...96).contains(part.utf8.count) && part.first != "." && part.first != "-"
          && part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
              UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
              UInt8(ascii: "."):
              true
            default: false
            }
          }
      }
  }
}
