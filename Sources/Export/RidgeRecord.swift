internal import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// With which ridge a map was fitted.
public struct MapRidge: Hashable, Sendable {
  public var place: TapPlace
  /// λ, relative to each channel's variance.
  public var ridge: Double
  /// Whether it is larger than the one that was chosen, with which C did not factor.
  public var isRaised: Bool

  public init(place: TapPlace, ridge: Double, isRaised: Bool) {
    self.place = place
    self.ridge = ridge
    self.isRaised = isRaised
  }
}

/// `flap/ridges/SHARD.txt` in the output folder: the ridges of the maps that the shard's writer has
/// fitted. It is written before the shard counts, so that it is there whenever the shard is; for people
/// alone, no result depends on it.
///
/// A map a line: its layer, its tap's module, λ, and `raised` where it is.
public enum RidgeRecord {
  /// Of all layers' maps, many times over.
  private static let byteLimit = 1 << 20

  public static func folder(in output: FilePath) -> FilePath {
    output.appending("flap").appending("ridges")
  }

  /// - Parameter attempt: keeps apart workers that write at the same time.
  public static func write(
    _ ridges: [MapRidge], ofShard fileName: String, in output: FilePath, attempt: String
  ) throws {
    let folder = folder(in: output)
    try Folder.make(folder)
    let lines = ridges.map { ridge in
      "\(ridge.place.layer) \(ridge.place.tap.moduleName) \(ridge.ridge)"
        + (ridge.isRaised ? " raised\n" : "\n")
    }
    var file = try AtomicFile(destination: folder.appending(fileName + ".txt"), attempt: attempt)
    try file.write(Array(lines.joined().utf8))
    _ = try file.commit()
  }

  /// Of all shards, in the order of the maps; without what cannot be read.
  public static func read(in output: FilePath) -> [MapRidge] {
    let folder = folder(in: output)
    let names = (try? Folder.entries(of: folder).filter { $0.hasSuffix(".txt") }) ?? []
    var ridges: [TapPlace: MapRidge] = [:]
    for name in names {
      guard let bytes = try? SmallFile.read(folder.appending(name), limit: byteLimit) else {
        continue
      }
      for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        if let ridge = MapRidge(line) { ridges[ridge.place] = ridge }
      }
    }
    return ridges.values.sorted { $0.place.step < $1.place.step }
  }

  public static func remove(in output: FilePath) { Folder.remove(folder(in: output)) }
}

extension MapRidge {
  /// nil: the line is none of a record.
  fileprivate init?(_ line: Substring) {
    let words = line.split(separator: " ")
    guard (3...4).contains(words.count), let layer = Int(words[0]),
      (0..<Limits.layerCount).contains(layer),
      let tap = Tap.allCases.first(where: { $0.moduleName == words[1] }),
      let ridge = Double(words[2]), ridge.isFinite, ridge >= 0,
      words.count == 3 || words[3] == "raised"
    else { return nil }
    self.init(place: TapPlace(layer: layer, tap), ridge: ridge, isRaised: words.count == 4)
  }
}
