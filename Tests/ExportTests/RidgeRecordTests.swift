import Export
import FlapCore
import FlapTestKit
import Foundation
import Statistics
import SystemPackage
import Testing

/// The ridges of maps, beside the shards that hold them.
struct RidgeRecordTests {
  private let folder: TemporaryFolder
  private let output: FilePath

  init() throws {
    folder = try TemporaryFolder()
    output = FilePath(folder.path)
  }

  private static func ridge(_ layer: Int, _ tap: Tap, _ ridge: Double, _ isRaised: Bool) -> MapRidge
  {
    MapRidge(place: TapPlace(layer: layer, tap), ridge: ridge, isRaised: isRaised)
  }

  @Test("all shards' maps, in the order of the maps, each once")
  func roundTrip() throws {
    let maps = [
      RidgeRecordTests.ridge(0, .attentionOutput, 1e-5, false),
      RidgeRecordTests.ridge(0, .mlpDown, 0.1, true),
      RidgeRecordTests.ridge(11, .attentionOutput, 1.0 / 3, false),
    ]
    #expect(RidgeRecord.read(in: output).isEmpty)
    try RidgeRecord.write([maps[2], maps[1]], ofShard: "b.safetensors", in: output, attempt: "1")
    try RidgeRecord.write([maps[0], maps[1]], ofShard: "a.safetensors", in: output, attempt: "2")
    try RidgeRecord.write([], ofShard: "c.safetensors", in: output, attempt: "3")
    #expect(RidgeRecord.read(in: output) == maps)
    RidgeRecord.remove(in: output)
    #expect(RidgeRecord.read(in: output).isEmpty)
    #expect(!FileManager.default.fileExists(atPath: RidgeRecord.folder(in: output).string))
  }

  @Test(
    "lines that are none are left out",
    arguments: [
      "", "0", "0 mlp.down_proj", "-1 mlp.down_proj 0.1", "0 mlp.up_proj 0.1",
      "0 mlp.down_proj nan", "0 mlp.down_proj -1", "0 mlp.down_proj 0.1 lowered",
      "0 mlp.down_proj 0.1 raised twice", "9999999 mlp.down_proj 0.1", "\u{0}\u{FFFD}",
    ])
  func odd(line: String) throws {
    let good = RidgeRecordTests.ridge(1, .mlpDown, 0.01, false)
    try RidgeRecord.write([good], ofShard: "a", in: output, attempt: "1")
    let path = RidgeRecord.folder(in: output).appending("a.txt").string
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try (line + "\n" + text).write(toFile: path, atomically: true, encoding: .utf8)
    #expect(RidgeRecord.read(in: output) == [good])
  }
}
