public struct TreeNode: Hashable, Sendable {
  public let level: Int
  public let index: Int
  public init(level: Int, index: Int) {
    self.level = level
    self.index = index
  }
}
