internal import FlapCore

/// Numbers of layers as people write them: `0,1,30-31`, counted from 0.
public enum LayerNumbers {
  /// - Returns: nil for anything but numbers and ranges of them.
  public static func layers(in text: String) -> Set<Int>? {
    var layers: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        0 <= first, first <= last, last < Limits.layerCount
      else { return nil }
      layers.formUnion(first...last)
    }
    return layers
  }

  /// In the fewest parts.
  public static func text(_ layers: Set<Int>) -> String {
    var parts: [ClosedRange<Int>] = []
    for layer in layers.sorted() {
      if let last = parts.last, last.upperBound + 1 == layer {
        parts[parts.count - 1] = last.lowerBound...layer
      } else {
        parts.append(layer...layer)
      }
    }
    return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }
}
