/// What a model is called on the Hugging Face hub: `OWNER/NAME`, a few old ones `NAME`, and with
/// `@REVISION` another than the main revision: a branch, a tag or a commit.
public struct HubName: Hashable, Sendable, CustomStringConvertible {
  /// `OWNER/NAME` or `NAME`.
  public let id: String
  /// nil: the main one.
  public let revision: String?

  /// - Returns: nil for what the hub takes for no name (`validate_repo_id` of huggingface_hub).
  public init?(_ text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let id = parts.first, HubName.isID(id), parts.dropFirst().allSatisfy(HubName.isRevision)
    else { return nil }
    self.id = String(id)
    revision = parts.count > 1 ? String(parts[1]) : nil
  }

  /// Of a model that lies in the hub's own cache, with its commit as the revision:
  /// `…/models--meta-llama--Llama-3.2-1B/snapshots/COMMIT`.
  ///
  /// - Returns: nil for any other path, whose last part may be anything.
  public init?(snapshot path: String) {
    let parts = path.split(separator: "/")
    guard let snapshots = parts.lastIndex(of: "snapshots"), snapshots > 0,
      snapshots + 1 < parts.count, parts[snapshots - 1].hasPrefix(HubName.folderPrefix)
    else { return nil }
    let id = parts[snapshots - 1].dropFirst(HubName.folderPrefix.count).replacing("--", with: "/")
    self.init("\(id)@\(parts[snapshots + 1])")
  }

  /// `OWNER/NAME`, which an argument may be; a name alone is taken for that of a folder.
  public var hasOwner: Bool { id.contains("/") }

  /// Its folder in the hub's cache (`repo_folder_name` of huggingface_hub).
  public var folderName: String { HubName.folderPrefix + id.replacing("/", with: "--") }

  public var description: String { id + (revision.map { "@\($0)" } ?? "") }

  private static let folderPrefix = "models--"
  private static let longestID = 96
  private static let longestRevision = 255

  private static func isID(_ text: Substring) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count) && text.utf8.count <= longestID
      && !text.contains("--") && !text.contains("..") && !text.hasSuffix(".git")
      && parts.allSatisfy { part in
        !part.isEmpty && isWord(part) && ![part.first, part.last].contains { "-.".contains($0!) }
      }
  }

  /// Names of references have slashes: `refs/pr/1`.
  private static func isRevision(_ text: Substring) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return text.utf8.count <= longestRevision
      && parts.allSatisfy { !$0.isEmpty && isWord($0) && $0.first != "." && !$0.contains("..") }
  }

  /// Letters, digits, `-`, `_` and `.`.
  private static func isWord(_ text: Substring) -> Bool {
    text.utf8.allSatisfy { byte in
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
