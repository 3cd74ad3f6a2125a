/// Which samples and products a sum has from which maps are fitted.
public enum SumKind: Int, Hashable, Sendable, CaseIterable {
  /// ``SecondMoments`` of leaves that are not held out.
  case kept = 0
  /// ``SecondMoments`` of leaves that are.
  case heldOut = 1
  /// ``TargetMoments`` of all leaves.
  case targets = 2
}
