/// Why a run cannot be resumed.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The journal is of a run with another model, other data or other options.
  case otherRun(String, [String])
  case damaged(String, String)
  /// The journal is of a version of flap that kept other things.
  case otherVersion(String)

  public var description: String {
    switch self {
    case .otherRun(let folder, let differences):
      "\(folder) is of another run: \(differences.joined(separator: "; ")): give the same model, "
        + "data and options to --resume, or another --output"
    case .otherVersion(let folder):
      "\(folder) was left by a run of another version of flap, which alone can resume it: finish it "
        + "with that version, or remove its folder and start again"
    case .damaged(let path, let reason):
      "the journal \(path) cannot be used (\(reason)): remove its folder and start again"
    }
  }
}
