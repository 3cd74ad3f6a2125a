/// The version of the programs; both sides of a run should have the same.
public enum SoftwareVersion {
  public static let current = "0.1.0"
}
